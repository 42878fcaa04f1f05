"""A device: a durable store, an engine that lives from start to crash, and a person who types."""

from collections.abc import Callable
from random import Random

from storage.errors import DiskFull, StorageError, UnknownOutcome
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, MessageId
from sync.engine.interface import (
    CancelTimer,
    CountWork,
    Effect,
    Event,
    FinishSync,
    LinkChanged,
    LoadHoles,
    LoadWork,
    LocalCommitted,
    NetworkChanged,
    PublishStatus,
    PullChanges,
    PullHeads,
    PullHistory,
    PullSummary,
    Push,
    RefreshToken,
    RemoteEffect,
    RequestFailed,
    RunErrand,
    SetTimer,
    SignedIn,
    SignedOut,
    StoreEffect,
    StoreFailed,
    SyncRequested,
    Timer,
    TimerFired,
    Woke,
)
from sync.engine.machine import Engine
from sync.errors import Unreachable
from sync.status import Phase, SyncStatus
from tests.simulation.clockwork import Clockwork
from tests.simulation.network import Network
from tests.simulation.port import StorePort

DECADE = 10 * 365 * 86400.0
REMOTE = (Push, PullChanges, PullSummary, PullHistory, PullHeads, RunErrand, RefreshToken)
READS = (LoadWork, CountWork, LoadHoles)
EngineMaker = Callable[[Callable[[], float]], Engine]


