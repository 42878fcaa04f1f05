"""The status that a person sees, derived from what the engine does, published only when it differs."""

from typing import Final

from storage.records import AccountId, Counts
from sync.engine.desk import Desk
from sync.engine.interface import CountWork, PublishStatus, RecordError, WorkCounted
from sync.engine.storing import StoreLine
from sync.errors import RetryLater, SignInAgain, SyncError, Unreachable
from sync.status import Phase, SyncStatus

COUNT_INTERVAL: Final = 0.25
"""Seconds between two counts while work goes on: counting costs time in proportion to what is pending."""


class Reporting:
    """Counts when the figures may have moved, and publishes."""

    def __init__(self, desk: Desk, line: StoreLine) -> None:
        self._desk = desk
        self._line = line
        self._published: tuple[Phase, Counts, str | None, str | None] | None = None
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self._counts = Counts(0, 0, None)
        self._last_success: str | None = None
        self._last_error: str | None = None
        self._recorded: str | None = None
        self._stale = True
        self._counting = False
        self._counted_at: float | None = None

    def outdate(self) -> None:
        """The figures may have moved."""
        self._stale = True

    def counted(self, event: WorkCounted) -> None:
        """The store has the figures."""
        self._counting = False
        self._counts = event.counts
        self._last_success, self._last_error = event.last_success_at, event.last_error

    def count_failed(self) -> None:
        """The store gave up counting."""
        self._counting = False
        self._stale = True

    def record(self, error: SyncError | None) -> None:
        """Have a new reason of trouble kept, once."""
        text = str(error) if error else None
        if text is not None and text != self._recorded and self._account is not None:
            self._line.submit(RecordError(self._desk.next_request(), self._account, text))
        self._recorded = text

    def advance(self, error: SyncError | None, trouble: str | None, *, working: bool, settled: bool) -> None:
        """Count if due, then publish if the status differs. While not settled, nothing is said to be synced."""
        if self._stale and not self._counting and self._due(working):
            self._stale, self._counting = False, True
            self._counted_at = self._desk.now
            self._line.submit(CountWork(self._desk.next_request(), self._account))
        phase = self._phase(error, trouble, working)
        if (self._stale or self._counting or not settled) and phase in (Phase.PENDING, Phase.SYNCED):
            return
        self._publish(phase, trouble or (str(error) if error else self._last_error))

    def _due(self, working: bool) -> bool:
        last = self._counted_at
        return not working or last is None or self._desk.now - last >= COUNT_INTERVAL or self._desk.now < last

    def _phase(self, error: SyncError | None, trouble: str | None, working: bool) -> Phase:
        if self._account is None:
            return Phase.SIGNED_OUT
        if trouble is not None:
            return Phase.ERROR
        if error is not None:
            return self._phase_of(error)
        if working:
            return Phase.SYNCING
        return Phase.PENDING if self._counts.pending else Phase.SYNCED

    def _phase_of(self, error: SyncError) -> Phase:
        match error:
            case Unreachable():
                return Phase.OFFLINE
            case SignInAgain():
                return Phase.NEEDS_SIGN_IN
            case RetryLater() if self._counts.pending:
                return Phase.PENDING
            case _:
                return Phase.ERROR

    def _publish(self, phase: Phase, last_error: str | None) -> None:
        counts = self._counts
        facts = (phase, counts, self._last_success, last_error)
        if facts != self._published:
            self._published = facts
            figures = (counts.pending, counts.rejected, counts.oldest_pending_at)
            self._desk.emit(PublishStatus(SyncStatus(phase, *figures, self._last_success, last_error)))
