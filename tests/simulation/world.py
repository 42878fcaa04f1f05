"""A session: three devices, one server, a drawn script of what people and fate do, then healing and quiet."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from storage.exchange import Batch, VerdictStatus
from storage.records import ChatId, MessageId
from sync.engine.interface import LocalCommitted, MessagesAppended, NetworkChanged, Poked
from sync.engine.machine import Engine
from sync.engine.pulling import POLL_LINKED
from tests.simulation.checks import check_always, check_converged, check_quiescent, difference
from tests.simulation.clockwork import Clockwork
from tests.simulation.device import Device, EngineMaker
from tests.simulation.faults import Faults, draw_faults
from tests.simulation.memory import MemoryStore
from tests.simulation.network import TIMEOUT, Network
from tests.simulation.port import StorePort
from tests.simulation.server import POISON_CALL, POISON_CHAT, POISON_ITEM, ModelServer, Snapshot

ACTIONS = 22
STORM = 90.0
TOLD_DEADLINE = 60.0
UNTOLD_DEADLINE = 400.0
MOST_STEPS = 40_000
BATCH, PAGE = 4, 8


def make_engine(uniform: Callable[[], float]) -> Engine:
    """Small batches and pages, so that a short session pipelines and pages too."""
    return Engine(uniform, batch_limit=BATCH, page_limit=PAGE)


@dataclass
class Session:
    """One seeded run. `run()` raises AssertionError when a promise is broken."""

    seed: int
    make_store: Callable[[], StorePort] = MemoryStore
    make_engine: EngineMaker = make_engine
    keep_trace: bool = False
    faults: Faults | None = None
    numbers: dict[tuple[str, ChatId, MessageId], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self.clockwork = Clockwork(MOST_STEPS, keep_trace=self.keep_trace)
        self.server = ModelServer()
        faults = self.faults or draw_faults(self._random)
        self.network = Network(self.clockwork, self._random, self.server, faults)
        self.network.on_change = self._poke
        self.network.on_appended = self._check_verdicts
        self.devices = [self._device(name) for name in "ABC"]
        self.restored = False
        self.doomed: set[ChatId] = set()
        self._ids = 0
        self._snapshots: list[Snapshot] = []

    def run(self) -> str:
        """The trace hash."""
        try:
            for device in self.devices:
                self.clockwork.after(self._random.random() * 5, device.start)
            for _ in range(ACTIONS):
                self.clockwork.after(self._random.random() * STORM, self._act)
            self.clockwork.run_until(STORM)
            self._heal()
            self._settle()
        finally:
            for device in self.devices:
                device.store.close()
        return self.clockwork.trace_hash

    def _device(self, name: str) -> Device:
        return Device(name, self.clockwork, self._random, self.network, self.make_store(), self.make_engine)

    def _act(self) -> None:
        device = self._random.choice(self.devices)
        if self._random.random() < 0.3:
            check_always(self, device)
        faults = self.network.faults
        fates: list[tuple[float, Callable[[Device], None]]] = [
            (faults.crash, self._crash),
            (faults.restore, self._restore),
            (faults.network_flaps, self._flap),
            (faults.sign_out, self._sign_out),
            (faults.delete_chat, self._delete_chat),
            (faults.same_id, self._same_id),
            (faults.tombstone, self._tombstone),
            (0.15, self._take_snapshot),
            (0.05, self._rename),
            (0.02, lambda device: device.retry_rejected()),
        ]
        for probability, fate in fates:
            if self._random.random() < probability:
                fate(device)
        self._write(device)

    def _write(self, device: Device) -> None:
        chats = device.store.chats()
        if not chats or self._random.random() < 0.15:
            chat_id = ChatId(self._new_id("chat"))
            poisoned = self._random.random() < self.network.faults.poison / 3
            device.store.create_chat(chat_id, POISON_CHAT if poisoned else chat_id)
            self.doomed.update({chat_id} if poisoned else ())
        else:
            chat_id = self._random.choice(chats)
        for _ in range(self._random.choice((1, 1, 1, 2, 4, 9))):
            text = self._new_id("text")
            if self._random.random() < self.network.faults.poison:
                text = self._random.choice((POISON_CALL, POISON_ITEM))
            device.commit(chat_id, MessageId(self._new_id("message")), text)
        device.hear(LocalCommitted())

    def _new_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}-{self._ids}"

    def _crash(self, device: Device) -> None:
        if device.alive:
            device.crash()
            check_always(self, device)
            self.clockwork.after(self._random.random() * 10, device.start)

    def _restore(self, device: Device) -> None:
        if self._snapshots:
            self.clockwork.note("server restored")
            self.restored = True
            self.server.restore(self._random.choice(self._snapshots))
            self._poke()

    def _take_snapshot(self, device: Device) -> None:
        self._snapshots.append(self.server.snapshot())

    def _flap(self, device: Device) -> None:
        device.hear(NetworkChanged(False))
        self.clockwork.after(self._random.random() * 10, device.hear, NetworkChanged(True))

    def _sign_out(self, device: Device) -> None:
        device.sign(signed_in=False)
        self.clockwork.after(self._random.random() * 10, self._sign_in, device)

    def _sign_in(self, device: Device) -> None:
        device.sign(signed_in=True)

    def _delete_chat(self, device: Device) -> None:
        if chats := device.store.chats():
            chat_id = self._random.choice(chats)
            self.doomed.add(chat_id)
            device.store.delete_chat(chat_id)
            device.hear(LocalCommitted())

    def _rename(self, device: Device) -> None:
        if chats := device.store.chats():
            device.store.rename_chat(self._random.choice(chats), self._new_id("title"))
            device.hear(LocalCommitted())

    def _same_id(self, device: Device) -> None:
        """Two devices use one id for different words, as a broken import would."""
        other = self._random.choice(self.devices)
        shared = sorted(set(device.store.chats()) & set(other.store.chats()))
        if shared and other is not device:
            message_id = MessageId(self._new_id("same"))
            for writer, text in ((device, "mine"), (other, "yours")):
                writer.commit(shared[0], message_id, text)
                writer.hear(LocalCommitted())

    def _tombstone(self, device: Device) -> None:
        if rows := sorted(self.server.live()):
            self.server.tombstone(*self._random.choice(rows))
            self._poke()

    def _poke(self) -> None:
        for device in self.devices:
            if self._random.random() >= self.network.faults.lose_poke:
                self.clockwork.after(self._random.random() * 0.3, device.hear, Poked())

    def _check_verdicts(self, batch: Batch, answer: MessagesAppended) -> None:
        """I7 and I9, at the moment the server speaks."""
        assert [v.message_id for v in answer.verdicts] == [m.message_id for m in batch.messages]
        for verdict in answer.verdicts:
            if verdict.status in (VerdictStatus.INSERTED, VerdictStatus.DUPLICATE):
                assert verdict.sequence_num is not None
                key = (self.server.epoch, batch.chat_id, verdict.message_id)
                assert self.numbers.setdefault(key, verdict.sequence_num) == verdict.sequence_num

    def _heal(self) -> None:
        self.clockwork.note("heal")
        lost_pokes = self.network.faults.lose_poke
        self.network.faults = Faults(lose_poke=lost_pokes)
        told = self._random.random() < 0.7
        for device in self.devices:
            device.heal()
        # What was under way may still fail; only then nothing goes wrong any more.
        self.clockwork.run_until(self.clockwork.now + TIMEOUT)
        for device in self.devices if told else ():
            device.network_returns()
        latency = POLL_LINKED if lost_pokes else 0.0
        self._deadline = self.clockwork.now + latency + (TOLD_DEADLINE if told else UNTOLD_DEADLINE)

    def _settle(self) -> None:
        while self.clockwork.now < self._deadline and difference(self):
            self.clockwork.run_until(self.clockwork.now + 5)
        check_converged(self)
        self.clockwork.run_until(self.clockwork.now + 20)
        check_converged(self)
        check_quiescent(self)
