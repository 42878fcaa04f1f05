"""Opening: all chats without their messages first, so that a new device or one long away shows them at once."""

from enum import Enum
from typing import Final

from storage.exchange import ChangePage
from storage.records import AccountId, Cursor
from sync.engine.desk import Desk
from sync.engine.gate import NEVER, Gate
from sync.engine.interface import ApplySummary, FinishOpening, PullSummary
from sync.engine.refusals import concerns_all
from sync.engine.storing import StoreLine
from sync.errors import SyncError, UnknownFunction, UpdateNeeded

FAR: Final = 2_000
"""Changes behind which a device is long away: titles and the newest messages come before all the others."""

_STUCK: Final = "The server's summary does not go on; update Homing or the server."

FIRST_REST: Final = 10.0
LONGEST_REST: Final = 3600.0
"""Seconds after a summary that failed: while one is asked for no changes come, and they do come without it."""


class Purpose(Enum):
    """Why a summary is read."""

    NEW = "this device holds nothing yet"
    LEARN = "not all kinds or chats were taken in so far: by an earlier version, or before an adoption"
    RETURN = "this device was away for long"


class Opening:
    """Reads summaries page by page, the next on the wire while the last is being stored."""

    def __init__(self, desk: Desk, gate: Gate, line: StoreLine, page_limit: int, far: int) -> None:
        self._desk = desk
        self._gate = gate
        self._line = line
        self._page_limit = page_limit
        self._far = far
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account: the store says whether it was opened before."""
        self._account = account
        self._opened: bool | None = None
        self._without = False
        self._returned = False
        self._failures = 0
        self._not_before = NEVER
        self.abort()

    @property
    def resting(self) -> bool:
        """Whether something was left out so far, and the server could not say it when it was asked."""
        return self._opened is False and not self._without and self._failures > 0

    def release(self) -> None:
        """A person asks: the summary rests no longer."""
        self._not_before = NEVER

    @property
    def holds_pull(self) -> bool:
        """Whether changes in order have to wait: a page of a summary that they overtook would undo them."""
        return self.purpose is not None

    @property
    def quiet(self) -> bool:
        """Nothing is asked, stored or wanted."""
        return self.purpose is None

    def abort(self) -> None:
        """Let answers pass unheard; what was read so far is read again when it is needed."""
        self.purpose: Purpose | None = None
        self._request: int | None = None
        self._storing = 0
        self._from = Cursor()
        self._start: Cursor | None = None
        self._last = False

    def loaded(self, opened: bool) -> None:
        """The store said whether all chats are known; an adoption, in whichever process, may have left some out."""
        self._opened = opened

    def start(self, cursor: Cursor) -> None:
        """The store said how far the account was pulled: from nothing on, a summary comes first."""
        if not self._opened and self.purpose is None and cursor.epoch is None:
            self._begin(Purpose.NEW, Cursor())

    def level(self) -> None:
        """All changes are here: what was left out so far may be read."""
        self._returned = False
        rested = self._desk.now >= self._not_before
        if self._opened is False and self.purpose is None and rested and not self._without:
            self._begin(Purpose.LEARN, Cursor())

    def far_behind(self, page: ChangePage, asked: Cursor) -> bool:
        """Whether a page of changes shows that this device was away for long; then a summary comes first."""
        far = page.more and not page.reset and page.head - page.cursor > self._far
        if not far or self.purpose is not None or not self._opened or self._returned:
            return False
        self._returned = True
        self._begin(Purpose.RETURN, asked)
        return True

    def advance(self, *, pulling: bool) -> None:
        """Ask for the next page if one is wanted and may be asked for; behind a pull that is under way."""
        wanted = self.purpose is not None and not self._last and self._request is None and self._storing < 2
        overtakes = pulling and self.purpose is Purpose.LEARN
        if not wanted or overtakes or not self._gate.may_send:
            return
        assert self._account is not None
        self._request = self._desk.next_request()
        self._gate.sent(self._request)
        self._desk.emit(PullSummary(self._request, self._account, self._from, self._page_limit))

    def owns(self, request: int) -> bool:
        """Whether this is the request under way."""
        return request == self._request

    def pulled(self, page: ChangePage, epoch: str | None) -> None:
        """A page came. `epoch` is the one that the pulls are in."""
        self._request = None
        assert self._account is not None
        if self.purpose is not Purpose.NEW and page.epoch != epoch:
            self.abort()
            return
        begins = self._from.epoch is None
        if page.reset and not begins:
            self._begin(Purpose.NEW, Cursor())
            return
        if page.more and page.cursor <= self._from.change:
            self.failed(self._desk.next_request(), UpdateNeeded(_STUCK))
            return
        if self._start is None:
            self._start = Cursor(page.epoch, page.head)
        self._from, self._last = Cursor(page.epoch, page.cursor), not page.more
        self._storing += 1
        self._line.submit(ApplySummary(self._desk.next_request(), self._account, page))
        if self._last and self.purpose is not Purpose.RETURN:
            start = self._start if self.purpose is Purpose.NEW else None
            self._line.submit(FinishOpening(self._desk.next_request(), self._account, start))

    def failed(self, request: int, error: SyncError) -> None:
        """The request under way failed. Where there is no summary, everything comes by pulling in order."""
        self._request = None
        new = self.purpose is Purpose.NEW
        if isinstance(error, UnknownFunction):
            self._gate.succeeded(request)
            self._do_without()
            return
        for_all = concerns_all(error)
        if new or for_all or self._gate.probes(request):
            self._gate.failed(request, error)
        if new:
            return
        self.abort()
        self._not_before = self._desk.now + min(LONGEST_REST, FIRST_REST * 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)

    def stored(self) -> bool:
        """A page is durable. True: it was the last one of a return."""
        self._storing = max(0, self._storing - 1)
        done = self.purpose is Purpose.RETURN and self._last and not self._storing
        if done:
            self.abort()
        return done

    def finished(self) -> None:
        """The summary is whole, and durable; the store says next whether that was all."""
        self.abort()
        self._opened = None
        self._failures, self._not_before = 0, NEVER

    def lost(self) -> None:
        """The store could not take a page: begin again."""
        purpose = self.purpose
        self.abort()
        if purpose is Purpose.NEW:
            self._begin(Purpose.NEW, Cursor())

    def _do_without(self) -> None:
        self.abort()
        self._without = True

    def _begin(self, purpose: Purpose, cursor: Cursor) -> None:
        self.abort()
        self.purpose, self._from = purpose, cursor
