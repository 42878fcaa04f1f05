"""Messages whose text is not what was written: fetched again from the server, or set aside where they are only here."""

from collections.abc import Collection

from storage import rows
from storage.checksums import checksum
from storage.content import clean
from storage.file import soundness
from storage.file.lanes import Lane
from storage.file.translate import lenient
from storage.inbound import epochs
from storage.rescue.carrying import DAMAGED
from storage.store import Store
from storage.transaction import Transaction


def heal(store: Store) -> int:
    """Looks through every message and mends what is spoiled. Returns how many were.

    What is synced comes with the next sync. Raises StorageError.
    """
    found = store.read(lambda db: tuple(soundness.misfits(db)))
    if not found:
        return 0
    return store.write(lambda tx: mend(tx, found), Lane.SYNC).result()


def mend(tx: Transaction, found: Collection[int]) -> int:
    """Mends messages by `local_order`; those that are sound by now are left alone. Returns how many were not."""
    spoiled = 0
    for local_order in found:
        row = tx.db.execute(
            "select m.chat_id, m.message_id, cast(m.content as blob), m.sync_state, c.last_num from messages m "
            "join chats c using (chat_id) where m.local_order = ?",
            (local_order,),
        ).fetchone()
        if row is None:
            continue
        chat_id, message_id, content, state, last_num = row
        if state == "synced":
            epochs.suspect(tx, chat_id, last_num)
        else:
            _set_aside(tx, local_order, message_id, lenient(content))
        tx.touch_messages(chat_id)
        spoiled += 1
    return spoiled


def _set_aside(tx: Transaction, local_order: int, message_id: str, text: str) -> None:
    content = rows.encode([{"type": "text", "text": clean(text)}])
    tx.db.execute(
        "update messages set sync_state = 'rejected', sync_error = ?, role = 'user', content = ?, annotations = null, "
        "checksum = ? where local_order = ?",
        (DAMAGED, content, checksum(message_id, "user", content, None), local_order),
    )
