"""A session: a few devices, one or two accounts, a script of what people and fate do, then healing and quiet."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from storage.exchange import Receipt, VerdictStatus
from storage.records import AccountId, ChatId, MessageId
from sync.engine.interface import Poked, Push, RefreshToken, RemoteEffect, RunErrand
from sync.engine.machine import Engine
from sync.engine.pulling import POLL_LINKED
from sync.status import SyncStatus
from tests.simulation import checks
from tests.simulation.clockwork import Clockwork
from tests.simulation.device import Device, EngineMaker
from tests.simulation.faults import Faults
from tests.simulation.memory import MemoryStore
from tests.simulation.network import SLOWEST, TIMEOUT, Network
from tests.simulation.people import People
from tests.simulation.port import StorePort
from tests.simulation.script import Act, Script
from tests.simulation.server import ModelServer, State

ACCOUNTS = (AccountId("account-1"), AccountId("account-2"))
TOLD_DEADLINE = 60.0
UNTOLD_DEADLINE = 400.0
LONG_SLEEP = 2 * 86400.0
"""Seconds after which a device compares its heads as soon as it wakes."""

MOST_STEPS = 8_000
STEPS_PER_ACT = 1_500
BATCH, PAGE, FAR = 4, 8, 6


def make_engine(uniform: Callable[[], float]) -> Engine:
    """Small batches, pages and absences, so that a short session pipelines, pages and is long away too."""
    return Engine(uniform, batch_limit=BATCH, page_limit=PAGE, far=FAR)


@dataclass
class Session:
    """One run of a script. `run()` raises AssertionError when a promise is broken."""

    script: Script
    make_store: Callable[[], StorePort] = MemoryStore
    make_engine: EngineMaker = make_engine
    owners: dict[str, AccountId] = field(default_factory=dict)
    doomed: set[ChatId] = field(default_factory=set)
    erased: set[tuple[ChatId, MessageId]] = field(default_factory=set)
    restored: set[AccountId] = field(default_factory=set)
    backups: list[tuple[AccountId, State]] = field(default_factory=list)
    numbers: dict[tuple[str, ChatId, MessageId], int] = field(default_factory=dict)
    rounds: dict[tuple[str, int], checks.Round] = field(default_factory=dict)

    def __post_init__(self) -> None:
        script = self.script
        self._random = Random(script.seed + 1)
        self.clockwork = Clockwork(MOST_STEPS)
        self.servers = {
            account: ModelServer(
                f"{account}-", most_messages=script.most_messages, most_rows=script.most_rows
            )
            for account in ACCOUNTS[: script.accounts]
        }
        for server in self.servers.values():
            server.modern = script.modern
        self.network = Network(self.clockwork, self._random, self.servers, script.faults)
        self.network.on_change = self.poke
        self.network.on_sent = self._check_partition
        self.network.on_pushed = self._check_receipt
        self.devices = [self._device(name) for name in "ABCDEF"[: len(script.starts)]]
        self._people = People(self)
        self.network.on_trickle = self._people.trickle
        self._lose_poke = script.faults.lose_poke

    @property
    def trace_hash(self) -> str:
        return self.clockwork.trace_hash

    def run(self) -> "Session":
        """Everything that the script says, and then quiet."""
        for act in self.script.acts:
            self.clockwork.after(act.at, self.perform, act)
        try:
            self.begin()
            self.clockwork.run_until(self.script.storm)
            self.end()
        finally:
            self.close()
        return self

    def begin(self) -> None:
        """Have the devices start."""
        for device, at in zip(self.devices, self.script.starts, strict=True):
            self.clockwork.after(at, device.start)

    def perform(self, act: Act) -> None:
        """Have somebody do something now."""
        self.clockwork.most_steps += STEPS_PER_ACT
        self._people.act(act)

    def end(self) -> None:
        """Heal, wait until all is level and see that it is right."""
        self._heal()
        for account in self.servers:
            self._settle(account)

    def close(self) -> None:
        """The stores are used no more."""
        for device in self.devices:
            device.store.close()

    def look(self, device: Device) -> None:
        """What holds at any moment."""
        checks.check_always(self, device)

    def expect(self, device: Device, ticket: int) -> None:
        """Somebody waits for a round: note what it has to bring about."""
        if device.account is not None:
            self.rounds[device.name, ticket] = checks.Round(self, device)

    def poke(self, account: AccountId) -> None:
        head = self.servers[account].head
        for device in self.devices:
            if device.account == account and (
                not self._lose_poke or self._random.random() >= self._lose_poke
            ):
                news = Poked(head) if self._random.random() < 0.5 else Poked()
                self.clockwork.after(self._random.random() * 0.3, device.hear, news)

    def _device(self, name: str) -> Device:
        device = Device(name, self.clockwork, self._random, self.network, self.make_store(), self.make_engine)
        device.account = next(iter(self.servers))
        device.on_status = self._check_status
        device.on_finish = self._check_round
        device.on_trouble = self.look
        return device

    def _check_partition(self, effect: RemoteEffect) -> None:
        """I21: nothing of one account travels with the token of another."""
        subjects: list[str] = []
        if isinstance(effect, Push):
            subjects += [edit.chat_id for edit in effect.parcel.edits]
            subjects += [batch.chat_id for batch in effect.parcel.batches]
            subjects += [edit.project_id for edit in effect.parcel.projects]
        elif isinstance(effect, RunErrand):
            subjects.append(effect.errand.subject)
        elif isinstance(effect, RefreshToken):
            return
        for subject in subjects:
            owner = self.owners.get(subject, effect.account_id)
            assert owner == effect.account_id, f"I21: {subject} of {owner} travels with {effect.account_id}"

    def _check_receipt(self, effect: Push, receipt: Receipt) -> None:
        """I7 and I9, at the moment the server speaks."""
        epoch = self.servers[effect.account_id].epoch
        for batch, answer in zip(effect.parcel.batches, receipt.batches, strict=True):
            if answer.fault is not None:
                continue
            assert [v.message_id for v in answer.verdicts] == [m.message_id for m in batch.messages]
            for verdict in answer.verdicts:
                if verdict.status in (VerdictStatus.INSERTED, VerdictStatus.DUPLICATE):
                    assert verdict.sequence_num is not None
                    key = (epoch, batch.chat_id, verdict.message_id)
                    assert self.numbers.setdefault(key, verdict.sequence_num) == verdict.sequence_num

    def _check_status(self, device: Device, status: SyncStatus) -> None:
        checks.check_status(self, device, status)

    def _check_round(self, device: Device, ticket: int, error: str | None) -> None:
        expected = self.rounds.pop((device.name, ticket), None)
        if expected is not None and error is None:
            expected.check(device)

    def _heal(self) -> None:
        self.clockwork.note("world", "heals")
        checks.check_patience(self)
        self.network.faults = Faults()
        for device in self.devices:
            device.full = False
            device.start()
        # What was under way may still fail or arrive; only then nothing goes wrong any more.
        self.clockwork.run_until(self.clockwork.now + (SLOWEST if self.script.faults.slow else TIMEOUT))

    def _compare_heads(self) -> None:
        """Again and again, as hours pass: a chat that goes on during a comparison has to wait for the next one."""
        for device in self.devices:
            if device.corrupted:
                device.sleep(LONG_SLEEP)

    def _settle(self, account: AccountId) -> None:
        told = self._random.random() < 0.8
        for device in self.devices:
            if device.account != account:
                device.sign(account)
            if told:
                device.network_returns()
                self._people.ask_for_round(device)
        latency = POLL_LINKED if self._lose_poke else 0.0
        deadline = self.clockwork.now + latency + (TOLD_DEADLINE if told else UNTOLD_DEADLINE)
        while self.clockwork.now < deadline and checks.difference(self, account):
            self._compare_heads()
            self.clockwork.run_until(self.clockwork.now + 5)
        checks.check_converged(self, account)
        before = self.network.requests
        self.clockwork.run_until(self.clockwork.now + checks.IDLE)
        checks.check_converged(self, account)
        checks.check_quiescent(self, account, self.network.requests - before)
