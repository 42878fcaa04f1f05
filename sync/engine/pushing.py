"""Pushing: one parcel on the wire at a time, the next one read from the store meanwhile."""

from collections.abc import Callable

from storage.exchange import Errand, Parcel, ParcelWork, Receipt
from storage.records import AccountId
from sync.engine.aside import Aside
from sync.engine.caution import Caution
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.interface import LoadWork, Push, RecordReceipt, Timer
from sync.engine.parcels import ends, faulty_chats, fits, items, kept, refused_chats, subject
from sync.engine.refusals import Fault, fault
from sync.engine.shipment import Shipment
from sync.engine.storing import StoreLine
from sync.engine.waits import Waits
from sync.errors import Refused, RetryLater, SyncError, UpdateNeeded


class Pushing:
    """Loads pending work, sends it and has the receipts recorded, until nothing is left to send."""

    def __init__(
        self, desk: Desk, gate: Gate, line: StoreLine, uniform: Callable[[], float], batch_limit: int
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._line = line
        self._batch_limit = batch_limit
        self._waits: Waits[str] = Waits(desk, Timer.CHATS, uniform)
        self._aside = Aside(desk, line)
        self._caution = Caution()
        self._ahead_of: Shipment | None = None
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self.dirty = self.stirred = account is not None
        self._waits.clear()
        self._aside.clear()
        self._caution = Caution()
        self._ground()

    @property
    def busy(self) -> bool:
        """Something is on the wire or about to be."""
        return bool(self._shipment or self._loading or self.dirty)

    @property
    def sending(self) -> bool:
        """Something is on the wire."""
        return self._shipment is not None

    @property
    def waiting(self) -> bool:
        """Something waits for its next try."""
        return bool(self._waits.waiting)

    def abort(self) -> None:
        """The server is not what it was: let all answers pass unheard, and read anew what is to push."""
        self._ground()
        self.dirty = True

    def advance(self, epoch: str | None, *, needs_cursor: bool, resting: frozenset[int]) -> None:
        """Load more if there may be more and a request may follow, or if the cursor has to be read.

        `resting` errands are passed over.
        """
        if self._account is None or self._loading:
            return
        if needs_cursor:
            self._load(None, resting)
        elif epoch is None or not self._gate.may_send:
            return
        elif self._shipment is None:
            if self.dirty:
                self._load(None, resting)
        elif self._shipment.ahead is None and (self.dirty or self._shipment.looks_ahead):
            self._load(self._shipment, resting)

    def loaded(self, work: ParcelWork, epoch: str | None) -> Errand | None:
        """The store said what is to push. An errand is handed out when nothing has to go before it."""
        ahead_of, self._loading, self._ahead_of = self._ahead_of, False, None
        if epoch is None or not self._gate.may_send:
            self.dirty = True
        elif ahead_of is not None:
            self._keep_ahead(ahead_of, work.parcel)
        elif self._shipment is not None:
            self.dirty = True
        elif items(parcel := self._free(work.parcel)):
            self._ship(parcel, epoch)
        else:
            return work.errand
        return None

    def load_failed(self) -> None:
        """The store gave up saying what is to push."""
        self._loading, self._ahead_of = False, None
        self.dirty = True

    def look_up(self) -> None:
        """What came is stored: if the store may have queued something over it, have that sent."""
        self.dirty |= self.stirred
        self.stirred = False

    def release(self) -> None:
        """Some chats have waited long enough."""
        self._waits.release()
        self.dirty = True

    def release_all(self) -> None:
        """A person asks: no chat waits any longer."""
        self._waits.release_all()
        self.dirty = True

    def server_answers(self) -> None:
        """The server answered something else."""
        self._caution.server_answers()

    def owns(self, request: int) -> bool:
        """Whether this is the request under way."""
        return self._shipment is not None and self._shipment.request == request

    def pushed(self, request: int, receipt: Receipt, epoch: str | None) -> bool:
        """The server answered. False: in another epoch than the one that is known here."""
        shipment = self._shipment
        assert shipment is not None
        assert self._account is not None
        call = shipment.call
        if not fits(call, receipt):
            self._failed(shipment, request, _unreadable())
            return True
        if receipt.span is not None and receipt.span.epoch != shipment.epoch:
            self.abort()
            return False
        shipment.row.accepted()
        shipment.refused |= refused_chats(receipt)
        shipment.leave_out(shipment.refused | faulty_chats(receipt))
        self._forgive(call)
        record = RecordReceipt(self._desk.next_request(), self._account, shipment.epoch, call, receipt)
        self._go_on(shipment, epoch)
        self._line.submit(record)
        self._aside.took(call, receipt, shipment.refused)
        return True

    def failed(self, request: int, error: SyncError) -> None:
        """The request under way failed."""
        shipment = self._shipment
        assert shipment is not None
        if not isinstance(error, Refused):
            self._failed(shipment, request, error)
            return
        kind = fault(error)
        if kind is Fault.ACCOUNT:
            self._failed(shipment, request, error)
            return
        self._gate.succeeded(request)
        culprit = shipment.row.too_large() if kind is Fault.SIZE else shipment.row.refused()
        if culprit is None:
            self._send(shipment)
            return
        assert self._account is not None
        self._aside.refuse(self._account, shipment.epoch, culprit, kind, str(error))
        self._land()

    def _ground(self) -> None:
        self._shipment: Shipment | None = None
        self._loading = False
        self._ahead_of = None

    def _load(self, ahead_of: Shipment | None, resting: frozenset[int]) -> None:
        assert self._account is not None
        after = {}
        if ahead_of is not None:
            after = ends(ahead_of.parcel)
            ahead_of.looks_ahead = False
        self.dirty = False
        self._loading, self._ahead_of = True, ahead_of
        request = self._desk.next_request()
        waiting = self._waits.waiting
        self._line.submit(LoadWork(request, self._account, after, waiting, self._batch_limit, resting))

    def _keep_ahead(self, shipment: Shipment, parcel: Parcel) -> None:
        if shipment is self._shipment:
            shipment.keep_ahead(self._free(parcel))
        else:
            self.dirty = True

    def _free(self, parcel: Parcel) -> Parcel:
        waiting = self._waits.waiting
        return kept(parcel, lambda item: subject(item) not in waiting) if waiting else parcel

    def _ship(self, parcel: Parcel, epoch: str) -> None:
        self._shipment = Shipment.of(parcel, epoch, self._caution.most)
        self._send(self._shipment)

    def _send(self, shipment: Shipment) -> None:
        if not self._gate.may_send:
            self._land()
            return
        assert self._account is not None
        shipment.request = self._desk.next_request()
        self._gate.sent(shipment.request)
        self._desk.emit(Push(shipment.request, self._account, shipment.call))

    def _go_on(self, shipment: Shipment, epoch: str | None) -> None:
        if shipment.row.rest:
            self._send(shipment)
            return
        self._land()
        self._caution.passed()
        ahead = shipment.ahead if shipment.whole else None
        if ahead is not None and epoch is not None and self._gate.may_send:
            self._ship(ahead, epoch)

    def _land(self) -> None:
        self._shipment = None
        self.dirty = True

    def _forgive(self, call: Parcel) -> None:
        for item in items(call):
            self._waits.succeeded(subject(item))

    def _failed(self, shipment: Shipment, request: int, error: SyncError) -> None:
        if isinstance(error, RetryLater | UpdateNeeded):
            culprit = self._caution.suspect(shipment.row.attempt)
            if culprit is not None:
                self._waits.failed(subject(culprit))
        self._land()
        self._gate.failed(request, error)


def _unreadable() -> UpdateNeeded:
    return UpdateNeeded("The server's answer does not fit the question; update Homing or the server.")
