"""Pulling: ask for changes by cursor until there are no more, and have each page stored together with its cursor."""

from typing import Final

from storage.exchange import ChangePage, Span
from storage.records import AccountId, Cursor
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.interface import AdvanceCursor, ApplyChanges, PullChanges, RecordSuccess, Timer
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
        """Where the next pull starts: what is stored, and what this device changed itself behind that."""
        self._stored: Cursor | None = None
        self.wanted = account is not None
        self.catching_up = account is not None
        self.level = False
        self._request: int | None = None
        self.asked = Cursor()
        """Where the pull under way, or the last one, began."""
        self._applying: ChangePage | None = None
        self._held: ChangePage | None = None
        self._moving = self._anew = self._proves = False
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
        return self.still and not self.wanted

    @property
    def still(self) -> bool:
        """Nothing is asked or stored."""
        return not (self._request or self._applying or self._held or self._moving)

    @property
    def needs_cursor(self) -> bool:
        """Whether the store has to say how far it is."""
        return self.cursor is None and self._account is not None

    def loaded(self, cursor: Cursor) -> None:
        """The store said how far it is. When somebody else wound it back, what is under way means nothing."""
        busy = self._applying is not None or self._moving
        moved = self._stored is not None and cursor != self._stored and not busy
        if self.cursor is None or moved:
            self.cursor = self._stored = cursor
        if moved:
            self._request = None
            self.wanted = True

    def advance(self) -> None:
        """Ask for the next page if one is wanted and may be asked for."""
        if self._anew and self.still:
            self._anew = self.level = False
            self.cursor = self._stored = Cursor()
        busy = self._request is not None or self._held is not None or self._moving or self._anew
        ready = self.cursor is not None and not busy
        if not (self.wanted and ready and self._gate.may_send and self._account):
            return
        page = self._applying
        if page is not None and not page.more:
            return
        assert self.cursor is not None
        self.asked = Cursor(page.epoch, page.cursor) if page else self.cursor
        self.wanted = False
        self._request = self._desk.next_request()
        self._gate.sent(self._request)
        self._desk.emit(PullChanges(self._request, self._account, self.asked, self._page_limit))

    def owns(self, request: int) -> bool:
        """Whether this is the pull under way."""
        return request == self._request

    def pulled(self, page: ChangePage) -> bool:
        """A page came. True means that the server began a new epoch or a new count: older answers mean nothing."""
        self._request = None
        if not page.reset and (page.epoch != self.asked.epoch or page.cursor < self.asked.change):
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
            self.contradicted()
            return
        self._rewinds = 0
        self.cursor = self._stored = Cursor(page.epoch, page.cursor)
        self.level = not page.more
        self._proves = self._proves and page.more
        if self._held is not None:
            held, self._held = self._held, None
            self._apply(held)
        elif self.level:
            self._rest()

    def skip(self, span: Span) -> None:
        """What this device changed itself need not be pulled. Only while nothing is asked or stored."""
        self.cursor = Cursor(span.epoch, span.head)

    @property
    def behind(self) -> bool:
        """Whether the cursor in the store is not where it could be."""
        return self.cursor is not None and self.cursor != self._stored

    def save(self) -> None:
        """Have the cursor in the store moved up. Only while nothing is asked or stored."""
        assert self._account is not None
        assert self.cursor is not None
        assert self.cursor.epoch is not None
        assert self._stored is not None
        self._moving = True
        span = Span(self.cursor.epoch, self._stored.change, self.cursor.change)
        self._line.submit(AdvanceCursor(self._desk.next_request(), self._account, span))

    def saved(self, *, moved: bool) -> None:
        """The cursor in the store has moved, or was elsewhere."""
        self._moving = False
        if moved:
            self._stored = self.cursor
        else:
            self.lost()

    def opened(self, cursor: Cursor) -> None:
        """A new device knows all chats as they were at the cursor: go on from there."""
        self.cursor = self._stored = cursor
        self.wanted = True

    def lost(self) -> None:
        """The store could not take the page: read from it how far it is, and pull again."""
        self._applying = self._held = self._request = None
        self._moving = False
        self.cursor = self._stored = None
        self.wanted = self.catching_up = True

    def contradicted(self) -> None:
        """What the server says and what is held here cannot both be: pull from nothing."""
        self._rewinds += 1
        self.begin_anew()
        if self._rewinds > 1:
            self._gate.failed(
                self._desk.next_request(),
                UpdateNeeded(
                    "The server contradicts its own history; ask whoever runs it to rotate its epoch."
                ),
            )

    def prove(self) -> None:
        """Pull, and have it noted that the pull came to its end, be there news or not."""
        self._proves = self.wanted = True

    def begin_anew(self) -> None:
        """Pull from nothing, once the page that is being stored is durable."""
        self._held = self._request = None
        self._anew = self.wanted = self.catching_up = True

    def _apply(self, page: ChangePage) -> None:
        news = page.changes or page.reset or page.cursor != self.asked.change
        assert self._account is not None
        if self.level and not (news or self.behind or self._proves):
            self._rest()
            self._line.submit(RecordSuccess(self._desk.next_request(), self._account))
            return
        self._applying = page
        self._line.submit(ApplyChanges(self._desk.next_request(), self._account, page))

    def _rest(self) -> None:
        self.catching_up = False
        self._desk.set_timer(Timer.POLL, POLL_LINKED if self.linked else POLL_ALONE)
