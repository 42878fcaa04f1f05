"""All parts of the engine, for one account at a time: made together, entered together, aborted together."""

from collections.abc import Callable
from typing import Final

from storage.records import AccountId
from sync.engine.desk import Desk
from sync.engine.errands import Errands
from sync.engine.filling import Filling
from sync.engine.gate import Gate
from sync.engine.heads import HeadCheck
from sync.engine.opening import Opening
from sync.engine.pokes import Pokes
from sync.engine.pulling import Pulling
from sync.engine.pushing import Pushing
from sync.engine.reporting import Reporting
from sync.engine.spans import Spans
from sync.engine.storing import StoreLine
from sync.engine.tickets import Tickets

INTERRUPTED: Final = "Sync was interrupted by a change of account; ask again."


class Parts:
    """They share a desk, a line at the store and a gate to the server."""

    def __init__(
        self, uniform: Callable[[], float], batch_limit: int, page_limit: int, history_limit: int, far: int
    ) -> None:
        self.desk = Desk()
        self.line = StoreLine(self.desk, uniform)
        self.gate = Gate(self.desk, uniform)
        self.pokes = Pokes(self.desk)
        self.spans = Spans()
        self.opening = Opening(self.desk, self.gate, self.line, page_limit, far)
        self.pulling = Pulling(self.desk, self.gate, self.line, page_limit)
        self.pushing = Pushing(self.desk, self.gate, self.line, uniform, batch_limit)
        self.errands = Errands(self.desk, self.gate, self.line, uniform)
        self.filling = Filling(self.desk, self.gate, self.line, uniform, history_limit)
        self.heads = HeadCheck(self.desk, self.gate, self.line)
        self.reporting = Reporting(self.desk, self.line)
        self.tickets = Tickets(self.desk)
        self.account: AccountId | None = None
        self.paused = False
        """The pushes have paused, so that the cursor in the store may move."""
        self.owes_pull = False
        """A round that somebody waits for has still to pull."""
        self.pull_failed_last = False

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self.account = account
        self.owes_pull = False
        self.tickets.finish(INTERRUPTED)
        self.line.clear()
        self.gate.enter(account)
        self.pokes.clear()
        self.spans.clear()
        self.opening.enter(account)
        self.pulling.enter(account)
        self.pushing.enter(account)
        self.errands.enter(account)
        self.filling.enter(account)
        self.heads.enter(account)
        self.reporting.enter(account)

    def begin_anew(self) -> None:
        """What is here contradicts the server: pull from nothing, and let answers from before pass."""
        self.filling.abort()
        self.opening.abort()
        self.heads.abort()
        self.pulling.begin_anew()

    def abort(self) -> None:
        """The server is not what it was: answers from before mean nothing."""
        self.pushing.abort()
        self.errands.abort()
        self.spans.clear()
        self.filling.abort()
        self.opening.abort()
        self.heads.abort()
