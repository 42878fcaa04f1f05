"""A device: a durable store, an engine that lives from start to crash, and a person who types."""

from collections.abc import Callable
from random import Random

from storage.errors import DiskFull, StorageError, UnknownOutcome
from storage.records import AccountId, ChatId, MessageId, SyncState
from sync.engine.interface import (
    AppendMessages,
    CancelTimer,
    CountWork,
    Effect,
    Event,
    FinishSync,
    LinkChanged,
    LoadWork,
    LocalCommitted,
    NetworkChanged,
    PublishStatus,
    PullChanges,
    RefreshToken,
    RemoteEffect,
    RequestFailed,
    SaveChats,
    SetTimer,
    SignedIn,
    SignedOut,
    StoreEffect,
    StoreFailed,
    Timer,
    TimerFired,
)
from sync.engine.machine import Engine
from sync.errors import Unreachable
from sync.status import Phase, SyncStatus
from tests.simulation.clockwork import Clockwork
from tests.simulation.network import Network
from tests.simulation.port import StorePort

ACCOUNT = AccountId("account-1")
DECADE = 10 * 365 * 86400.0


class Device:
    """Performs what its engine asks for. All that is not in the store is lost in a crash."""

    def __init__(
        self,
        name: str,
        clockwork: Clockwork,
        random: Random,
        network: Network,
        store: StorePort,
        make: "EngineMaker",
    ) -> None:
        self.name = name
        self.store = store
        self.committed: list[tuple[ChatId, MessageId, str]] = []
        self.retried: set[MessageId] = set()
        self.status: SyncStatus | None = None
        self.signed_in = True
        self._clockwork = clockwork
        self._random = random
        self._network = network
        self._make = make
        self._engine: Engine | None = None
        self._life = 0
        self._timers: dict[Timer, int] = {}
        self._unanswered: set[tuple[int, int]] = set()
        self._start_of_clock = 0.0
        self._skew = random.uniform(-DECADE, DECADE)

    @property
    def alive(self) -> bool:
        return self._engine is not None

    def start(self) -> None:
        if self._engine is None:
            self._life += 1
            self._start_of_clock = self._random.random() * 1e9
            self._timers.clear()
            self._unanswered.clear()
            self._engine = self._make(self._random.random)
            self.hear(SignedIn(ACCOUNT) if self.signed_in else SignedOut())

    def crash(self) -> None:
        """Everything in flight is lost: answers find nobody, store effects under way happen or not."""
        self._clockwork.note(f"{self.name} crashes")
        self._engine = None
        self._life += 1

    def sign(self, *, signed_in: bool) -> None:
        self.signed_in = signed_in
        self.hear(SignedIn(ACCOUNT) if signed_in else SignedOut())

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        """The person sends. Only what the store took counts as acknowledged."""
        wall = self._clockwork.now + self._skew
        if self._random.random() < 0.05:
            self._skew = self._random.uniform(-DECADE, DECADE)
        self.store.commit(chat_id, message_id, text, wall)
        self.committed.append((chat_id, message_id, text))

    def retry_rejected(self) -> None:
        for row in self.store.rows():
            if row.state is SyncState.REJECTED:
                self.store.retry(row.chat_id, row.message_id)
                self.retried.add(row.message_id)
        self.hear(LocalCommitted())

    def hear(self, event: Event) -> None:
        if self._engine is None:
            return
        self._clockwork.note(f"{self.name} hears {type(event).__name__} {getattr(event, 'request', '')}")
        for effect in self._engine.handle(event, self._start_of_clock + self._clockwork.now):
            self._perform(effect)

    def heal(self) -> None:
        """Faults are over: the device runs, is signed in and, when told, knows that the network is back."""
        self.start()
        if not self.signed_in:
            self.sign(signed_in=True)

    def network_returns(self) -> None:
        self.hear(self._random.choice((LinkChanged(True), NetworkChanged(True))))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SetTimer(timer, generation, after):
                self._timers[timer] = generation
                self._clockwork.after(after, self._fire, self._life, timer, generation)
            case CancelTimer(timer):
                self._timers.pop(timer, None)
            case PublishStatus(status):
                self.status = status
                self._clockwork.note(f"{self.name} shows {status.phase} {status.pending}")
                if status.phase is Phase.NEEDS_SIGN_IN:
                    self._clockwork.after(1 + self._random.random() * 9, self._sign_in_again)
            case FinishSync():
                pass
            case SaveChats() | AppendMessages() | PullChanges() | RefreshToken():
                self._clockwork.note(f"{self.name} sends {type(effect).__name__} {effect.request}")
                self._send(effect)
            case _:
                self._clockwork.after(self._random.random() * 0.01, self._perform_store, self._life, effect)

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

    def _sign_in_again(self) -> None:
        if self.status is not None and self.status.phase is Phase.NEEDS_SIGN_IN:
            self.sign(signed_in=True)

    def _fire(self, life: int, timer: Timer, generation: int) -> None:
        if life == self._life and (self._timers.get(timer) == generation or self._random.random() < 0.1):
            self.hear(TimerFired(timer, generation))

    def _deliver(self, life: int, event: Event) -> None:
        if life == self._life:
            self.hear(event)

    def _perform_store(self, life: int, effect: StoreEffect) -> None:
        if life != self._life and self._random.random() < 0.5:
            return
        event = self._store_answer(effect)
        self._clockwork.after(self._random.random() * 0.01, self._deliver, life, event)

    def _store_answer(self, effect: StoreEffect) -> Event:
        failing = self._random.random() < self._network.faults.store_fails
        reads = isinstance(effect, LoadWork | CountWork)
        try:
            if failing and not reads and self._random.random() < 0.5:
                raise DiskFull("The disk is full; free some space.")
            answer = self.store.perform(effect)
            if failing and not reads:
                raise UnknownOutcome("The disk failed; sync tries again.")
        except StorageError as error:
            return StoreFailed(effect.request, str(error))
        return answer


EngineMaker = Callable[[Callable[[], float]], Engine]
