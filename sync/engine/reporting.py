"""The status that a person sees, derived from what the engine does, published only when it differs."""

from dataclasses import dataclass, replace
from typing import Final

from storage.records import AccountId, Counts
from sync.engine.desk import Desk
from sync.engine.interface import CountWork, PublishStatus, RecordError, WorkCounted
from sync.engine.storing import StoreLine
from sync.errors import (
    AccountGone,
    QuotaExceeded,
    RetryLater,
    SignInAgain,
    SyncError,
    Unreachable,
    UpdateNeeded,
)
from sync.status import Phase, SyncStatus

COUNT_INTERVAL: Final = 0.25
"""Seconds between two counts while work goes on: counting costs time in proportion to what is pending."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing goes on, if so: of the server, with the time of the next try, or of the disk of this computer."""

    server: SyncError | None
    retries_at: float | None
    store: str | None
    full: bool


class Reporting:
    """Counts when the figures may have moved, and publishes."""

    def __init__(self, desk: Desk, line: StoreLine) -> None:
        self._desk = desk
        self._line = line
        self._published: tuple[Phase, WorkCounted, str | None, float | None] | None = None
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self._figures = WorkCounted(0, Counts(0, 0, None), None, None)
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
        # Without its request number, so that two counts with the same result are equal.
        self._figures = replace(event, request=0)

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

    def advance(self, trouble: Trouble, *, working: bool, waiting: bool, settled: bool) -> None:
        """Count if due, then publish if the status differs. While not settled, nothing is said to be synced.

        `waiting`: an edit, an errand or a part of the history waits for its next try, which no count tells.
        """
        if self._stale and not self._counting and self._due(working):
            self._stale, self._counting = False, True
            self._counted_at = self._desk.now
            self._line.submit(CountWork(self._desk.next_request(), self._account))
        phase = self._phase(trouble, working=working, waiting=waiting)
        if (self._stale or self._counting or not settled) and phase in (Phase.PENDING, Phase.SYNCED):
            return
        self._publish(phase, trouble)

    def _due(self, working: bool) -> bool:
        last = self._counted_at
        return not working or last is None or self._desk.now - last >= COUNT_INTERVAL or self._desk.now < last

    def _phase(self, trouble: Trouble, *, working: bool, waiting: bool) -> Phase:
        if self._account is None:
            return Phase.SIGNED_OUT
        if trouble.store is not None:
            return Phase.DISK_FULL if trouble.full else Phase.ERROR
        if trouble.server is not None:
            return _phase_of(trouble.server)
        if working:
            return Phase.SYNCING
        return Phase.PENDING if waiting or self._figures.counts.pending else Phase.SYNCED

    def _publish(self, phase: Phase, trouble: Trouble) -> None:
        figures = self._figures
        counts = figures.counts
        text = trouble.store or (str(trouble.server) if trouble.server else figures.last_error)
        retries_at = trouble.retries_at if trouble.store is None and trouble.server is not None else None
        facts = (phase, figures, text, retries_at)
        if facts == self._published:
            return
        self._published = facts
        status = SyncStatus(
            phase,
            counts.pending,
            counts.rejected,
            counts.oldest_pending_at,
            figures.last_success_at,
            text,
            conflicts=counts.conflicts,
            missing=figures.missing,
            known=figures.known,
            retry_in=None if retries_at is None else max(0.0, retries_at - self._desk.now),
        )
        self._desk.emit(PublishStatus(status))


def _phase_of(error: SyncError) -> Phase:
    return next((phase for kind, phase in _PHASES if isinstance(error, kind)), Phase.ERROR)


_PHASES: Final[tuple[tuple[type[SyncError], Phase], ...]] = (
    (Unreachable, Phase.OFFLINE),
    (AccountGone, Phase.ACCOUNT_GONE),
    (SignInAgain, Phase.NEEDS_SIGN_IN),
    (QuotaExceeded, Phase.QUOTA),
    (RetryLater, Phase.BUSY),
    (UpdateNeeded, Phase.UPDATE_NEEDED),
)
