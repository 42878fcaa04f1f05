"""The words of the engine: events are past facts that it hears, effects are imperatives that it answers with.

A request number ties an answer to its effect. Numbers are never reused, so the engine recognises an answer that
nobody waits for any more (a sign-out, a server restore, a doubled delivery) and ignores it.
"""

from collections.abc import Sequence
from typing import Protocol

from storage.exchange import ChangePage, Errand, ErrandVerdict, Head, HistoryPage, Parcel, Receipt
from storage.records import ChatId, Cursor, Hole
from sync.engine.effects import (
    AdvanceCursor,
    ApplyChanges,
    ApplyHistory,
    ApplySummary,
    CancelTimer,
    CompareHeads,
    CountWork,
    Effect,
    FinishOpening,
    FinishSync,
    LoadHoles,
    LoadWork,
    PublishStatus,
    PullChanges,
    PullHeads,
    PullHistory,
    PullSummary,
    Push,
    RecordErrand,
    RecordError,
    RecordReceipt,
    RecordSuccess,
    RefreshToken,
    RemoteEffect,
    RequeueChat,
    RunErrand,
    SetAside,
    SetTimer,
    StoreEffect,
)
from sync.engine.events import (
    ChangesApplied,
    ChangesPulled,
    ErrandRun,
    Event,
    HeadsCompared,
    HeadsPulled,
    HistoryApplied,
    HistoryPulled,
    HistoryWanted,
    HolesLoaded,
    LinkChanged,
    LocalCommitted,
    NetworkChanged,
    Poked,
    Pushed,
    RequestFailed,
    ServerAnswer,
    SignedIn,
    SignedOut,
    StoreAnswer,
    Stored,
    StoreFailed,
    SummaryPulled,
    SyncRequested,
    TimerFired,
    TokenRefreshed,
    Woke,
    WorkCounted,
    WorkLoaded,
)
from sync.engine.timers import Timer

__all__ = [
    "AdvanceCursor",
    "ApplyChanges",
    "ApplyHistory",
    "ApplySummary",
    "CancelTimer",
    "ChangesApplied",
    "ChangesPulled",
    "CompareHeads",
    "CountWork",
    "Effect",
    "ErrandRun",
    "Event",
    "FinishOpening",
    "FinishSync",
    "HeadsCompared",
    "HeadsPulled",
    "HistoryApplied",
    "HistoryPulled",
    "HistoryWanted",
    "HolesLoaded",
    "LinkChanged",
    "LoadHoles",
    "LoadWork",
    "LocalCommitted",
    "NetworkChanged",
    "Poked",
    "PublishStatus",
    "PullChanges",
    "PullHeads",
    "PullHistory",
    "PullSummary",
    "Push",
    "Pushed",
    "RecordErrand",
    "RecordError",
    "RecordReceipt",
    "RecordSuccess",
    "RefreshToken",
    "Remote",
    "RemoteEffect",
    "RequestFailed",
    "RequeueChat",
    "RunErrand",
    "ServerAnswer",
    "SetAside",
    "SetTimer",
    "SignedIn",
    "SignedOut",
    "StoreAnswer",
    "StoreEffect",
    "StoreFailed",
    "Stored",
    "SummaryPulled",
    "SyncRequested",
    "Timer",
    "TimerFired",
    "TokenRefreshed",
    "Woke",
    "WorkCounted",
    "WorkLoaded",
]


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
