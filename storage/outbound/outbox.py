"""What has to go to the server, and what the server said about it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from storage import accounts, projects, removal, rows
from storage.exchange import Parcel, ParcelWork, Receipt
from storage.inbound import epochs, inbox
from storage.outbound import errands, receipts, verdicts
from storage.outbound.parcels import MAX_EDITS, Packing
from storage.records import AccountId, ChatId, Counts, MessageId
from storage.standing import edits, openings, refusals
from storage.transaction import Reader, Transaction

_NOTHING: Final[Mapping[ChatId, int]] = MappingProxyType({})

_IN_SIGHT: Final = "(c.pending > 0 or c.rejected > 0) and (c.deleted_at is null or c.discarded = 0)"


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


def counts(db: Reader, account_ids: Sequence[AccountId]) -> Counts:
    """Unsynced messages of the accounts, also in chats that another device deleted."""
    seen = f"c.account_id in ({rows.marks(account_ids)}) and {_IN_SIGHT}"
    pending, rejected, oldest = db.execute(
        "select coalesce(sum(c.pending), 0), coalesce(sum(c.rejected), 0), min(c.oldest_pending) "
        f"from chats c where {seen}",
        tuple(account_ids),
    ).fetchone()
    (conflicts,) = db.execute(
        "select count(*) from chats c cross join conflicts f on f.chat_id = c.chat_id cross join messages m "
        "on m.chat_id = f.chat_id and m.message_id = f.message_id and m.sync_state = 'rejected' "
        f"where {seen} and c.rejected > 0",
        tuple(account_ids),
    ).fetchone()
    at = db.execute("select created_at from messages where local_order = ?", (oldest,)).fetchone()
    return Counts(pending, rejected, at[0] if at else None, conflicts)


def synced_count(db: Reader, account_ids: Sequence[AccountId]) -> int:
    """Messages that the server has confirmed. Reads an index entry for each: a quarter second at a million."""
    (count,) = db.execute(
        "select count(*) from chats c join messages m on m.chat_id = c.chat_id "
        f"where c.account_id in ({rows.marks(account_ids)}) and m.sequence_num is not null and m.deleted_at is null",
        tuple(account_ids),
    ).fetchone()
    return int(count)
