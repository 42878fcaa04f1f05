"""An engine on the bench: a test feeds it events by hand and sees what it asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from storage.exchange import Batch, ChangePage, ChatEdit, ChatVerdict, Verdict, VerdictStatus, Work
from storage.records import (
    AccountId,
    ChatId,
    Counts,
    Cursor,
    Message,
    MessageId,
    MessageStatus,
    Role,
    SyncState,
)
from sync.engine.interface import (
    AppendMessages,
    ApplyChanges,
    CancelTimer,
    ChangesApplied,
    ChangesPulled,
    ChatsSaved,
    CountWork,
    Effect,
    Event,
    LoadWork,
    MessagesAppended,
    PublishStatus,
    PullChanges,
    RequestFailed,
    SaveChats,
    SetTimer,
    SignedIn,
    Stored,
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

E = TypeVar("E")


class Bench:
    """Answers store effects by itself, from `work`, and leaves requests and timers to the test."""

    def __init__(self, uniform: float = 1.0, *, batch_limit: int = 500) -> None:
        self.engine = Engine(lambda: uniform, batch_limit=batch_limit)
        self.now = 0.0
        self.work: list[Work] = []
        self.pending = 0
        self.effects: list[Effect] = []
        self.timers: dict[Timer, SetTimer] = {}
        self.status: SyncStatus | None = None
        self.holds_store = False
        self.cursor = Cursor()

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
        return self.hear(ChangesPulled(self.last(PullChanges).request, page(reset=True)))

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def last(self, kind: type[E]) -> E:
        return self.all(kind)[-1]

    def fire(self, timer: Timer) -> list[Effect]:
        effect = self.timers.pop(timer)
        self.now += effect.after
        return self.hear(TimerFired(timer, effect.generation))

    def fail(
        self, kind: type[AppendMessages] | type[PullChanges] | type[SaveChats], error: SyncError
    ) -> list[Effect]:
        return self.hear(RequestFailed(self.last(kind).request, error))

    def accept(self, status: VerdictStatus = VerdictStatus.INSERTED) -> list[Effect]:
        """The server takes the last append as it is."""
        append = self.last(AppendMessages)
        verdicts = tuple(
            Verdict(message.message_id, status, number, None)
            for number, message in enumerate(append.batch.messages, 1)
        )
        return self.hear(MessagesAppended(append.request, verdicts))

    def save(self) -> list[Effect]:
        """The server takes the last edits as they are."""
        saving = self.last(SaveChats)
        return self.hear(
            ChatsSaved(saving.request, tuple(ChatVerdict(edit.chat_id, True, None) for edit in saving.edits))
        )

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
        match effect:
            case _ if self.holds_store:
                return []
            case LoadWork(request):
                work = self.work.pop(0) if self.work else Work((), None, Cursor())
                return [WorkLoaded(request, replace(work, cursor=self.cursor))]
            case CountWork(request):
                return [WorkCounted(request, Counts(self.pending, 0, None), None, None)]
            case PublishStatus() | SetTimer() | CancelTimer():
                return []
            case ApplyChanges(request, _, applied):
                self.cursor = Cursor(applied.epoch, applied.cursor)
                return [ChangesApplied(request, True)]
            case _ if type(effect).__name__.startswith(("Record", "SetAside", "Requeue")):
                return [Stored(_request(effect))]
            case _:
                return []


def page(*, epoch: str = "epoch-1", cursor: int = 0, more: bool = False, reset: bool = False) -> ChangePage:
    return ChangePage(epoch, cursor, cursor, more, reset, ())


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


def batch(orders: Sequence[int], chat: ChatId = CHAT) -> Work:
    return Work((), Batch(chat, tuple(message(order, chat) for order in orders)), Cursor())


def edits(chat: ChatId = CHAT, then: Work | None = None) -> Work:
    return Work((ChatEdit(chat, 1, {"title": "Trip"}),), then.batch if then else None, Cursor())


def _request(effect: Effect) -> int:
    request: int = getattr(effect, "request", 0)
    return request
