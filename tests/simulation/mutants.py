"""Engines and stores with one promise broken each, to show that the simulator would notice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.exchange import (
    ChangePage,
    Head,
    HistoryPage,
    Parcel,
    ParcelWork,
    Receipt,
    Span,
    Verdict,
    VerdictStatus,
)
from storage.records import AccountId, ChatId, Cursor, MessageId, SyncState
from sync.engine.interface import (
    AdvanceCursor,
    Effect,
    Event,
    Push,
    Pushed,
    RecordReceipt,
    RequestFailed,
    SetTimer,
    SignedIn,
    StoreAnswer,
    StoreEffect,
    Timer,
)
from sync.engine.machine import Engine
from tests.simulation.device import EngineMaker
from tests.simulation.faults import Faults
from tests.simulation.memory import MemoryStore
from tests.simulation.port import StorePort
from tests.simulation.rows import LocalChat, Side
from tests.simulation.script import Kind
from tests.simulation.world import BATCH, PAGE, make_engine


class CursorToHead(MemoryStore):
    """I11: the cursor jumps to the head of the server instead of the last change applied."""

    def apply(self, account: AccountId, page: ChangePage) -> bool:
        applied = MemoryStore.apply(self, account, page)
        self.side(account).cursor = Cursor(page.epoch, page.head)
        return applied


class ForgetHoles(MemoryStore):
    """I10: a new device goes on from the head and forgets what it has not read yet."""

    def opened(self, account: AccountId, cursor: Cursor | None) -> None:
        MemoryStore.opened(self, account, cursor)
        for chat in self.held.values():
            chat.last = len(chat.held)


class AckBeforeSend(MemoryStore):
    """I5: what was read for sending counts as sent."""

    def load_work(
        self, account: AccountId, after: Mapping[ChatId, int], blocked: frozenset[str], limit: int
    ) -> ParcelWork:
        work = MemoryStore.load_work(self, account, after, blocked, limit)
        for batch in work.parcel.batches:
            for message in batch.messages:
                self.held[batch.chat_id].messages[message.message_id].state = SyncState.SYNCED
                self.pending.pop((batch.chat_id, message.message_id), None)
        return work


class ClobberPending(MemoryStore):
    """I17: a pull that begins anew throws away what the server does not have."""

    def _begin(self, account: AccountId, side: Side) -> None:
        MemoryStore._begin(self, account, side)
        for chat_id, message_id in list(self.pending):
            del self.held[chat_id].messages[message_id], self.pending[chat_id, message_id]


class EmptyReplace(MemoryStore):
    """I26: an answer that begins anew replaces what is held, however little it holds."""

    def _begin(self, account: AccountId, side: Side) -> None:
        MemoryStore._begin(self, account, side)
        for chat in self.held.values():
            for message_id in [each.message_id for each in chat.messages.values() if each.number]:
                del chat.messages[message_id]


class ForgetLost(MemoryStore):
    """I12: what a restored server lost is not sent again."""

    def _requeue_old(self, chat: LocalChat, side: Side) -> None:
        """Nothing."""


class SwallowPoison(MemoryStore):
    """I28: a message that the server refused looks as if it were there."""

    def _record(self, side: Side, chat: LocalChat, verdict: Verdict) -> None:
        if verdict.status is VerdictStatus.REJECTED:
            chat.messages[verdict.message_id].state = SyncState.SYNCED
            self.pending.pop((chat.messages[verdict.message_id].chat_id, verdict.message_id), None)
        else:
            MemoryStore._record(self, side, chat, verdict)


class BlameTheNeighbours(MemoryStore):
    """I28: one poison takes its neighbours with it."""

    def record_receipt(self, account: AccountId, epoch: str, parcel: Parcel, receipt: Receipt) -> None:
        MemoryStore.record_receipt(self, account, epoch, parcel, receipt)
        for answer in receipt.batches:
            if any(verdict.status is VerdictStatus.REJECTED for verdict in answer.verdicts):
                for local in self.held[answer.chat_id].messages.values():
                    if local.state is SyncState.PENDING:
                        self._reject(local, "One of its neighbours was refused.")


class TrustConflict(MemoryStore):
    """I6: a conflict counts as success."""

    def _record(self, side: Side, chat: LocalChat, verdict: Verdict) -> None:
        if verdict.status is VerdictStatus.CONFLICT:
            verdict = replace(verdict, status=VerdictStatus.INSERTED)
        MemoryStore._record(self, side, chat, verdict)


class EraseOnFailure(MemoryStore):
    """I19: a login that fails takes the pending messages with it, as a wiped session would."""

    def perform(self, effect: StoreEffect) -> StoreAnswer:
        if "login" in getattr(effect, "text", ""):
            for chat_id, message_id in list(self.pending):
                del self.held[chat_id].messages[message_id], self.pending[chat_id, message_id]
        return MemoryStore.perform(self, effect)


class SpanOverOthers(MemoryStore):
    """I10: the cursor passes what other devices changed between our last pull and our push."""

    def advance(self, account: AccountId, span: Span) -> bool:
        self.side(account).cursor = Cursor(span.epoch, span.head)
        return True


class HoleWithoutRows(MemoryStore):
    """I10: what was asked for counts as held, whatever came."""

    def apply_history(self, account: AccountId, page: HistoryPage) -> bool:
        for hole in page.covered:
            for number in range(hole.first, hole.last + 1):
                self.held[hole.chat_id].held.setdefault(number, MessageId(""))
        return True


class AdoptAnew(MemoryStore):
    """I22: adopted messages get new ids."""

    def adopt(self, account: AccountId, chat_ids: Sequence[ChatId] | None) -> None:
        MemoryStore.adopt(self, account, chat_ids)
        for chat_id, message_id in list(self.pending):
            chat = self.held[chat_id]
            if chat.row.generation is None and chat.owner == account:
                local = chat.messages.pop(message_id)
                local.message_id = MessageId(f"adopted-{message_id}")
                chat.messages[local.message_id] = local
                self.pending[chat_id, local.message_id] = self.pending.pop((chat_id, message_id))


class LearnsNothing(MemoryStore):
    """Takes the store of an earlier version for one that knows all kinds."""

    def forget_kinds(self, account: AccountId) -> None:
        MemoryStore.forget_kinds(self, account)
        self.side(account).opened = True


class NeverSuspect(MemoryStore):
    """I14: what the disk lost without a word is never noticed."""

    def compare(self, account: AccountId, heads: Iterable[Head]) -> int:
        return 0


class DeletedStays(MemoryStore):
    """I10: a tombstone of what is held is passed over."""

    def _take_all(self, account: AccountId, side: Side, changes: Iterable[Any]) -> None:
        kept = [each for each in changes if not getattr(each, "sequence_num", 0) or not each.deleted]
        MemoryStore._take_all(self, account, side, kept)


class ClobberEdit(MemoryStore):
    """A pull takes away what was edited here and not confirmed."""

    def apply(self, account: AccountId, page: ChangePage) -> bool:
        for chat in self.held.values():
            if chat.owner == account and chat.row.generation is not None:
                chat.row.marked.clear()
        return MemoryStore.apply(self, account, page)


class NewIdOnRetry(Engine):
    """I5: each try has ids of its own, so a lost answer doubles."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [_with_messages(effect, _renamed) for effect in super().handle(event, now)]


