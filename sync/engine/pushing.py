"""Pushing: chats before their messages, one append in flight per chat, what cannot go set aside."""

from collections.abc import Callable, Sequence
from typing import Final

from storage.exchange import Batch, ChatEdit, ChatVerdict, Verdict, Work
from storage.records import AccountId, ChatId, Message
from sync.engine.backoff import jittered
from sync.engine.desk import Desk
from sync.engine.flights import Flight, Saving
from sync.engine.gate import Gate
from sync.engine.interface import (
    AppendMessages,
    LoadWork,
    RecordChatVerdicts,
    RecordVerdicts,
    RequeueChat,
    SaveChats,
    SetAside,
    Timer,
)
from sync.engine.narrowing import Narrowing
from sync.engine.refusals import Fault, fault
from sync.engine.storing import StoreLine
from sync.errors import Refused, RetryLater, SyncError, UpdateNeeded

MOST_FLIGHTS: Final = 4


class Pushing:
    """Loads pending work, sends it and has the verdicts recorded, until nothing is left to send."""

    def __init__(
        self, desk: Desk, gate: Gate, line: StoreLine, uniform: Callable[[], float], batch_limit: int
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._line = line
        self._uniform = uniform
        self._batch_limit = batch_limit
        self._flights: dict[ChatId, Flight] = {}
        self._saving: Saving | None = None
        self._loading = False
        self._ahead_of: Flight | None = None
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self.dirty = account is not None
        self._requeued: set[ChatId] = set()
        self._refused_edits: dict[ChatId, int] = {}
        self._blocked: dict[ChatId, float] = {}
        self._failures: dict[ChatId, int] = {}
        self._desk.cancel_timer(Timer.CHATS)
        self._ground()

    @property
    def busy(self) -> bool:
        """Something is on the wire or about to be."""
        return bool(self._flights or self._saving or self._loading or self.dirty)

    @property
    def sending(self) -> bool:
        """Something is on the wire."""
        return bool(self._flights or self._saving)

    @property
    def waiting_chats(self) -> bool:
        """Some chats wait for their next try."""
        return bool(self._blocked)

    def abort(self) -> None:
        """The server is not what it was: let all answers pass unheard, and read anew what is to push."""
        self._ground()
        self.dirty = True

    def advance(self, epoch: str | None, needs_cursor: bool) -> None:
        """Load more if there may be more and a request may follow, or if the cursor has to be read."""
        if self._account is None or self._loading or self._saving:
            return
        if not needs_cursor and (epoch is None or not self._gate.may_send):
            return
        ahead = None if needs_cursor else self._wants_ahead()
        if ahead is not None:
            self._load(
                after=ahead.last_order, blocked=frozenset(self._flights) - {ahead.chat_id}, ahead=ahead
            )
        elif needs_cursor or (self.dirty and len(self._flights) < MOST_FLIGHTS):
            self.dirty = False
            self._load(after=0, blocked=frozenset(self._flights), ahead=None)

    def loaded(self, work: Work, epoch: str | None) -> None:
        """The store said what is to push."""
        ahead, self._loading, self._ahead_of = self._ahead_of, False, None
        if epoch is None or not self._gate.may_send:
            self.dirty = True
        elif ahead is not None:
            self._keep_ahead(ahead, work.batch)
        else:
            self._start(work, epoch)

    def load_failed(self) -> None:
        """The store gave up saying what is to push."""
        self._loading, self._ahead_of = False, None
        self.dirty = True

    def unblock(self) -> None:
        """Some chats have waited long enough."""
        now = self._desk.now
        self._blocked = {chat: until for chat, until in self._blocked.items() if until > now}
        self._arm()
        self.dirty = True

    def unblock_all(self) -> None:
        """A person asks: no chat waits any longer."""
        self._blocked.clear()
        self._refused_edits.clear()
        self._desk.cancel_timer(Timer.CHATS)
        self.dirty = True

    def owns(self, request: int) -> bool:
        """Whether this is one of the requests under way."""
        return self._flight(request) is not None or self._saves(request)

    def chats_saved(self, request: int, verdicts: Sequence[ChatVerdict], epoch: str | None) -> None:
        """The server answered for chat edits."""
        saving = self._saving
        assert saving is not None
        edits = saving.edits.attempt
        if [verdict.chat_id for verdict in verdicts] != [edit.chat_id for edit in edits]:
            self._saving = None
            self._give_up(request, _unreadable())
            return
        self._record_chats(edits, tuple(verdicts))
        saving.edits.accepted()
        self._save_on(saving, epoch)

    def appended(self, request: int, verdicts: Sequence[Verdict], epoch: str | None) -> None:
        """The server answered for messages."""
        flight = self._flight(request)
        assert flight is not None
        assert self._account is not None
        sent = flight.batch
        if [verdict.message_id for verdict in verdicts] != [message.message_id for message in sent.messages]:
            self._block(flight)
            self._give_up(request, _unreadable())
            return
        self._failures.pop(flight.chat_id, None)
        self._requeued.discard(flight.chat_id)
        flight.messages.accepted()
        record = RecordVerdicts(
            self._desk.next_request(), self._account, flight.epoch, flight.chat_id, tuple(verdicts)
        )
        self._fly_on(flight, epoch)
        self._line.submit(record)

    def failed(self, request: int, error: SyncError, epoch: str | None) -> None:
        """One of the requests under way failed."""
        if self._saves(request):
            self._save_failed(request, error, epoch)
            return
        flight = self._flight(request)
        assert flight is not None
        if isinstance(error, Refused):
            self._refused(flight, request, error)
        else:
            if isinstance(error, RetryLater | UpdateNeeded):
                self._block(flight)
            self._land(flight)
            self._gate.failed(request, error)

    def _ground(self) -> None:
        self._flights = {}
        self._saving = None
        self._loading, self._ahead_of = False, None

    def _flight(self, request: int) -> Flight | None:
        return next((flight for flight in self._flights.values() if flight.request == request), None)

    def _saves(self, request: int) -> bool:
        return self._saving is not None and self._saving.request == request

    def _wants_ahead(self) -> Flight | None:
        return next((flight for flight in self._flights.values() if flight.full), None)

    def _load(self, after: int, blocked: frozenset[ChatId], ahead: Flight | None) -> None:
        assert self._account is not None
        self._loading, self._ahead_of = True, ahead
        blocked |= frozenset(self._blocked)
        self._line.submit(
            LoadWork(self._desk.next_request(), self._account, after, blocked, self._batch_limit)
        )

    def _keep_ahead(self, flight: Flight, batch: Batch | None) -> None:
        flight.full = False
        still_flies = self._flights.get(flight.chat_id) is flight
        if still_flies and batch is not None and batch.chat_id == flight.chat_id:
            flight.ahead = batch
        else:
            self.dirty = True

    def _start(self, work: Work, epoch: str) -> None:
        refused = self._refused_edits
        edits = tuple(edit for edit in work.edits if refused.get(edit.chat_id) != edit.revision)
        if edits:
            self._saving = Saving(Narrowing(edits), work.batch)
            self._send_edits(self._saving)
        elif work.batch is not None and work.batch.chat_id not in self._flights:
            self._fly(work.batch, epoch)

    def _fly(self, batch: Batch, epoch: str) -> None:
        full = len(batch.messages) >= self._batch_limit
        flight = Flight(batch.chat_id, Narrowing(batch.messages), epoch, full)
        self._flights[batch.chat_id] = flight
        self.dirty = True
        self._send(flight)

    def _send(self, flight: Flight) -> None:
        if not self._gate.may_send:
            self._land(flight)
            return
        assert self._account is not None
        flight.request = self._desk.next_request()
        self._gate.sent(flight.request)
        self._desk.emit(AppendMessages(flight.request, self._account, flight.batch))

    def _fly_on(self, flight: Flight, epoch: str | None) -> None:
        if flight.messages.rest:
            self._send(flight)
            return
        self._land(flight)
        if flight.ahead is not None and epoch is not None and self._gate.may_send:
            self._fly(flight.ahead, epoch)

    def _land(self, flight: Flight) -> None:
        self._flights.pop(flight.chat_id, None)
        self.dirty = True

    def _refused(self, flight: Flight, request: int, error: Refused) -> None:
        kind = fault(error)
        if kind is Fault.ACCOUNT:
            self._block(flight)
            self._land(flight)
            self._gate.failed(request, error)
            return
        self._gate.succeeded(request)
        if kind is Fault.UNKNOWN_CHAT:
            self._unknown(flight, error)
        elif kind is Fault.GONE_CHAT:
            self._set_aside(flight, flight.messages.rest, error)
        else:
            narrowing = flight.messages
            culprit = narrowing.too_large() if kind is Fault.SIZE else narrowing.refused()
            if culprit is None:
                self._send(flight)
            else:
                self._set_aside(flight, (culprit,), error)

    def _unknown(self, flight: Flight, error: Refused) -> None:
        if flight.chat_id in self._requeued:
            self._requeued.discard(flight.chat_id)
            self._set_aside(flight, flight.messages.rest, error)
            return
        self._requeued.add(flight.chat_id)
        self._refused_edits.pop(flight.chat_id, None)
        self._line.submit(RequeueChat(self._desk.next_request(), flight.chat_id))
        self._land(flight)

    def _set_aside(self, flight: Flight, messages: tuple[Message, ...], error: Refused) -> None:
        ids = tuple(message.message_id for message in messages)
        self._line.submit(SetAside(self._desk.next_request(), flight.chat_id, ids, str(error)))
        self._land(flight)

    def _block(self, flight: Flight) -> None:
        failures = self._failures.get(flight.chat_id, 0)
        self._failures[flight.chat_id] = failures + 1
        self._blocked[flight.chat_id] = self._desk.now + jittered(failures, self._uniform())
        self._flights.pop(flight.chat_id, None)
        self._arm()

    def _arm(self) -> None:
        if self._blocked:
            self._desk.set_timer(Timer.CHATS, max(0.0, min(self._blocked.values()) - self._desk.now))
        else:
            self._desk.cancel_timer(Timer.CHATS)

    def _give_up(self, request: int, error: SyncError) -> None:
        self.dirty = True
        self._gate.failed(request, error)

    def _send_edits(self, saving: Saving) -> None:
        if not self._gate.may_send:
            self._saving = None
            self.dirty = True
            return
        assert self._account is not None
        saving.request = self._desk.next_request()
        self._gate.sent(saving.request)
        self._desk.emit(SaveChats(saving.request, self._account, saving.edits.attempt))

    def _save_on(self, saving: Saving, epoch: str | None) -> None:
        if saving.edits.rest:
            self._send_edits(saving)
            return
        self._saving = None
        self.dirty = True
        batch = saving.batch
        may_fly = epoch is not None and self._gate.may_send
        if may_fly and batch and batch.chat_id in saving.saved and batch.chat_id not in self._flights:
            assert epoch is not None
            self._fly(batch, epoch)

    def _record_chats(self, edits: tuple[ChatEdit, ...], verdicts: tuple[ChatVerdict, ...]) -> None:
        assert self._account is not None
        assert self._saving is not None
        for edit, verdict in zip(edits, verdicts, strict=True):
            if verdict.accepted:
                self._saving.saved.add(edit.chat_id)
                self._refused_edits.pop(edit.chat_id, None)
            else:
                self._refused_edits[edit.chat_id] = edit.revision
        request = self._desk.next_request()
        self._line.submit(RecordChatVerdicts(request, self._account, edits, verdicts))

    def _save_failed(self, request: int, error: SyncError, epoch: str | None) -> None:
        saving = self._saving
        assert saving is not None
        narrowable = isinstance(error, Refused) and fault(error) in (Fault.ITEM, Fault.SIZE)
        if not narrowable:
            self._saving = None
            self._give_up(request, error)
            return
        assert isinstance(error, Refused)
        self._gate.succeeded(request)
        too_large = fault(error) is Fault.SIZE
        culprit = saving.edits.too_large() if too_large else saving.edits.refused()
        if culprit is not None:
            self._record_chats((culprit,), (ChatVerdict(culprit.chat_id, False, str(error)),))
            saving.edits.accepted()
        self._save_on(saving, epoch)


def _unreadable() -> UpdateNeeded:
    return UpdateNeeded("The server's answer does not fit the question; update Homing or the server.")
