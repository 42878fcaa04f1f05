"""Filling: messages that exist on the server and not here, first what a person looks at, then all, newest first."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from storage.exchange import HistoryPage
from storage.records import AccountId, ChatId, Hole
from sync.engine.backoff import Backoff
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.holes import without
from sync.engine.interface import ApplyHistory, LoadHoles, PullHistory, Timer
from sync.engine.refusals import concerns_all
from sync.engine.storing import StoreLine
from sync.errors import SyncError, UnknownFunction, UpdateNeeded

LOOKED_AT: Final = 200
"""Messages that a person waits for at most in one answer; the rest of the hole comes behind them.

So it is with the first answer of all, after which a new device has something to show.
"""

Chunk: TypeAlias = tuple[Hole, ...]
Wish: TypeAlias = tuple[ChatId, int | None]


class Filling:
    """One request at a time, the next on the wire while the last page is stored. Resumable: holes are in the store."""

    def __init__(
        self, desk: Desk, gate: Gate, line: StoreLine, uniform: Callable[[], float], page_limit: int
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._line = line
        self._page_limit = page_limit
        self._backoff = Backoff(uniform)
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account: the store says what is missing."""
        self._account = account
        self._first: Chunk | None = None
        self._stuck: frozenset[Chunk] = frozenset()
        self._wishes: dict[ChatId, int | None] = {}
        self._has_some = False
        self.impossible = False
        """The server cannot tell of single messages: they come by pulling from nothing."""
        self.rest()
        self._backoff.reset()
        self.abort()

    @property
    def active(self) -> bool:
        """Something is on the wire or being stored."""
        return self._request is not None or self._storing > 0

    @property
    def quiet(self) -> bool:
        """Nothing is missing, as far as is known, or nothing can be done about it now."""
        if self.active or self._looking:
            return False
        hopeless = self.trouble is not None or self.impossible
        return hopeless or not (self._looks_up or self._wishes or self._urgent or self._chunks)

    def abort(self) -> None:
        """Let answers pass unheard; the store says anew what is missing."""
        self._urgent: deque[tuple[Wish, Chunk]] = deque()
        self._request: int | None = None
        self._asked: Chunk = ()
        self._wish: Wish | None = None
        self._looking = self._looks_up = False
        self._storing = 0
        self._forget_chunks()

    def rest(self) -> None:
        """A wait is over, or a person asks: try again."""
        self.trouble: str | None = None
        self._desk.cancel_timer(Timer.FILL)

    def look_up(self) -> None:
        """Something may be missing."""
        self._looks_up = self._account is not None and not self.impossible

    def want(self, chat_id: ChatId, before: int | None) -> None:
        """A person looks at a hole; the last one looked at comes first."""
        self._wishes.pop(chat_id, None)
        self._wishes[chat_id] = before

    def advance(self, *, background: bool) -> None:
        """Look up what is missing, and ask for it; for what nobody looks at only in the background."""
        if self._account is None or self.impossible or self.trouble is not None or not self._gate.is_open:
            return
        if self._wishes and not (self._looking or self._urgent):
            self._look(*self._wishes.popitem())
        fresh = not (self.active or self._looking or self._chunks or self._urgent)
        if self._looks_up and background and fresh:
            self._looks_up = False
            self._look(None, None)
        if self._request is None and self._storing < 2:
            self._ask(background)

    def loaded(self, effect: LoadHoles, chunks: Sequence[Chunk]) -> None:
        """The store said what is missing."""
        self._looking = False
        if effect.chat_id is not None:
            if chunks and chunks[0][0].chat_id == effect.chat_id:
                self._urgent.appendleft(((effect.chat_id, effect.before), chunks[0]))
            return
        if chunks and chunks[0] == self._first:
            self._stuck = frozenset(chunks)
            self._trouble("Some older messages cannot be stored here: try again in a while; nothing is lost.")
        else:
            self._chunks.extend(chunks)
            self._first = chunks[0] if chunks else None
            self._looks_up = False

    def owns(self, request: int) -> bool:
        """Whether this is the request under way."""
        return request == self._request

    def pulled(self, page: HistoryPage) -> None:
        """Messages came. What the answer left of the holes is asked for next."""
        assert self._account is not None
        asked, urgent = self._asked, self._wish is not None
        left = without(asked, page.covered)
        self._request = None
        self._has_some = True
        if left == asked:
            self._trouble(
                str(UpdateNeeded("The server leaves out older messages; update Homing or the server."))
            )
            return
        if asked not in self._stuck:
            self._backoff.reset()
        if urgent:
            self._forget_chunks()
            self.look_up()
        elif left:
            self._chunks.appendleft(left)
        self._storing += 1
        self._line.submit(ApplyHistory(self._desk.next_request(), self._account, page), urgent=urgent)

    def failed(self, request: int, error: SyncError) -> None:
        """The request under way failed: it is asked again later, without holding up anything else."""
        self._request = None
        self._forget_chunks()
        self.look_up()
        if isinstance(error, UnknownFunction):
            self.impossible, self._looks_up = True, False
        elif concerns_all(error):
            self._gate.failed(request, error)
        else:
            self._trouble(str(error))
        if self._wish is not None:
            self._wishes.setdefault(*self._wish)

    def stored(self) -> None:
        """A page is durable."""
        self._storing = max(0, self._storing - 1)
        self.look_up()

    def lost(self) -> None:
        """The store could not say what is missing, or not take a page."""
        self.abort()
        self.look_up()

    def _look(self, chat_id: ChatId | None, before: int | None) -> None:
        assert self._account is not None
        self._looking = True
        effect = LoadHoles(self._desk.next_request(), self._account, chat_id, before)
        self._line.submit(effect, urgent=chat_id is not None)

    def _ask(self, background: bool) -> None:
        if self._urgent:
            self._wish, self._asked = self._urgent.popleft()
            limit = LOOKED_AT
        elif background and self._chunks:
            self._wish, self._asked = None, self._chunks.popleft()
            limit = self._page_limit if self._has_some else LOOKED_AT
        else:
            return
        assert self._account is not None
        self._request = self._desk.next_request()
        self._gate.sent(self._request)
        self._desk.emit(PullHistory(self._request, self._account, self._asked, min(limit, self._page_limit)))

    def _forget_chunks(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._first = None

    def _trouble(self, reason: str) -> None:
        self._forget_chunks()
        self.look_up()
        self.trouble = reason
        self._desk.set_timer(Timer.FILL, self._backoff.next_delay())
