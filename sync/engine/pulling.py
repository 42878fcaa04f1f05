"""Pulling: ask for changes by cursor until there are no more, and have each page stored together with its cursor."""

from typing import Final

from storage.exchange import ChangePage
from storage.records import AccountId, Cursor
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.interface import ApplyChanges, PullChanges, RecordSuccess, Timer
from sync.engine.storing import StoreLine
from sync.errors import SyncError, UpdateNeeded

POLL_LINKED: Final = 60.0
POLL_ALONE: Final = 15.0
"""Seconds between pulls with and without a realtime link. The poll is the truth, pokes only make it earlier."""


class Pulling:
    """One pull at a time; the next page is on the wire while the last one is being stored."""

    def __init__(self, desk: Desk, gate: Gate, line: StoreLine, page_limit: int) -> None:
        self._page_limit = page_limit
        self._desk = desk
        self._gate = gate
        self._line = line
        self.linked = False
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account: the cursor comes from the store."""
        self._account = account
        self.cursor: Cursor | None = None
        self.wanted = account is not None
        self.catching_up = account is not None
        self._request: int | None = None
        self._asked = Cursor()
        self._applying: ChangePage | None = None
        self._held: ChangePage | None = None
        self._level = False
        self._rewinds = 0
        self._desk.cancel_timer(Timer.POLL)

    @property
    def epoch(self) -> str | None:
        """The server's epoch as of the last page, stored or not."""
        page = self._held or self._applying
        if page is not None:
            return page.epoch
        return self.cursor.epoch if self.cursor else None

    @property
    def quiet(self) -> bool:
        """Nothing is asked, stored or wanted."""
        return not (self.wanted or self._request or self._applying or self._held)

    @property
    def needs_cursor(self) -> bool:
        """Whether the store has to say how far it is."""
        return self.cursor is None and self._account is not None

    def loaded(self, cursor: Cursor) -> None:
        """The store said how far it is. When somebody else wound it back, what is under way means nothing."""
        moved = self.cursor is not None and cursor != self.cursor and self._applying is None
        if self.cursor is None or moved:
            self.cursor = cursor
        if moved:
            self._request = None
            self.wanted = True

    def advance(self) -> None:
        """Ask for the next page if one is wanted and may be asked for."""
        ready = self.cursor is not None and self._request is None and self._held is None
        if not (self.wanted and ready and self._gate.may_send and self._account):
            return
        page = self._applying
        if page is not None and not page.more:
            return
        assert self.cursor is not None
        self._asked = Cursor(page.epoch, page.cursor) if page else self.cursor
        self.wanted = False
        self._request = self._desk.next_request()
        self._gate.sent(self._request)
        self._desk.emit(PullChanges(self._request, self._account, self._asked, self._page_limit))

    def owns(self, request: int) -> bool:
        """Whether this is the pull under way."""
        return request == self._request

    def pulled(self, page: ChangePage) -> bool:
        """A page came. True means that the server began a new epoch or a new count: older answers mean nothing."""
        self._request = None
        if not page.reset and (page.epoch != self._asked.epoch or page.cursor < self._asked.change):
            self._gate.failed(
                self._desk.next_request(),
                UpdateNeeded("The server's changes do not follow from ours; update Homing or the server."),
            )
            self.wanted = True
            return False
        self.wanted = self.wanted or page.more
        self.catching_up = self.catching_up or page.more
        if self._applying is None:
            self._apply(page)
        else:
            self._held = page
        return page.reset

    def failed(self, error: SyncError, request: int) -> None:
        """The pull under way failed."""
        self._request = None
        self.wanted = True
        self._gate.failed(request, error)

    def applied(self, applied: bool) -> None:
        """The store has taken the page, or says that it contradicts what is held there."""
        page, self._applying = self._applying, None
        assert page is not None
        if not applied:
            self._rewind()
            return
        self._rewinds = 0
        self.cursor = Cursor(page.epoch, page.cursor)
        self._level = not page.more
        if self._held is not None:
            held, self._held = self._held, None
            self._apply(held)
        elif self._level:
            self._finish()

    def lost(self) -> None:
        """The store could not take the page: read from it how far it is, and pull again."""
        self._applying = self._held = self._request = None
        self.cursor = None
        self.wanted = True

    def _apply(self, page: ChangePage) -> None:
        news = page.changes or page.reset or page.cursor != self._asked.change
        if self._level and not news:
            self._finish()
            return
        assert self._account is not None
        self._applying = page
        self._line.submit(ApplyChanges(self._desk.next_request(), self._account, page))

    def _finish(self) -> None:
        assert self._account is not None
        self.catching_up = False
        self._desk.set_timer(Timer.POLL, POLL_LINKED if self.linked else POLL_ALONE)
        self._line.submit(RecordSuccess(self._desk.next_request(), self._account))

    def _rewind(self) -> None:
        self._held = self._request = None
        self.cursor = Cursor()
        self.wanted = True
        self._rewinds += 1
        if self._rewinds > 1:
            self._gate.failed(
                self._desk.next_request(),
                UpdateNeeded(
                    "The server contradicts its own history; ask whoever runs it to rotate its epoch."
                ),
            )
