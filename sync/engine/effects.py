"""What the engine asks for: imperatives, each answered by an event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from storage.exchange import ChangePage, Errand, ErrandVerdict, Head, HistoryPage, Parcel, Receipt, Span
from storage.records import AccountId, ChatId, Cursor, Hole, MessageId
from sync.engine.timers import Timer
from sync.status import SyncStatus


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

    `after`: the place in this device's order behind which a chat goes on, for chats that are on the wire. `resting`: the
    errands that wait for their next try.
    """

    request: int
    account_id: AccountId
    after: Mapping[ChatId, int]
    blocked: frozenset[str]
    limit: int
    resting: frozenset[int] = frozenset()


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
