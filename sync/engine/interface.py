"""The words of the engine: events are past facts that it hears, effects are imperatives that it answers with.

A request number ties an answer to its effect. Numbers are never reused, so the engine recognises an answer that
nobody waits for any more (a sign-out, a server restore, a doubled delivery) and ignores it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from storage.exchange import (
    ChangePage,
    Errand,
    ErrandVerdict,
    Head,
    HistoryPage,
    Hole,
    Parcel,
    ParcelWork,
    Receipt,
    Span,
)
from storage.records import AccountId, ChatId, Counts, Cursor, MessageId
from sync.errors import SyncError
from sync.status import SyncStatus


class Remote(Protocol):
    """One account's server.

    Every method raises only `sync.errors`; no answer means `Unreachable`, a server that is too old for a function
    `UnknownFunction`.
    """

    async def push(self, parcel: Parcel) -> Receipt:
        """Projects, then chats, then messages; all or nothing but for what the receipt says of each item."""
        ...

    async def pull_changes(self, cursor: Cursor, limit: int) -> ChangePage:
        """The changes after the cursor, at most `limit`."""
        ...

    async def pull_summary(self, cursor: Cursor, limit: int) -> ChangePage:
        """As `pull_changes`, without the messages."""
        ...

    async def pull_history(self, holes: Sequence[Hole], limit: int) -> HistoryPage:
        """The messages in the holes, each hole from its last number downwards, at most `limit`."""
        ...

    async def pull_heads(self, after: ChatId | None, limit: int) -> tuple[Head, ...]:
        """The heads of the chats after this one, by id; fewer than `limit` are the last."""
        ...

    async def run_errand(self, errand: Errand) -> ErrandVerdict:
        """Runs it; twice is as good as once."""
        ...


class Timer(StrEnum):
    """What a timer is for. Setting one replaces the one of the same name."""

    POLL = "poll"
    RETRY = "retry"
    CHATS = "chats"
    ERRANDS = "errands"
    STORE = "store"
    FILL = "fill"
    HEADS = "heads"
    SETTLE = "settle"


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


@dataclass(frozen=True, slots=True)
class PullChanges:
    """Ask for changes; answered by `ChangesPulled`."""

    request: int
    account_id: AccountId
    cursor: Cursor
    limit: int


@dataclass(frozen=True, slots=True)
class Push:
    """Send a parcel; answered by `Pushed`."""

    request: int
    account_id: AccountId
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class PullSummary:
    """Ask for changes without messages; answered by `SummaryPulled`."""

    request: int
    account_id: AccountId
    cursor: Cursor
    limit: int


@dataclass(frozen=True, slots=True)
class PullHistory:
    """Ask for the messages in holes; answered by `HistoryPulled`."""

    request: int
    account_id: AccountId
    holes: tuple[Hole, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class PullHeads:
    """Ask for the heads of chats; answered by `HeadsPulled`."""

    request: int
    account_id: AccountId
    after: ChatId | None
    limit: int


@dataclass(frozen=True, slots=True)
class RunErrand:
    """Run an errand; answered by `ErrandRun`."""

    request: int
    account_id: AccountId
    errand: Errand


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Get a new access token, whatever the old one says of itself; answered by `TokenRefreshed`."""

    request: int
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class LoadWork:
    """Read what is to push, at most `limit` messages, without the blocked chats.

    `after`: the place in this device's order behind which a chat goes on, for chats that are on the wire.
    """

    request: int
    account_id: AccountId
    after: Mapping[ChatId, int]
    blocked: frozenset[str]
    limit: int


@dataclass(frozen=True, slots=True)
class CountWork:
    """Read the figures of the status; without an account, those of what was written signed out."""

    request: int
    account_id: AccountId | None


@dataclass(frozen=True, slots=True)
class ApplyChanges:
    """Store a pulled page together with its cursor; answered by `ChangesApplied`.

    With the last page it is noted that the account is level with its server.
    """

    request: int
    account_id: AccountId
    page: ChangePage


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """Store the server's word on a parcel, or on a part of one, that was sent in `epoch`."""

    request: int
    account_id: AccountId
    epoch: str
    parcel: Parcel
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class AdvanceCursor:
    """Move the cursor over changes that this device made; answered by `ChangesApplied`."""

    request: int
    account_id: AccountId
    span: Span


@dataclass(frozen=True, slots=True)
class ApplySummary:
    """Store a page of changes without messages; the cursor stays where it is."""

    request: int
    account_id: AccountId
    page: ChangePage


@dataclass(frozen=True, slots=True)
class FinishOpening:
    """Note that all chats are known. With a cursor, messages up to it are held or lie in holes from now on."""

    request: int
    account_id: AccountId
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class LoadHoles:
    """Read which messages are missing, of one chat below `before` or of all; answered by `HolesLoaded`."""

    request: int
    account_id: AccountId
    chat_id: ChatId | None
    before: int | None


@dataclass(frozen=True, slots=True)
class ApplyHistory:
    """Store messages that were missing; answered by `HistoryApplied`."""

    request: int
    account_id: AccountId
    page: HistoryPage


@dataclass(frozen=True, slots=True)
class CompareHeads:
    """Learn the last numbers of chats, and compare those that are whole; answered by `HeadsCompared`.

    `last`: with these heads the account was gone through once.
    """

    request: int
    account_id: AccountId
    heads: tuple[Head, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class RecordErrand:
    """Store the server's word on an errand: it is over, or refused with a reason."""

    request: int
    account_id: AccountId
    number: int
    verdict: ErrandVerdict


@dataclass(frozen=True, slots=True)
class SetAside:
    """Keep messages from being sent until a person retries them; the reason is shown."""

    request: int
    chat_id: ChatId
    message_ids: tuple[MessageId, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class RequeueChat:
    """Have the chat saved anew: the server does not know it."""

    request: int
    chat_id: ChatId


@dataclass(frozen=True, slots=True)
class RecordSuccess:
    """Note that the account is level with its server, where nothing had to be stored to see it."""

    request: int
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class RecordError:
    """Note why the account is not level with its server."""

    request: int
    account_id: AccountId
    text: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Have `TimerFired` come in `after` seconds."""

    timer: Timer
    generation: int
    after: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the timer of this name."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class PublishStatus:
    """Show a status that differs from the last one."""

    status: SyncStatus


@dataclass(frozen=True, slots=True)
class FinishSync:
    """The round somebody waits for is over; `error` says why it fell short."""

    ticket: int
    error: str | None


RemoteEffect: TypeAlias = (
    Push | RunErrand | PullChanges | PullSummary | PullHistory | PullHeads | RefreshToken
)
StoreEffect: TypeAlias = (
    LoadWork
    | CountWork
    | LoadHoles
    | RecordReceipt
    | RecordErrand
    | SetAside
    | RequeueChat
    | ApplyChanges
    | AdvanceCursor
    | ApplySummary
    | FinishOpening
    | ApplyHistory
    | CompareHeads
    | RecordSuccess
    | RecordError
)
Effect: TypeAlias = RemoteEffect | StoreEffect | SetTimer | CancelTimer | PublishStatus | FinishSync
