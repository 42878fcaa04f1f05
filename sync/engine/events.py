"""What the engine hears: facts, in the past tense."""

from dataclasses import dataclass
from typing import TypeAlias

from storage.exchange import ChangePage, ErrandVerdict, Head, HistoryPage, ParcelWork, Receipt
from storage.records import AccountId, ChatId, Counts, Hole
from sync.engine.timers import Timer
from sync.errors import SyncError


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account with a usable session is active, at start or after a sign-in."""

    account_id: AccountId


@dataclass(frozen=True, slots=True)
class SignedOut:
    """No account is active."""


@dataclass(frozen=True, slots=True)
class LocalCommitted:
    """Somebody wrote to the local store: there may be something to push."""


@dataclass(frozen=True, slots=True)
class Poked:
    """The server hints that something changed. `head` is its change counter, when it says it."""

    head: int | None = None


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The realtime channel came up or went down."""

    up: bool


@dataclass(frozen=True, slots=True)
class NetworkChanged:
    """The computer's network came or went."""

    online: bool


@dataclass(frozen=True, slots=True)
class Woke:
    """The computer slept for so many seconds, or its clock leapt: nothing that was timed means what it did."""

    slept: float = 0.0


@dataclass(frozen=True, slots=True)
class HistoryWanted:
    """Somebody looks at a hole: messages of the chat below number `before`, without one the newest."""

    chat_id: ChatId
    before: int | None


@dataclass(frozen=True, slots=True)
class SyncRequested:
    """Somebody waits for a full round; `FinishSync` with the same ticket answers."""

    ticket: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer ran out. One of an older generation is ignored."""

    timer: Timer
    generation: int


@dataclass(frozen=True, slots=True)
class WorkLoaded:
    """Answers `LoadWork`."""

    request: int
    work: ParcelWork


@dataclass(frozen=True, slots=True)
class WorkCounted:
    """Answers `CountWork`."""

    request: int
    counts: Counts
    last_success_at: str | None
    last_error: str | None
    missing: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True)
class HolesLoaded:
    """Answers `LoadHoles`: what to ask for, one request each, in the order in which people want it."""

    request: int
    chunks: tuple[tuple[Hole, ...], ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """Answers every store effect that has nothing to say but that it is durable."""

    request: int


@dataclass(frozen=True, slots=True)
class ChangesApplied:
    """Answers `ApplyChanges`. Not applied means: the page contradicts what is held here, pull from nothing.

    It answers `AdvanceCursor` too. Not applied then means: the cursor was elsewhere and stays there.
    """

    request: int
    applied: bool


@dataclass(frozen=True, slots=True)
class HistoryApplied:
    """Answers `ApplyHistory`. Not applied means: it contradicts what is held here, pull from nothing."""

    request: int
    applied: bool


@dataclass(frozen=True, slots=True)
class HeadsCompared:
    """Answers `CompareHeads`: so many chats are not what the server has, and are filled again."""

    request: int
    suspects: int


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """A store effect failed; it may have been done. `reason` is one line for people; `full`: the disk has no room."""

    request: int
    reason: str
    full: bool = False


@dataclass(frozen=True, slots=True)
class ChangesPulled:
    """Answers `PullChanges`."""

    request: int
    page: ChangePage


@dataclass(frozen=True, slots=True)
class Pushed:
    """Answers `Push`."""

    request: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class SummaryPulled:
    """Answers `PullSummary`."""

    request: int
    page: ChangePage


@dataclass(frozen=True, slots=True)
class HistoryPulled:
    """Answers `PullHistory`."""

    request: int
    page: HistoryPage


@dataclass(frozen=True, slots=True)
class HeadsPulled:
    """Answers `PullHeads`."""

    request: int
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class ErrandRun:
    """Answers `RunErrand`."""

    request: int
    verdict: ErrandVerdict


@dataclass(frozen=True, slots=True)
class TokenRefreshed:
    """Answers `RefreshToken`."""

    request: int


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request to the server, or the refresh of the token, failed. It may have had its effect."""

    request: int
    error: SyncError


StoreAnswer: TypeAlias = (
    WorkLoaded | WorkCounted | HolesLoaded | Stored | ChangesApplied | HistoryApplied | HeadsCompared
)
ServerAnswer: TypeAlias = (
    Pushed | ErrandRun | ChangesPulled | SummaryPulled | HistoryPulled | HeadsPulled | TokenRefreshed
)
Event: TypeAlias = (
    SignedIn
    | SignedOut
    | LocalCommitted
    | Poked
    | LinkChanged
    | NetworkChanged
    | Woke
    | HistoryWanted
    | SyncRequested
    | TimerFired
    | StoreAnswer
    | StoreFailed
    | ServerAnswer
    | RequestFailed
)
