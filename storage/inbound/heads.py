"""Whether each chat is what the server has: heads are compared, and a chat that differs is filled again (I14).

A head may be older or newer than what was pulled. So a chat is suspect only when the same head differs twice, and a pull
has reached the server's newest change in between.
"""

from collections.abc import Sequence
from functools import reduce
from hashlib import md5
from operator import xor
from typing import Final

from storage.exchange import Head
from storage.inbound import epochs
from storage.records import AccountId, ChatId
from storage.rows import encode
from storage.standing import held, openings
from storage.transaction import Reader, Transaction

_MOST_ROWS: Final = 20_000
"""Rows summed up in one transaction. Chats beyond wait for the next comparison; what was equal costs nothing."""


def compare(tx: Transaction, account_id: AccountId, heads: Sequence[Head]) -> int:
    """Notes which chats are equal, and which seem not to be. Returns how many became suspect.

    A chat with holes is not looked at; one of which the server has more than is known here has got a hole. For chats
    that nobody here has, all are asked for once more.
    """
    if _lacks_any(tx.db, heads):
        openings.ask_again(tx, account_id)
    (completed,) = tx.db.execute(
        "select completed from accounts where account_id = ?", (account_id,)
    ).fetchone()
    suspects, left = 0, _MOST_ROWS
    for head in heads:
        if left <= 0:
            break
        if not _is_comparable(tx, account_id, head):
            continue
        left -= head.last_sequence_num
        if digest(tx.db, head.chat_id) == (head.last_sequence_num, head.message_count, head.digest):
            _note(tx.db, head.chat_id, verified=head.digest)
        elif _is_repeated(tx.db, head, completed):
            epochs.suspect(tx, head.chat_id, head.last_sequence_num)
            suspects += 1
    if suspects:
        epochs.requeue_filled(tx, account_id, epochs.generation(tx, account_id))
    return suspects


def checked(tx: Transaction, account_id: AccountId) -> None:
    """All heads of the account have been compared."""
    tx.db.execute("update accounts set heads_checked_at = ? where account_id = ?", (tx.now(), account_id))
    tx.touch_accounts()


def checked_at(db: Reader, account_id: AccountId) -> str | None:
    """When all heads were compared last, RFC 3339 in UTC."""
    row = db.execute("select heads_checked_at from accounts where account_id = ?", (account_id,)).fetchone()
    return row[0] if row else None


def digest(db: Reader, chat_id: ChatId) -> tuple[int, int, str]:
    """The chat's last number, its live messages, and the xor over all rows of what the server computes of each.

    What the server has under the id of a message that is not confirmed here counts as the server has it.
    """
    rows = db.execute(
        "select coalesce(m.sequence_num, m.noted), m.message_id, m.revision, m.deleted_at is null from chats c "
        "join accounts a using (account_id) join messages m using (chat_id) "
        "where c.chat_id = ?1 and coalesce(m.sequence_num, m.noted) is not null and m.generation = a.generation "
        "union all select f.sequence_num, f.message_id, f.revision, 1 from chats c "
        "join accounts a using (account_id) join conflicts f using (chat_id) "
        "where c.chat_id = ?1 and f.generation = a.generation",
        (chat_id,),
    ).fetchall()
    return (
        max((row[0] for row in rows), default=0),
        sum(row[3] for row in rows),
        f"{reduce(xor, (_fingerprint(*row[:3]) for row in rows), 0):016x}",
    )


def _fingerprint(number: int, message_id: str, revision: int) -> int:
    text = f"{number}:{message_id}:{revision}"
    return int.from_bytes(md5(text.encode(), usedforsecurity=False).digest()[:8])


def _lacks_any(db: Reader, heads: Sequence[Head]) -> bool:
    (lacking,) = db.execute(
        "select exists (select 1 from json_each(?) where value not in (select chat_id from chats))",
        (encode([head.chat_id for head in heads]),),
    ).fetchone()
    return bool(lacking)


def _is_comparable(tx: Transaction, account_id: AccountId, head: Head) -> bool:
    row = tx.db.execute(
        "select verified, missing, suspect from chats where chat_id = ? and account_id = ?",
        (head.chat_id, account_id),
    ).fetchone()
    if row is None or (row[0] == head.digest and _live(tx.db, head.chat_id) == head.message_count):
        return False
    if held.known(tx, head.chat_id, head.last_sequence_num):
        tx.touch_messages(head.chat_id)
        return False
    return not (row[1] or row[2])


def _live(db: Reader, chat_id: ChatId) -> int:
    """The live messages that are here, counted by the index alone: one that got lost since all was equal shows."""
    (here,) = db.execute(
        "select count(*) from messages where chat_id = ? and sequence_num is not null and deleted_at is null",
        (chat_id,),
    ).fetchone()
    (beside,) = db.execute("select count(*) from conflicts where chat_id = ?", (chat_id,)).fetchone()
    return int(here + beside)


def _is_repeated(db: Reader, head: Head, completed: int) -> bool:
    (doubted,) = db.execute("select doubted from chats where chat_id = ?", (head.chat_id,)).fetchone()
    seen, _, at = (doubted or "").partition(":")
    if seen == head.digest:
        return completed > int(at)
    _note(db, head.chat_id, doubted=f"{head.digest}:{completed}")
    return False


def _note(db: Reader, chat_id: ChatId, *, verified: str | None = None, doubted: str | None = None) -> None:
    db.execute("update chats set verified = ?, doubted = ? where chat_id = ?", (verified, doubted, chat_id))