class Device:
    """Performs what its engine asks for. All that is not in the store is lost in a crash."""

    def __init__(
        self,
        name: str,
        clockwork: Clockwork,
        random: Random,
        network: Network,
        store: StorePort,
        make: EngineMaker,
    ) -> None:
        self.name = name
        self.store = store
        self.account: AccountId | None = None
        self.committed: dict[tuple[ChatId, MessageId], str] = {}
        self.retried: set[MessageId] = set()
        self.erased: set[tuple[ChatId, MessageId]] = set()
        self.edited: dict[tuple[str, str], object] = {}
        self.corrupted: set[ChatId] = set()
        self.status: SyncStatus | None = None
        self.full = False
        self.timers: dict[Timer, int] = {}
        self.on_status: Callable[[Device, SyncStatus], None] = lambda device, status: None
        self.on_finish: Callable[[Device, int, str | None], None] = lambda device, ticket, error: None
        self.on_trouble: Callable[[Device], None] = lambda device: None
        self._clockwork = clockwork
        self._random = random.random
        self._uniform = random.uniform
        self._pick = random.choice
        self._network = network
        self._make = make
        self._engine: Engine | None = None
        self._life = 0
        self._unanswered: set[tuple[int, int]] = set()
        self._start_of_clock = 0.0
        self._skew = random.uniform(-DECADE, DECADE)

    @property
    def alive(self) -> bool:
        return self._engine is not None

    @property
    def waiting(self) -> bool:
        """Whether a request has neither been answered nor given up."""
        return bool(self._unanswered)

    @property
    def owner(self) -> AccountId:
        """Whose chats a person makes here now."""
        return self.account or LOCAL_ACCOUNT

    @property
    def shown(self) -> tuple[AccountId, ...]:
        return (self.account, LOCAL_ACCOUNT) if self.account else (LOCAL_ACCOUNT,)

    def start(self) -> None:
        if self._engine is None:
            self._life += 1
            self._start_of_clock = self._random() * 1e9
            self.timers.clear()
            self._unanswered.clear()
            self._engine = self._make(self._random)
            self.hear(SignedIn(self.account) if self.account else SignedOut())

    def crash(self) -> None:
        """Everything in flight is lost: answers find nobody, store effects under way happen or not."""
        self._clockwork.note(self.name, "crashes")
        self._engine = None
        self._life += 1
        self.timers.clear()

    def sign(self, account: AccountId | None) -> None:
        self.account = account
        self.hear(SignedIn(account) if account else SignedOut())

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        """The person sends. Only what the store took counts as acknowledged."""
        wall = self._clockwork.now + self._skew
        if self._random() < 0.05:
            self._skew = self._uniform(-DECADE, DECADE)
        self.refuse_when_full()
        self.store.commit(chat_id, message_id, text, wall)
        self.committed[chat_id, message_id] = text

    def refuse_when_full(self) -> None:
        if self.full:
            raise DiskFull("The disk is full; free some space.")

    def written(self) -> None:
        self.hear(LocalCommitted())

    def hear(self, event: Event) -> None:
        if self._engine is None:
            return
        self._clockwork.note(self.name, "hears", event)
        for effect in self._engine.handle(event, self._start_of_clock + self._clockwork.now):
            self._perform(effect)

    def sleep(self, seconds: float) -> None:
        """The monotonic clock of this device jumps ahead; whatever was timed is due."""
        self._start_of_clock += seconds
        for timer, generation in self.timers.items():
            self._clockwork.after(self._random() * 0.05, self._fire, self._life, timer, generation)
        self.hear(Woke(seconds))

    def ask(self, ticket: int) -> None:
        self.hear(SyncRequested(ticket))

    def network_returns(self) -> None:
        self.hear(self._pick((LinkChanged(True), NetworkChanged(True))))

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, REMOTE):
            self._clockwork.note(self.name, "sends", effect)
            self._send(effect)
        elif isinstance(effect, SetTimer):
            self.timers[effect.timer] = effect.generation
            self._clockwork.after(effect.after, self._fire, self._life, effect.timer, effect.generation)
        elif isinstance(effect, CancelTimer):
            self.timers.pop(effect.timer, None)
        elif isinstance(effect, PublishStatus):
            self._show(effect.status)
        elif isinstance(effect, FinishSync):
            self._clockwork.note(self.name, "finishes", effect)
            self.on_finish(self, effect.ticket, effect.error)
        else:
            self._clockwork.after(self._random() * 0.01, self._perform_store, self._life, effect)

    def _show(self, status: SyncStatus) -> None:
        self.status = status
        self._clockwork.note(self.name, "shows", status)
        self.on_status(self, status)
        if status.phase is Phase.NEEDS_SIGN_IN:
            self._clockwork.after(1 + self._random() * 9, self._sign_in_again, self.account)

    def _send(self, effect: RemoteEffect) -> None:
        life, asked = self._life, (self._life, effect.request)
        self._unanswered.add(asked)

        def answer(event: Event) -> None:
            self._unanswered.discard(asked)
            self._deliver(life, event)

        def time_out() -> None:
            if asked in self._unanswered:
                answer(
                    RequestFailed(
                        effect.request, Unreachable("The server did not answer; sync goes on by itself.")
                    )
                )

        self._network.send(effect, answer, time_out)

    def _sign_in_again(self, account: AccountId) -> None:
        showing = self.status is not None and self.status.phase is Phase.NEEDS_SIGN_IN
        if showing and self.account == account:
            self.sign(account)

    def _fire(self, life: int, timer: Timer, generation: int) -> None:
        if life != self._life:
            return
        if self.timers.get(timer) == generation:
            del self.timers[timer]
        elif self._random() >= 0.1:
            return
        self.hear(TimerFired(timer, generation))

    def _deliver(self, life: int, event: Event) -> None:
        if life == self._life:
            self.hear(event)

    def _perform_store(self, life: int, effect: StoreEffect) -> None:
        if life != self._life and self._random() < 0.5:
            return
        event = self._store_answer(effect)
        if self._random() < 0.5:
            self._deliver(life, event)
        else:
            self._clockwork.after(self._random() * 0.01, self._deliver, life, event)

    def _store_answer(self, effect: StoreEffect) -> Event:
        if isinstance(effect, READS):
            return self.store.perform(effect)
        chance = self._network.faults.store_fails
        failing = chance > 0.0 and self._random() < chance
        try:
            self.refuse_when_full()
            if failing and self._random() < 0.5:
                raise DiskFull("The disk is full; free some space.")
            answer = self.store.perform(effect)
            if failing:
                raise UnknownOutcome("The disk failed; sync tries again.")
        except StorageError as error:
            self.on_trouble(self)
            return StoreFailed(effect.request, str(error), full=isinstance(error, DiskFull))
        return answer