class ReverseBatches(Engine):
    """I8: messages go out newest first."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [
            _with_messages(effect, lambda messages, _: messages[::-1])
            for effect in super().handle(event, now)
        ]


class SpanBeforeReceipt(Engine):
    """I10: the cursor moves before what it moves over is durable."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects = super().handle(event, now)
        early: list[Effect] = [
            AdvanceCursor(-effect.request, effect.account_id, effect.receipt.span)
            for effect in effects
            if isinstance(effect, RecordReceipt) and effect.receipt.span is not None
        ]
        return early + effects


class EagerSpans(Engine):
    """I10: every push moves the cursor, wherever it stands."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        spans: Any = self._rooms.spans
        spans.next = lambda cursor: next((span for span in spans._spans if span.head > cursor.change), None)


class WrongToken(Engine):
    """I21: what was read of one account goes out with the login of the next."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        self._before: Push | None = None

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects = super().handle(event, now)
        last, again = self._before, []
        if isinstance(event, SignedIn) and last is not None and last.account_id != event.account_id:
            again = [replace(last, account_id=event.account_id)]
        for effect in effects:
            self._before = effect if isinstance(effect, Push) else self._before
        return effects + again


class ImpatientEngine(Engine):
    """I29: no wait after a failure."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [
            replace(effect, after=0.0)
            if isinstance(effect, SetTimer) and effect.timer is Timer.RETRY
            else effect
            for effect in super().handle(event, now)
        ]


class LoseThePoll(Engine):
    """I13: without pokes nothing is pulled."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects = super().handle(event, now)
        return [each for each in effects if not (isinstance(each, SetTimer) and each.timer is Timer.POLL)]


