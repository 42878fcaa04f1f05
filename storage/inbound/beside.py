"""What the server has under the id of a message that is not confirmed here: kept beside it, so that no words are lost."""

from collections.abc import Iterable

from storage import rows
from storage.exchange import MessageChange
from storage.transaction import Transaction


def keep(tx: Transaction, generation: int, changes: Iterable[MessageChange]) -> None:
    """Of other words a conflict, of a tombstone a note. The message here stays as it is (I17)."""
    for change in changes:
        if change.deleted:
            _note_tombstone(tx, generation, change)
        else:
            _keep_conflict(tx, generation, change)
        tx.touch_messages(change.chat_id)


def _note_tombstone(tx: Transaction, generation: int, change: MessageChange) -> None:
    # It may be the tombstone of another text under this id: only the verdict on ours tells.
    key = (change.chat_id, change.message_id)
    tx.db.execute(
        "update messages set deleted_at = ?, noted = ?, revision = ?, generation = ? "
        "where chat_id = ? and message_id = ? and sync_state <> 'synced'",
        (tx.now(), change.sequence_num, change.revision, generation, *key),
    )
    tx.db.execute("delete from conflicts where chat_id = ? and message_id = ?", key)


def _keep_conflict(tx: Transaction, generation: int, change: MessageChange) -> None:
    tx.db.execute(
        "insert into conflicts (sequence_num, role, content, annotations, turn_id, status, created_at, revision, "
        "generation, chat_id, message_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (chat_id, message_id) do update set sequence_num = excluded.sequence_num, "
        "role = excluded.role, content = excluded.content, annotations = excluded.annotations, "
        "turn_id = excluded.turn_id, status = excluded.status, created_at = excluded.created_at, "
        "revision = excluded.revision, generation = excluded.generation "
        "where excluded.generation > generation or excluded.revision >= revision",
        (
            change.sequence_num,
            change.role.value,
            rows.encode(change.content),
            None if change.annotations is None else rows.encode(change.annotations),
            change.turn_id,
            change.status.value,
            change.created_at,
            change.revision,
            generation,
            change.chat_id,
            change.message_id,
        ),
    )
