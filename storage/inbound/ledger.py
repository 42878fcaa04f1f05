"""What is held of a server's messages, to be laid beside the server's own rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from storage import rows
from storage.exchange import Head
from storage.inbound import epochs, heads
from storage.records import AccountId, ChatId, MessageId, Part
from storage.transaction import Reader, Transaction

_WAITS: Final = "exists (select 1 from errands e where e.account_id = c.account_id and e.subject = c.chat_id)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as this device holds it. A deleted one has no content."""

    sequence_num: int
    deleted: bool
    content: tuple[Part, ...]


def agrees(db: Reader, head: Head) -> bool:
    """Whether the chat is held whole, and is by its digest what the server has."""
    row = db.execute(
        "select c.missing, exists (select 1 from messages m where m.chat_id = c.chat_id and m.deleted_at is null "
        "and m.sequence_num is not null and m.generation <> a.generation) "
        "from chats c join accounts a using (account_id) where c.chat_id = ?",
        (head.chat_id,),
    ).fetchone()
    if row is None:
        return head.last_sequence_num == 0
    return not any(row) and heads.digest(db, head.chat_id) == (
        head.last_sequence_num,
        head.message_count,
        head.digest,
    )


def chats(db: Reader, account_id: AccountId) -> Mapping[ChatId, bool]:
    """The account's chats that hold confirmed messages, and whether an order about them still waits for the server."""
    return dict(
        db.execute(
            f"select c.chat_id, {_WAITS} from chats c where c.account_id = ? and exists (select 1 from messages m "
            "where m.chat_id = c.chat_id and m.sequence_num is not null)",
            (account_id,),
        )
    )


def entries(db: Reader, account_id: AccountId, chat_id: ChatId) -> Mapping[MessageId, Entry]:
    """The confirmed messages of a chat, deleted ones included."""
    found = db.execute(
        f"select m.message_id, m.deleted_at is not null, {', '.join('m.' + name for name in rows.MESSAGE.split(', '))} "
        "from messages m join chats c using (chat_id) "
        "where c.account_id = ? and c.chat_id = ? and m.sequence_num is not null",
        (account_id, chat_id),
    )
    entries = {row[0]: _entry(row[1], row[2:]) for row in found}
    # Where two texts have one id, the server's is kept beside ours.
    for message_id, number, content in db.execute(
        "select message_id, sequence_num, content from conflicts where chat_id = ?", (chat_id,)
    ):
        entries[message_id] = Entry(number, False, tuple(json.loads(content)))
    return entries


def distrust(tx: Transaction, account_id: AccountId, last_nums: Mapping[ChatId, int]) -> None:
    """Has these chats filled again from the server; what it lacks of them is sent again."""
    for chat_id, last_num in last_nums.items():
        if tx.db.execute(
            "select 1 from chats where chat_id = ? and account_id = ?", (chat_id, account_id)
        ).fetchone():
            epochs.suspect(tx, chat_id, last_num)


def _entry(deleted: int, row: tuple[Any, ...]) -> Entry:
    message = rows.message(row)
    assert message.sequence_num is not None
    return Entry(message.sequence_num, bool(deleted), message.content)
