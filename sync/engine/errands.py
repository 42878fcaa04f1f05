"""Errands: small orders to the server, one at a time, each behind the edits and messages that it depends on."""

from collections.abc import Callable

from storage.exchange import Errand, ErrandVerdict
from storage.records import AccountId
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.interface import RecordErrand, RunErrand, Timer
from sync.engine.refusals import Fault, concerns_all, fault
from sync.engine.storing import StoreLine
from sync.engine.waits import Waits
from sync.errors import Refused, SyncError


class Errands:
    """Runs what it is handed. An errand that fails for no fault of its own waits by itself, and holds up nothing else."""

    def __init__(self, desk: Desk, gate: Gate, line: StoreLine, uniform: Callable[[], float]) -> None:
        self._desk = desk
        self._gate = gate
        self._line = line
        self._waits: Waits[int] = Waits(desk, Timer.ERRANDS, uniform)
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self._waits.clear()
        self.abort()

    @property
    def busy(self) -> bool:
        """One is on the wire."""
        return self._errand is not None

    @property
    def resting(self) -> frozenset[int]:
        """Those that wait for their next try."""
        return self._waits.waiting

    def abort(self) -> None:
        """Let the answer pass unheard; the store hands the errand out again."""
        self._errand: Errand | None = None
        self._request = 0

    def run(self, errand: Errand | None) -> None:
        """Send an errand, unless it waits."""
        if errand is None or self.busy or errand.number in self._waits.waiting or not self._gate.may_send:
            return
        assert self._account is not None
        self._errand = errand
        self._request = self._desk.next_request()
        self._gate.sent(self._request)
        self._desk.emit(RunErrand(self._request, self._account, errand))

    def owns(self, request: int) -> bool:
        """Whether this is the request under way."""
        return self.busy and request == self._request

    def ran(self, verdict: ErrandVerdict) -> None:
        """The server answered. What is not done in one go is asked for once more."""
        errand = self._errand
        assert errand is not None
        self._waits.succeeded(errand.number)
        self.abort()
        if verdict.more and verdict.accepted:
            self.run(errand)
        else:
            self._record(errand, verdict)

    def failed(self, request: int, error: SyncError) -> None:
        """The request under way failed."""
        errand = self._errand
        assert errand is not None
        self.abort()
        if isinstance(error, Refused) and fault(error) is not Fault.ACCOUNT:
            self._gate.succeeded(request)
            self._record(errand, ErrandVerdict(False, str(error)))
            return
        if not concerns_all(error):
            self._waits.failed(errand.number)
        if concerns_all(error) or self._gate.probes(request):
            self._gate.failed(request, error)

    def release(self) -> None:
        """An errand has waited long enough."""
        self._waits.release()

    def release_all(self) -> None:
        """A person asks: no errand waits any longer."""
        self._waits.release_all()

    def _record(self, errand: Errand, verdict: ErrandVerdict) -> None:
        assert self._account is not None
        request = self._desk.next_request()
        self._line.submit(RecordErrand(request, self._account, errand.number, verdict))