class DropFailures(Engine):
    """I5: a failed request is never asked again."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [] if isinstance(event, RequestFailed) else super().handle(event, now)


class ForgetReceipts(Engine):
    """I29: what the server said is never stored, so that everything is sent again and again."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [] if isinstance(event, Pushed) else super().handle(event, now)


@dataclass(frozen=True)
class Mutant:
    """A broken part; everything else is as it should be. With `kind`, only scripts with such an act can show it."""

    name: str
    make_store: Callable[[], StorePort] = MemoryStore
    make_engine: EngineMaker = make_engine
    kind: Kind | None = None
    faults: Faults | None = None


def _store(kind: type[MemoryStore], needs: Kind | None = None, faults: Faults | None = None) -> Mutant:
    return Mutant(kind.__name__, make_store=kind, kind=needs, faults=faults)


def _limited(kind: type[Engine]) -> EngineMaker:
    return lambda uniform: kind(uniform, batch_limit=BATCH, page_limit=PAGE)


def _engine(kind: type[Engine], needs: Kind | None = None, faults: Faults | None = None) -> Mutant:
    return Mutant(kind.__name__, make_engine=_limited(kind), kind=needs, faults=faults)


MUTANTS = [
    _store(CursorToHead),
    _store(ForgetHoles),
    _store(AckBeforeSend, Kind.CRASH),
    _store(ClobberPending, Kind.RESTORE),
    _store(EmptyReplace, Kind.RESTORE),
    _store(ForgetLost, Kind.RESTORE),
    _store(SwallowPoison, faults=Faults(poison=0.4)),
    _store(BlameTheNeighbours, faults=Faults(poison=0.4)),
    _store(TrustConflict, Kind.SAME_ID),
    _store(EraseOnFailure, faults=Faults(unauthorised=0.4)),
    _store(HoleWithoutRows),
    _store(AdoptAnew, Kind.ADOPT),
    _store(NeverSuspect, Kind.CORRUPT),
    _store(DeletedStays, Kind.TOMBSTONE),
    _store(LearnsNothing, Kind.EARLIER),
    _store(ClobberEdit, Kind.RENAME, Faults(drop_request=0.5)),
    _engine(NewIdOnRetry),
    _engine(ReverseBatches),
    Mutant(SpanOverOthers.__name__, SpanOverOthers, _limited(EagerSpans), Kind.FOREIGN),
    _engine(SpanBeforeReceipt, Kind.CRASH, Faults(store_fails=0.4)),
    _engine(WrongToken, Kind.SWITCH),
    _engine(ImpatientEngine, faults=Faults(busy=0.9)),
    _engine(LoseThePoll),
    _engine(DropFailures),
    _engine(ForgetReceipts),
]


def _with_messages(effect: Effect, change: Callable[[tuple[Any, ...], int], tuple[Any, ...]]) -> Effect:
    if not isinstance(effect, Push):
        return effect
    batches = tuple(
        replace(batch, messages=change(batch.messages, effect.request)) for batch in effect.parcel.batches
    )
    return replace(effect, parcel=replace(effect.parcel, batches=batches))


def _renamed(messages: tuple[Any, ...], request: int) -> tuple[Any, ...]:
    first, *others = messages
    return (replace(first, message_id=MessageId(f"{first.message_id}-{request}")), *others)
