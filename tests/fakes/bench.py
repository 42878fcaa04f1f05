"""An engine on the bench: a test feeds it events by hand and sees what it asks for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from storage.exchange import (
    Batch,
    BatchFault,
    BatchVerdict,
    ChangePage,
    ChatEdit,
    ChatVerdict,
    Errand,
    HistoryPage,
    Parcel,
    ParcelWork,
    ProjectVerdict,
    Receipt,
    Span,
    Verdict,
    VerdictStatus,
)
from storage.records import (
    AccountId,
    ChatId,
    Counts,
    Cursor,
    Hole,
    Message,
    MessageId,
    MessageStatus,
    Role,
    SyncState,
)
from sync.engine.interface import (
    AdvanceCursor,
    ApplyChanges,
    ApplyHistory,
    CancelTimer,
    ChangesApplied,
    ChangesPulled,
    CompareHeads,
    CountWork,
    Effect,
    Event,
    FinishOpening,
    FinishSync,
    HeadsCompared,
    HistoryApplied,
    HistoryPulled,
    HolesLoaded,
    LoadHoles,
    LoadWork,
    PublishStatus,
    PullChanges,
    PullHeads,
    PullHistory,
    PullSummary,
    Push,
    Pushed,
    RefreshToken,
    RemoteEffect,
    RequestFailed,
    RunErrand,
    SetTimer,
    SignedIn,
    Stored,
    StoreEffect,
    SummaryPulled,
    Timer,
    TimerFired,
    WorkCounted,
    WorkLoaded,
)
from sync.engine.machine import Engine
from sync.errors import SyncError
from sync.status import Phase, SyncStatus

ACCOUNT = AccountId("account")
CHAT = ChatId("chat")
EPOCH = "epoch-1"
NOTHING = Parcel((), (), ())

E = TypeVar("E")


class Bench:
    """Answers store effects by itself, from `work` and `holes`, and leaves requests and timers to the test."""

    def __init__(self, uniform: float = 1.0, *, batch_limit: int = 1_000) -> None:
        self.engine = Engine(lambda: uniform, batch_limit=batch_limit)
        self.now = 0.0
        self.work: list[ParcelWork] = []
        self.holes: list[tuple[tuple[Hole, ...], ...]] = []
        self.pending = 0
        self.effects: list[Effect] = []
        self.timers: dict[Timer, SetTimer] = {}
        self.status: SyncStatus | None = None
        self.holds_store = False
        self.cursor = Cursor(EPOCH, 0)
        self.opened = True
        self.owes_opening = False

    def hear(self, event: Event) -> list[Effect]:
        """Every effect that follows, those after answered store effects included."""
        start = len(self.effects)
        queue = [event]
        while queue:
            for effect in self.engine.handle(queue.pop(0), self.now):
                self.effects.append(effect)
                self._note(effect)
                queue += self._answers(effect)
        return self.effects[start:]

    def online(self) -> list[Effect]:
        """Sign in and answer the first pull."""
        self.hear(SignedIn(ACCOUNT))
        return self.pull()

    def pull(self, page: ChangePage | None = None) -> list[Effect]:
        """The server answers the last pull, by itself with nothing new."""
        asked = self.last(PullChanges)
        nothing = ChangePage(EPOCH, asked.cursor.change, asked.cursor.change, False, False, ())
        return self.hear(ChangesPulled(asked.request, page or nothing))

    def summarise(self, page: ChangePage) -> list[Effect]:
        """The server answers the last request for a summary."""
        return self.hear(SummaryPulled(self.last(PullSummary).request, page))

    def fill(self, covered: Iterable[Hole] | None = None) -> list[Effect]:
        """The server answers for all holes of the last request, or for some."""
        asked = self.last(PullHistory)
        page = HistoryPage(EPOCH, (), asked.holes if covered is None else tuple(covered))
        return self.hear(HistoryPulled(asked.request, page))

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def last(self, kind: type[E]) -> E:
        return self.all(kind)[-1]

    def fire(self, timer: Timer) -> list[Effect]:
        effect = self.timers.pop(timer)
        self.now += effect.after
        return self.hear(TimerFired(timer, effect.generation))

    def fail(
        self,
        kind: "type[Push | RunErrand | PullChanges | PullSummary | PullHistory | PullHeads | RefreshToken]",
        error: SyncError,
    ) -> list[Effect]:
        requests = [effect.request for effect in self.effects if isinstance(effect, kind)]
        return self.hear(RequestFailed(requests[-1], error))

    def take(
        self, status: VerdictStatus = VerdictStatus.INSERTED, *, span: Span | None = None
    ) -> list[Effect]:
        """The server takes the last parcel as it is."""
        push = self.last(Push)
        return self.hear(Pushed(push.request, receipt(push.parcel, status, span=span)))

    def blame(self, fault: BatchFault) -> list[Effect]:
        """The server takes the edits of the last parcel, and none of its messages."""
        push = self.last(Push)
        taken = receipt(push.parcel, VerdictStatus.INSERTED)
        faults = tuple(BatchVerdict(batch.chat_id, fault, ()) for batch in push.parcel.batches)
        return self.hear(Pushed(push.request, replace(taken, batches=faults)))

    def sent(self) -> list[int]:
        """The messages of the last push, by their order."""
        return [m.local_order for batch in self.last(Push).parcel.batches for m in batch.messages]

    def shows(self, phase: Phase) -> bool:
        return self.status is not None and self.status.phase is phase

    def _note(self, effect: Effect) -> None:
        match effect:
            case SetTimer():
                self.timers[effect.timer] = effect
            case CancelTimer(timer):
                self.timers.pop(timer, None)
            case PublishStatus(status):
                self.status = status
            case _:
                pass

    def _answers(self, effect: Effect) -> list[Event]:
        if isinstance(effect, SetTimer | CancelTimer | PublishStatus | FinishSync | RemoteEffect):
            return []
        return [] if self.holds_store else [self._store(effect)]

    def _store(self, effect: StoreEffect) -> Event:
        match effect:
            case LoadWork(request):
                work = self.work.pop(0) if self.work else parcel_work(NOTHING)
                return WorkLoaded(request, replace(work, cursor=self.cursor, opened=self.opened))
            case CountWork(request):
                return WorkCounted(request, Counts(self.pending, 0, None), None, None)
            case LoadHoles(request):
                return HolesLoaded(request, self.holes.pop(0) if self.holes else ())
            case ApplyChanges(request, _, page):
                self.cursor = Cursor(page.epoch, page.cursor)
                return ChangesApplied(request, True)
            case AdvanceCursor(request, _, span):
                self.cursor = Cursor(span.epoch, span.head)
                return ChangesApplied(request, True)
            case ApplyHistory(request):
                return HistoryApplied(request, True)
            case CompareHeads(request):
                return HeadsCompared(request, 0)
            case FinishOpening(request, _, cursor):
                self.cursor, self.opened = cursor or self.cursor, not self.owes_opening
                self.owes_opening = False
                return Stored(request)
            case _:
                return Stored(effect.request)


def page(
    *, epoch: str = EPOCH, cursor: int = 0, head: int | None = None, more: bool = False, reset: bool = False
) -> ChangePage:
    return ChangePage(epoch, cursor, cursor if head is None else head, more, reset, ())


def message(order: int, chat: ChatId = CHAT) -> Message:
    return Message(
        chat,
        MessageId(f"m{order}"),
        None,
        Role.USER,
        ({"type": "text", "text": f"words {order}"},),
        None,
        None,
        MessageStatus.COMPLETE,
        SyncState.PENDING,
        None,
        "2026-01-01T00:00:00Z",
        order,
    )


def batch(orders: Sequence[int], chat: ChatId = CHAT) -> Batch:
    return Batch(chat, tuple(message(order, chat) for order in orders))


def edit(chat: ChatId = CHAT, revision: int = 1) -> ChatEdit:
    return ChatEdit(chat, revision, {"title": "Trip"})


def parcel_work(parcel: Parcel, errand: Errand | None = None) -> ParcelWork:
    return ParcelWork(parcel, errand, Cursor(), opened=True)


def said(*orders: int, chat: ChatId = CHAT) -> ParcelWork:
    """Messages of one chat are to push."""
    return parcel_work(Parcel((), (), (batch(orders, chat),)))


def work(*batches: Batch, edits: Sequence[ChatEdit] = ()) -> ParcelWork:
    """Messages of several chats are to push, and chats before them."""
    return parcel_work(Parcel((), tuple(edits), batches))


def receipt(
    parcel: Parcel, status: VerdictStatus = VerdictStatus.INSERTED, *, span: Span | None = None
) -> Receipt:
    """The server takes everything."""
    return Receipt(
        tuple(ProjectVerdict(edit.project_id, True, None) for edit in parcel.projects),
        tuple(ChatVerdict(edit.chat_id, True, None) for edit in parcel.edits),
        tuple(
            BatchVerdict(
                batch.chat_id,
                None,
                tuple(Verdict(each.message_id, status, each.local_order, None) for each in batch.messages),
            )
            for batch in parcel.batches
        ),
        (),
        span,
    )
