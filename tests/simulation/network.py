"""The wire between devices and the server: it drops, doubles, delays and reorders, in both directions."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from sync.engine.interface import (
    AppendMessages,
    ChangesPulled,
    ChatsSaved,
    Event,
    MessagesAppended,
    PullChanges,
    RefreshToken,
    RemoteEffect,
    RequestFailed,
    SaveChats,
    TokenRefreshed,
)
from sync.errors import RetryLater, SignInAgain, SyncError
from tests.simulation.clockwork import Clockwork
from tests.simulation.faults import Faults
from tests.simulation.server import ModelServer

if TYPE_CHECKING:
    from storage.exchange import Batch

TIMEOUT = 10.0

Answer: TypeAlias = Callable[[Event], None]


class Network:
    """Carries requests to the server and answers back. `heal()` ends all faults."""

    def __init__(self, clockwork: Clockwork, random: Random, server: ModelServer, faults: Faults) -> None:
        self.faults = faults
        self.requests = 0
        self.on_change: Callable[[], None] = lambda: None
        self.on_appended: Callable[[Batch, MessagesAppended], None] = lambda batch, answer: None
        self._clockwork = clockwork
        self._random = random
        self._server = server

    def send(self, effect: RemoteEffect, answer: Answer, time_out: Callable[[], None]) -> None:
        """The answer comes not at all, once or twice; the device has to time out by itself."""
        self.requests += 1
        self._clockwork.after(TIMEOUT, time_out)
        if self._happens(self.faults.drop_request):
            return
        self._clockwork.after(self._latency(), self._arrive, effect, answer)
        if self._happens(self.faults.double_request):
            self._clockwork.after(self._latency(), self._arrive, effect, answer)

    def _arrive(self, effect: RemoteEffect, answer: Answer) -> None:
        head, epoch = self._server.head, self._server.epoch
        event = self._serve(effect)
        if (self._server.head, self._server.epoch) != (head, epoch):
            self.on_change()
        if isinstance(effect, AppendMessages) and isinstance(event, MessagesAppended):
            self.on_appended(effect.batch, event)
        if self._happens(self.faults.drop_answer):
            return
        self._clockwork.after(self._latency(), answer, event)
        if self._happens(self.faults.double_answer):
            self._clockwork.after(self._latency(), answer, event)

    def _serve(self, effect: RemoteEffect) -> Event:
        try:
            self._gateway(effect)
            match effect:
                case SaveChats():
                    return ChatsSaved(effect.request, self._server.save_chats(effect.edits))
                case AppendMessages():
                    return MessagesAppended(effect.request, self._server.append_messages(effect.batch))
                case PullChanges():
                    page = self._server.pull_changes(effect.cursor, effect.limit)
                    return ChangesPulled(effect.request, page)
                case RefreshToken():
                    return TokenRefreshed(effect.request)
        except SyncError as error:
            return RequestFailed(effect.request, error)

    def _gateway(self, effect: RemoteEffect) -> None:
        if self._happens(self.faults.busy):
            after = self._random.choice((None, None, 2.0, 20.0))
            raise RetryLater("The server is busy; sync goes on by itself.", after)
        if self._happens(self.faults.unauthorised):
            raise SignInAgain("The login is not valid any more; sign in again.")

    def _latency(self) -> float:
        if self._happens(self.faults.slow):
            return self._random.random() * 3 * TIMEOUT
        return 0.001 + self._random.random() * 0.2

    def _happens(self, probability: float) -> bool:
        return probability > 0.0 and self._random.random() < probability
