"""How many messages are not on the server. A module of its own: the first frame needs the figures and nothing else."""

from collections.abc import Sequence
from typing import Final

from storage import rows
from storage.records import AccountId, Counts
from storage.transaction import Reader

_IN_SIGHT: Final = "(c.pending > 0 or c.rejected > 0) and (c.deleted_at is null or c.discarded = 0)"


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
