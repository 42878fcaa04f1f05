"""What has to go to the server, and what the server said about it."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from storage import accounts, counting, edits, inbox, rows
from storage.exchange import Batch, ChatEdit, ChatVerdict, Verdict, VerdictStatus, Work
from storage.records import AccountId, ChatId, Counts, Message, MessageId
from storage.transaction import Reader, Transaction

_MAX_EDITS: Final = 500
_ENVELOPE: Final = 256
"""Bytes that a message takes on the wire besides its content, at most."""

_CONFIRMED: Final = frozenset({VerdictStatus.INSERTED, VerdictStatus.DUPLICATE})


def load_work(
    db: Reader,
    account_id: AccountId,
    *,
    max_messages: int = 500,
    max_bytes: int = 900_000,
    after: int = 0,
    blocked: frozenset[ChatId] = frozenset(),
) -> Work:
    """The unconfirmed edits, the next batch of the chat that has waited longest, and the cursor.

    `after` is the `local_order` of the last message in flight: its chat goes on behind it. Messages of a chat whose
    creation was refused wait.
    """
    batch = _batch(db, account_id, max_messages, max_bytes, after, blocked)
    return Work(_edits(db, account_id, batch.chat_id if batch else None), batch, inbox.cursor(db, account_id))


def record_verdicts(
    tx: Transaction, account_id: AccountId, epoch: str | None, chat_id: ChatId, verdicts: Sequence[Verdict]
) -> None:
    """Moves messages forward: confirmed ones get their number, refused ones their reason.

    `epoch` is the one that the push was sent in: numbers of another epoch mean nothing here, and are left out; the
    messages stay pending, and the next push brings their true number.
    """
    row = tx.db.execute(
        "select a.epoch, a.generation from accounts a join chats c using (account_id) "
        "where a.account_id = ? and c.chat_id = ?",
        (account_id, chat_id),
    ).fetchone()
    if row is None or row[0] != epoch:
        return
    confirmed = [each for each in verdicts if each.status in _CONFIRMED and each.sequence_num is not None]
    accounts.tally(tx, account_id, pushed=_confirm(tx, chat_id, confirmed, row[1]))
    for verdict in verdicts:
        if verdict.status not in _CONFIRMED:
            _reject(tx, chat_id, verdict.message_id, verdict.reason or _reason(verdict.status))
    tx.touch_messages(chat_id)


def record_chat_verdicts(
    tx: Transaction, account_id: AccountId, edits: Sequence[ChatEdit], verdicts: Sequence[ChatVerdict]
) -> None:
    """Clears the marks of accepted edits, unless a newer edit came meanwhile; refused chats show the reason."""
    revisions = {edit.chat_id: edit.revision for edit in edits}
    for verdict in verdicts:
        revision = revisions.get(verdict.chat_id)
        if revision is None:
            continue
        key = (verdict.chat_id, account_id)
        if verdict.accepted:
            tx.db.execute(
                "update chats set generation = (select generation from accounts a where a.account_id = ?2) "
                "where chat_id = ?1 and account_id = ?2",
                key,
            )
            tx.db.execute(
                "update chats set edited = '', sync_error = null "
                "where chat_id = ? and account_id = ? and revision = ?",
                (*key, revision),
            )
        else:
            tx.db.execute(
                "update chats set sync_error = ? where chat_id = ? and account_id = ? and revision = ?",
                (verdict.reason or "The server refused this chat.", *key, revision),
            )
        tx.touch_chat(verdict.chat_id)


def set_aside(tx: Transaction, chat_id: ChatId, message_ids: Sequence[MessageId], reason: str) -> None:
    """Takes pending messages out of the queue, with a reason for people, until they are retried."""
    for message_id in message_ids:
        _reject(tx, chat_id, message_id, reason)
    tx.touch_messages(chat_id)


def requeue_chat(tx: Transaction, chat_id: ChatId) -> None:
    """The server does not know the chat: the next push creates it anew."""
    tx.db.execute("update chats set generation = null where chat_id = ?", (chat_id,))
    edits.mark(tx, chat_id, edits.CREATION)
    tx.touch_chat(chat_id)


def counts(db: Reader, account_ids: Sequence[AccountId]) -> Counts:
    """Unsynced messages of the accounts, those in deleted chats too."""
    pending, rejected, oldest = db.execute(
        "select coalesce(sum(pending), 0), coalesce(sum(rejected), 0), min(oldest_pending) from chats "
        f"where account_id in ({_marks(account_ids)}) and (pending > 0 or rejected > 0)",
        tuple(account_ids),
    ).fetchone()
    at = db.execute("select created_at from messages where local_order = ?", (oldest,)).fetchone()
    return Counts(pending, rejected, at[0] if at else None)


def synced_count(db: Reader, account_ids: Sequence[AccountId]) -> int:
    """Messages that the server has confirmed. Reads an index entry for each: a quarter second at a million."""
    (count,) = db.execute(
        "select count(*) from chats c join messages m on m.chat_id = c.chat_id "
        f"where c.account_id in ({_marks(account_ids)}) and m.sequence_num is not null and m.deleted_at is null",
        tuple(account_ids),
    ).fetchone()
    return int(count)


def _batch(
    db: Reader,
    account_id: AccountId,
    max_messages: int,
    max_bytes: int,
    after: int,
    blocked: frozenset[ChatId],
) -> Batch | None:
    waiting = db.execute(
        "select chat_id, generation is null and sync_error is not null from chats "
        "where account_id = ? and oldest_pending is not null order by oldest_pending",
        (account_id,),
    )
    flying = db.execute("select chat_id, 0 from messages where local_order = ?", (after,)).fetchall()
    behind = {chat_id: after for chat_id, _ in flying}
    for chat_id, held in chain(flying, waiting):
        if held or chat_id in blocked:
            continue
        start = behind.get(chat_id, 0)
        if messages := _pending(db, chat_id, start, max_messages, max_bytes):
            return Batch(chat_id, messages)
    return None


def _pending(
    db: Reader, chat_id: ChatId, after: int, max_messages: int, max_bytes: int
) -> tuple[Message, ...]:
    found: list[tuple[Any, ...]] = []
    total = 0
    for row in db.execute(
        f"select {rows.MESSAGE} from messages where chat_id = ? and sync_state = 'pending' and local_order > ? "
        "order by local_order limit ?",
        (chat_id, after, max_messages),
    ):
        total += len(row[4].encode()) + len((row[5] or "").encode()) + _ENVELOPE
        if found and total > max_bytes:
            break
        found.append(row)
    return rows.messages(found)


def _edits(db: Reader, account_id: AccountId, first: ChatId | None) -> tuple[ChatEdit, ...]:
    unconfirmed = "account_id = ? and edited <> '' and sync_error is null"
    own = db.execute(
        f"select {edits.COLUMNS} from chats where {unconfirmed} and chat_id = ?", (account_id, first)
    ).fetchall()
    others = db.execute(
        f"select {edits.COLUMNS} from chats where {unconfirmed} order by rowid limit ?",
        (account_id, _MAX_EDITS),
    ).fetchall()
    found = {row[0]: row for row in (*own, *others)}
    return tuple(edits.edit(row) for row in list(found.values())[:_MAX_EDITS])


def _confirm(tx: Transaction, chat_id: ChatId, verdicts: Sequence[Verdict], generation: int) -> int:
    # A tombstone that was noted in this generation is of this very message, whatever the verdict: an id is inserted
    # once, and a pull may overtake a verdict. One of an earlier generation went with the server that was wound back.
    gone = "deleted_at is not null and generation = ?2"
    values = [
        (
            verdict.sequence_num,
            generation,
            # Of a duplicate the next pull tells: what we held may be of another epoch, and be higher.
            int(verdict.status is VerdictStatus.INSERTED),
            chat_id,
            verdict.message_id,
        )
        for verdict in verdicts
    ]

    def confirm(state: str) -> int:
        return tx.db.conn.executemany(
            "update messages set sync_state = 'synced', sequence_num = ?1, sync_error = null, generation = ?2, "
            f"content = iif({gone}, '[]', content), annotations = iif({gone}, null, annotations), "
            f"deleted_at = iif({gone}, deleted_at, null), revision = iif({gone}, revision, ?3) "
            f"where chat_id = ?4 and message_id = ?5 and sync_state = '{state}'",
            values,
        ).rowcount

    pending = confirm("pending") if values else 0
    rejected = confirm("rejected") if pending < len(values) else 0
    counting.confirmed(tx, chat_id, pending=pending, rejected=rejected)
    return pending + rejected


def _reject(tx: Transaction, chat_id: ChatId, message_id: MessageId, reason: str) -> None:
    tx.db.execute(
        "update messages set sync_state = 'rejected', sync_error = ? "
        "where chat_id = ? and message_id = ? and sync_state = 'pending'",
        (reason, chat_id, message_id),
    )


def _reason(status: VerdictStatus) -> str:
    if status is VerdictStatus.CONFLICT:
        return "Another message has this id on the server: copy the text and send it anew."
    return "The server refused this message."


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
