"""What has to go to the server, and what the server said about it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from storage import accounts, projects, removal
from storage.exchange import Parcel, ParcelWork, Receipt
from storage.inbound import epochs, inbox
from storage.outbound import errands, receipts, verdicts
from storage.outbound.parcels import MAX_EDITS, Packing
from storage.records import AccountId, ChatId, MessageId
from storage.standing import edits, openings, refusals
from storage.transaction import Reader, Transaction

_NOTHING: Final[Mapping[ChatId, int]] = MappingProxyType({})


def load_parcel(
    db: Reader,
    account_id: AccountId,
    *,
    max_messages: int = 1000,
    max_bytes: int = 900_000,
    after: Mapping[ChatId, int] = _NOTHING,
    blocked: frozenset[ChatId] = frozenset(),
    resting: frozenset[int] = frozenset(),
) -> ParcelWork:
    """The unconfirmed edits, pending messages of the chats that have waited longest, and where the next pull starts.

    `after` says per chat the `local_order` of its last message in flight: it goes on behind that. A chat whose creation
    is not confirmed takes part only with its creation in the same parcel, so messages of one that was refused wait.
    `resting` errands hold up only others of their subject.
    """
    packing = Packing(db, account_id, max_messages, max_bytes)
    waiting = db.execute(
        "select chat_id, generation is null, sync_error is not null, edited <> '' from chats "
        "where account_id = ? and oldest_pending is not null order by oldest_pending",
        (account_id,),
    )
    for chat_id, new, refused, edited in waiting:
        if packing.full:
            break
        if chat_id not in blocked and not (new and (refused or not edited)):
            packing.add(chat_id, after.get(chat_id, 0), new=bool(new))
    projects_edited = projects.edited(db, account_id, MAX_EDITS)
    parcel = Parcel(projects_edited, packing.edits(), tuple(packing.batches))
    errand = errands.next(db, account_id, resting)
    return ParcelWork(parcel, errand, inbox.cursor(db, account_id), openings.is_opened(db, account_id))


def record_receipt(
    tx: Transaction, account_id: AccountId, epoch: str | None, parcel: Parcel, receipt: Receipt
) -> None:
    """The server's word on a parcel, and its saved chats and projects as they are now, in one transaction.

    `epoch` is the one that the push was sent in. When it is another one now, here or on the server, nothing is recorded:
    numbers of another epoch mean nothing here, and the next push brings the true ones. Batches with a fault stay as
    they are.
    """
    here = inbox.cursor(tx.db, account_id)
    if here.epoch != epoch or (epoch and receipt.span and receipt.span.epoch != epoch):
        return
    receipts.record_edits(tx, account_id, parcel, receipt, here.change)
    generation = epochs.generation(tx, account_id)
    judged = {
        batch.chat_id: batch.verdicts
        for batch in receipt.batches
        if batch.fault is None and accounts.owner_of(tx.db, batch.chat_id) == account_id
    }
    accounts.tally(tx, account_id, pushed=verdicts.record(tx, judged, generation))
    epochs.requeue_filled(tx, account_id, generation)


def set_aside(tx: Transaction, chat_id: ChatId, message_ids: Sequence[MessageId], reason: str) -> None:
    """Takes pending messages out of the queue, with a reason for people, until they are retried."""
    for message_id in message_ids:
        refusals.reject(tx, chat_id, message_id, reason)
    removal.settle(tx)
    tx.touch_messages(chat_id)


def requeue_chat(tx: Transaction, chat_id: ChatId) -> None:
    """The server does not know the chat: the next push creates it anew."""
    edits.mark_new(tx, chat_id)
    tx.touch_chat(chat_id)
