"""Anti-entropy: now and then all chats are compared with the server's digests, and what differs is fetched anew."""

from typing import Final

from storage.exchange import Head
from storage.records import AccountId, ChatId
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.interface import CompareHeads, PullHeads, Timer
from sync.engine.refusals import concerns_all
from sync.engine.storing import StoreLine
from sync.errors import SyncError, UnknownFunction

FIRST: Final = 600.0
EVERY: Final = 6 * 3600.0
STALE: Final = 24 * 3600.0
"""Seconds: from being level to the first comparison, between two, and how long a sleep calls for one."""

PAGE: Final = 1_000
MOST_PASSES: Final = 4


class HeadCheck:
    """Goes through the account page by page, twice: a difference counts when one more pull does not explain it.

    As long as that pull brings news, what was seen first says nothing, and one more pass follows.
    """

    def __init__(self, desk: Desk, gate: Gate, line: StoreLine) -> None:
        self._desk = desk
        self._gate = gate
        self._line = line
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self._impossible = False
        self._due = self._news = False
        self._passes = 0
        self.abort()
        self._desk.cancel_timer(Timer.HEADS)

    @property
    def quiet(self) -> bool:
        """Nothing is on the wire or being compared, and no pull waits for it."""
        return not (self._running or self.holds_pull)

    def abort(self) -> None:
        """Let answers pass unheard."""
        self._running = False
        self._comparing = False
        self._request: int | None = None
        self._after: ChatId | None = None
        self.holds_pull = False

    def level(self) -> None:
        """The account is level with its server."""
        if not (self._desk.runs(Timer.HEADS) or self._due or self._impossible or self._running):
            self._desk.set_timer(Timer.HEADS, FIRST)

    def fall_due(self) -> None:
        """It is time."""
        self._due, self._passes = not self._impossible, 0

    def slept(self, seconds: float) -> None:
        """The computer slept."""
        if seconds > STALE:
            self.fall_due()

    def hurry(self) -> None:
        """A device that was away for long wants to know all last numbers before it pulls."""
        self._due = self.holds_pull = not self._impossible

    def advance(self, *, level: bool) -> None:
        """Ask for the next page when it is time and nothing else is to be done."""
        if self._due and not self._running and (level or self.holds_pull):
            self._due, self._running = False, True
        idle = self._running and self._request is None and not self._comparing
        may_send = self._gate.may_send if self.holds_pull else self._gate.is_open
        if not (idle and may_send and self._account):
            return
        self._request = self._desk.next_request()
        self._gate.sent(self._request)
        self._desk.emit(PullHeads(self._request, self._account, self._after, PAGE))

    def owns(self, request: int) -> bool:
        """Whether this is the request under way."""
        return request == self._request

    def pulled(self, heads: tuple[Head, ...]) -> None:
        """A page came."""
        assert self._account is not None
        self._request = None
        self._comparing = True
        last = len(heads) < PAGE
        self._after = None if last else heads[-1].chat_id
        self._line.submit(CompareHeads(self._desk.next_request(), self._account, heads, last))

    def compared(self, *, last: bool) -> bool:
        """The store has compared a page. True: all is compared; pull once more, and what still differs is suspect."""
        if not self._comparing:
            return False
        self._comparing = False
        if not last:
            return False
        self._passes += 1
        self._due = self._passes == 1 or (self._news and self._passes < MOST_PASSES)
        self._news = False
        if not self._due:
            self._passes = 0
        self.abort()
        self._desk.set_timer(Timer.HEADS, EVERY)
        return self._due

    def news(self) -> None:
        """A pull brought changes."""
        self._news = True

    def failed(self, request: int, error: SyncError) -> None:
        """The request under way failed: another time will do."""
        self.abort()
        self._impossible = isinstance(error, UnknownFunction)
        if concerns_all(error) or self._gate.probes(request):
            self._gate.failed(request, error)
        if not self._impossible:
            self._desk.set_timer(Timer.HEADS, FIRST)

    def lost(self) -> None:
        """The store could not compare: another time will do."""
        self.abort()
        self._desk.set_timer(Timer.HEADS, FIRST)
