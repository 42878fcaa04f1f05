"""What cannot go as it is: set aside with a reason, or sent again to a chat that is made anew."""

from typing import Final

from storage.exchange import Batch, BatchFault, Parcel, Receipt
from storage.records import AccountId, ChatId, Message
from sync.engine.desk import Desk
from sync.engine.interface import RecordReceipt, RequeueChat, SetAside
from sync.engine.parcels import Item, pack, refusal
from sync.engine.refusals import Fault
from sync.engine.storing import StoreLine

DELETED: Final = "This chat was deleted on another device: copy the text to keep it elsewhere."
UNKNOWN: Final = "The server does not take this chat: copy the text into a new one."


class Aside:
    """A chat that the server does not know is made anew once; after that its messages are set aside."""

    def __init__(self, desk: Desk, line: StoreLine) -> None:
        self._desk = desk
        self._line = line
        self._requeued: set[ChatId] = set()

    def clear(self) -> None:
        """Start afresh for an account."""
        self._requeued.clear()

    def took(self, parcel: Parcel, receipt: Receipt, refused: frozenset[ChatId]) -> None:
        """The server spoke of each batch. Messages of a chat that was refused just now wait with it."""
        for batch, verdict in zip(parcel.batches, receipt.batches, strict=True):
            match verdict.fault:
                case None:
                    self._requeued.discard(batch.chat_id)
                case BatchFault.DELETED:
                    self._set_aside(batch, DELETED)
                case BatchFault.UNKNOWN if batch.chat_id not in refused:
                    self._unknown(batch, UNKNOWN)
                case _:
                    pass

    def refuse(self, account: AccountId, epoch: str, culprit: Item, kind: Fault, reason: str) -> None:
        """The server refused a whole call because of this item."""
        if not isinstance(culprit, Message):
            record = RecordReceipt(
                self._desk.next_request(), account, epoch, pack([culprit]), refusal(culprit, reason)
            )
            self._line.submit(record)
        elif kind is Fault.UNKNOWN_CHAT:
            self._unknown(Batch(culprit.chat_id, (culprit,)), reason)
        else:
            self._set_aside(Batch(culprit.chat_id, (culprit,)), reason)

    def _unknown(self, batch: Batch, reason: str) -> None:
        if batch.chat_id in self._requeued:
            self._requeued.discard(batch.chat_id)
            self._set_aside(batch, reason)
        else:
            self._requeued.add(batch.chat_id)
            self._line.submit(RequeueChat(self._desk.next_request(), batch.chat_id))

    def _set_aside(self, batch: Batch, reason: str) -> None:
        ids = tuple(message.message_id for message in batch.messages)
        self._line.submit(SetAside(self._desk.next_request(), batch.chat_id, ids, reason))
