"""The wire between devices and servers: it drops, doubles, delays and reorders, in both directions."""

from collections.abc import Callable, Mapping
from random import Random
from typing import TypeAlias

from storage.exchange import (
    Batch,
    BatchFault,
    BatchVerdict,
    Errand,
    ErrandKind,
    ErrandVerdict,
    Parcel,
    Receipt,
)
from storage.records import AccountId, ChatId, ProjectId
from sync.engine.interface import (
    ChangesPulled,
    ErrandRun,
    Event,
    HeadsPulled,
    HistoryPulled,
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
    SummaryPulled,
    TokenRefreshed,
)
from sync.errors import (
    CaptivePortal,
    QuotaExceeded,
    Refused,
    RetryLater,
    SignInAgain,
    SyncError,
    UnknownFunction,
)
from tests.simulation.clockwork import Clockwork
from tests.simulation.faults import Faults
from tests.simulation.server import ModelServer

TIMEOUT = 10.0
SLOWEST = 2 * TIMEOUT
DONE_BY_THE_END = (ErrandKind.DELETE_MESSAGES, ErrandKind.CLEAR_CHAT, ErrandKind.UNPIN_CONTEXT)
FAULTS = {"PT404": BatchFault.UNKNOWN, "PT410": BatchFault.DELETED}

Answer: TypeAlias = Callable[[Event], None]


class Network:
    """Carries requests to the account's server and answers back."""

    def __init__(
        self,
        clockwork: Clockwork,
        random: Random,
        servers: Mapping[AccountId, ModelServer],
        faults: Faults,
    ) -> None:
        self.faults = faults
        self.requests = 0
        self.on_change: Callable[[AccountId], None] = lambda account: None
        self.on_sent: Callable[[RemoteEffect], None] = lambda effect: None
        self.on_pushed: Callable[[Push, Receipt], None] = lambda effect, receipt: None
        self.on_trickle: Callable[[AccountId], None] = lambda account: None
        self._clockwork = clockwork
        self._random = random.random
        self._pick = random.choice
        self._servers = servers

    def send(self, effect: RemoteEffect, answer: Answer, time_out: Callable[[], None]) -> None:
        """The answer comes not at all, once or twice; the device has to time out by itself."""
        self.requests += 1
        self.on_sent(effect)
        self._clockwork.after(TIMEOUT, time_out)
        if self._happens(self.faults.drop_request):
            return
        self._clockwork.after(self._latency(), self._arrive, effect, answer)
        if self._happens(self.faults.double_request):
            self._clockwork.after(self._latency(), self._arrive, effect, answer)

    def _arrive(self, effect: RemoteEffect, answer: Answer) -> None:
        account = effect.account_id
        server = self._servers[account]
        head, epoch = server.head, server.epochs
        event = self._serve(server, effect)
        if self._happens(self.faults.trickle):
            self.on_trickle(account)
        if (server.head, server.epochs) != (head, epoch):
            self.on_change(account)
        if self._happens(self.faults.drop_answer):
            return
        self._clockwork.after(self._latency(), answer, event)
        if self._happens(self.faults.double_answer):
            self._clockwork.after(self._latency(), answer, event)

    def _serve(self, server: ModelServer, effect: RemoteEffect) -> Event:
        try:
            self._gateway()
            match effect:
                case Push(request, _, parcel):
                    receipt = server.push(parcel) if server.modern else _push_in_steps(server, parcel)
                    self.on_pushed(effect, receipt)
                    return Pushed(request, receipt)
                case PullChanges(request, _, cursor, limit):
                    return ChangesPulled(request, server.pull_changes(cursor, limit))
                case RefreshToken(request):
                    return TokenRefreshed(request)
                case PullHeads(request, _, after, limit):
                    return HeadsPulled(request, server.pull_heads(after, limit))
                case RunErrand(request, _, errand):
                    return ErrandRun(request, _run(server, errand))
                case _ if not server.modern:
                    raise UnknownFunction("The server lacks a function; update it.")
                case PullSummary(request, _, cursor, limit):
                    return SummaryPulled(request, server.pull_summary(cursor, limit))
                case PullHistory(request, _, holes, limit):
                    return HistoryPulled(request, server.pull_history(holes, limit))
        except SyncError as error:
            return RequestFailed(effect.request, error)

    def _gateway(self) -> None:
        if self._happens(self.faults.busy):
            after = self._pick((None, None, 2.0, 20.0))
            raise self._pick(
                (
                    RetryLater("The server is busy; sync goes on by itself.", after),
                    QuotaExceeded("The server has no room for this account now.", after),
                    CaptivePortal("The network wants a login of its own."),
                )
            )
        if self._happens(self.faults.unauthorised):
            raise SignInAgain("The login is not valid any more; sign in again.")

    def _latency(self) -> float:
        if self._happens(self.faults.slow):
            return self._random() * SLOWEST
        return 0.001 + self._random() * 0.2

    def _happens(self, probability: float) -> bool:
        return probability > 0.0 and self._random() < probability


def _push_in_steps(server: ModelServer, parcel: Parcel) -> Receipt:
    """A server without `push_changes`: the wire calls the functions one by one, and nothing says the span."""
    projects = server.save_projects(parcel.projects)
    chats = server.save_chats(parcel.edits)
    batches = tuple(_append(server, batch) for batch in parcel.batches)
    return Receipt(projects, chats, batches, (), None)


def _append(server: ModelServer, batch: Batch) -> BatchVerdict:
    try:
        return BatchVerdict(batch.chat_id, None, server.append_messages(batch))
    except Refused as error:
        if error.code not in FAULTS:
            raise
        return BatchVerdict(batch.chat_id, FAULTS[error.code], ())


def _run(server: ModelServer, errand: Errand) -> ErrandVerdict:
    chat_id, body, more = ChatId(errand.subject), errand.body, False
    try:
        match errand.kind:
            case ErrandKind.DELETE_MESSAGES:
                server.delete_messages(chat_id, body["p_message_ids"])
            case ErrandKind.CLEAR_CHAT:
                more = server.clear_chat(chat_id, body["p_through"])
            case ErrandKind.PIN_CONTEXT:
                server.pin_context(chat_id, body["p_resources"])
            case ErrandKind.UNPIN_CONTEXT:
                server.unpin_context(chat_id, body["p_sources"])
            case ErrandKind.SAVE_SNAPSHOT:
                server.save_snapshot(ProjectId(errand.subject), str(body["p_snapshot"]))
    except Refused as error:
        done = errand.kind in DONE_BY_THE_END and error.code in FAULTS
        return ErrandVerdict(done, None if done else str(error))
    return ErrandVerdict(True, None, more)
