"""Engines and stores with one promise broken each, to show that the simulator would notice."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.exchange import ChangePage, Verdict, VerdictStatus, Work
from storage.records import ChatId, Cursor, MessageId, SyncState
from sync.engine.flights import Flight
from sync.engine.interface import AppendMessages, Effect, Event, RequestFailed, StoreAnswer, StoreEffect
from sync.engine.machine import Engine
from sync.engine.pushing import Pushing
from sync.errors import SyncError
from tests.simulation.device import EngineMaker
from tests.simulation.faults import Faults
from tests.simulation.memory import MemoryStore
from tests.simulation.port import StorePort
from tests.simulation.world import BATCH, PAGE, make_engine


class CursorToHead(MemoryStore):
    """I11: the cursor jumps to the head of the server instead of the last change applied."""

    def apply(self, page: ChangePage) -> bool:
        applied = super().apply(page)
        self.place = Cursor(page.epoch, page.head)
        return applied


class AckBeforeSend(MemoryStore):
    """I5: what was read for sending counts as sent."""

    def load_work(self, after: int, blocked: frozenset[ChatId], limit: int) -> Work:
        work = super().load_work(after, blocked, limit)
        for message in work.batch.messages if work.batch else ():
            self._set(self.messages[message.chat_id, message.message_id], SyncState.SYNCED, None, None)
        return work


class ClobberPending(MemoryStore):
    """I17: a pull that begins anew throws away what the server does not have."""

    def _begin_anew(self) -> None:
        super()._begin_anew()
        for key in list(self.pending):
            del self.messages[key], self.pending[key]


class ForgetLost(MemoryStore):
    """I12: what a restored server lost is not sent again."""

    def _requeue_lost(self, epoch: str) -> None:
        """Nothing."""


class SwallowPoison(MemoryStore):
    """I28: a message that was set aside looks as if it were on the server."""

    def set_aside(self, chat_id: ChatId, message_ids: Iterable[MessageId], reason: str) -> None:
        for message_id in message_ids:
            self._set(self.messages[chat_id, message_id], SyncState.SYNCED, None, None)


class TrustConflict(MemoryStore):
    """I6: a conflict counts as success."""

    def record_verdicts(self, epoch: str | None, chat_id: ChatId, verdicts: Sequence[Verdict]) -> None:
        inserted = [replace(verdict, status=VerdictStatus.INSERTED) for verdict in verdicts]
        super().record_verdicts(epoch, chat_id, inserted)


class EraseOnFailure(MemoryStore):
    """I19: a login that fails takes the pending messages with it."""

    def perform(self, effect: StoreEffect) -> StoreAnswer:
        if "login" in getattr(effect, "text", ""):
            for key in list(self.pending):
                del self.messages[key], self.pending[key]
        return super().perform(effect)


class NewIdOnRetry(Engine):
    """I5: each try has ids of its own, so a lost answer doubles."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [_renamed(effect) for effect in super().handle(event, now)]


class ReverseBatches(Engine):
    """I8: a batch goes out newest first."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [_reversed(effect) for effect in super().handle(event, now)]


class GoOnAfterFailure(Engine):
    """I8: when a batch fails, the one that was loaded behind it goes out all the same."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        pushing: Any = self._pushing

        def land(flight: Flight) -> None:
            Pushing._land(pushing, flight)
            if flight.messages.rest and flight.ahead is not None:
                pushing._fly(flight.ahead, flight.epoch)

        pushing._land = land


class HearOldAnswers(Engine):
    """I12: answers of a server that was restored meanwhile still count."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        pushing: Any = self._pushing
        pushing.abort = lambda: None


class ImpatientEngine(Engine):
    """I29: no wait after a failure."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        gate: Any = self._gate
        gate._wait = lambda request, error: None


class SetAsideTheWholeBatch(Engine):
    """I28: one poison takes its neighbours with it."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        pushing: Any = self._pushing
        set_aside = Pushing._set_aside
        pushing._set_aside = lambda flight, messages, error: set_aside(
            pushing, flight, flight.messages.rest, error
        )


class LoseThePoll(Engine):
    """I13: without pokes nothing is pulled."""

    def __init__(self, uniform: Callable[[], float], **limits: int) -> None:
        super().__init__(uniform, **limits)
        pulling: Any = self._pulling

        def finish() -> None:
            pulling.catching_up = False

        pulling._finish = finish


class DropFailures(Engine):
    """I5: a failed request is never asked again."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        lost = isinstance(event, RequestFailed) and isinstance(event.error, SyncError)
        return [] if lost else super().handle(event, now)


@dataclass(frozen=True)
class Mutant:
    """A broken part; everything else is as it should be."""

    name: str
    make_store: Callable[[], StorePort] = MemoryStore
    make_engine: EngineMaker = make_engine
    faults: Faults | None = None


def _small(kind: type[Engine]) -> EngineMaker:
    return lambda uniform: kind(uniform, batch_limit=BATCH, page_limit=PAGE)


STORES: tuple[type[MemoryStore], ...] = (
    CursorToHead,
    AckBeforeSend,
    ClobberPending,
    ForgetLost,
    SwallowPoison,
    TrustConflict,
    EraseOnFailure,
)
ENGINES: tuple[type[Engine], ...] = (
    NewIdOnRetry,
    ReverseBatches,
    GoOnAfterFailure,
    ImpatientEngine,
    SetAsideTheWholeBatch,
    LoseThePoll,
    DropFailures,
)
RESTORES = Faults(slow=0.2, restore=0.5, crash=0.2)
"""What it takes to get an answer from before a restore after it."""

MUTANTS = [
    *(Mutant(store.__name__, make_store=store) for store in STORES),
    *(Mutant(engine.__name__, make_engine=_small(engine)) for engine in ENGINES),
    Mutant(HearOldAnswers.__name__, make_engine=_small(HearOldAnswers), faults=RESTORES),
]


def _renamed(effect: Effect) -> Effect:
    if not isinstance(effect, AppendMessages):
        return effect
    first, *others = effect.batch.messages
    renamed = replace(first, message_id=MessageId(f"{first.message_id}-{effect.request}"))
    return replace(effect, batch=replace(effect.batch, messages=(renamed, *others)))


def _reversed(effect: Effect) -> Effect:
    if not isinstance(effect, AppendMessages):
        return effect
    return replace(effect, batch=replace(effect.batch, messages=effect.batch.messages[::-1]))
