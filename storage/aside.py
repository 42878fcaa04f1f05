"""What is set aside: sent again as it is or edited, dropped, or, where two texts have one id, chosen between.

Each of these is one transaction, and a second time changes nothing: the new id of a text follows from the old one.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

from storage import messages, rows
from storage.checksums import checksum
from storage.content import normalise
from storage.errors import InvalidMessage, UnknownChat
from storage.records import AccountId, ChatId, Message, MessageId, Part, SyncState
from storage.standing import orders, refusals
from storage.transaction import Reader, Transaction

_NAMESPACE: Final = UUID("6d1f6a0e-5a0c-4c0f-9d0a-3f3f1f0f7a11")
_GONE: Final = "This message is not here any more: choose another"
_KEY: Final = "where chat_id = ? and message_id = ?"
_THEIRS: Final = (
    "select chat_id, message_id, sequence_num, role, content, annotations, turn_id, status, 'synced', null, "
    "created_at, null, 0"
)


def retry(tx: Transaction, chat_id: ChatId, message_id: MessageId) -> Message:
    """Queues a message that was set aside again. Raises InvalidMessage when it is not here, or two texts have its id."""
    if conflict(tx.db, chat_id, message_id) is not None:
        raise InvalidMessage("The server has another text under this id: choose which one to keep")
    message = messages.get(tx.db, chat_id, message_id)
    if message is None:
        raise InvalidMessage(_GONE)
    tx.db.execute(
        "update messages set sync_state = 'pending', sync_error = null "
        "where chat_id = ? and message_id = ? and sync_state = 'rejected'",
        (chat_id, message_id),
    )
    tx.db.execute("update chats set sync_error = null where chat_id = ?", (chat_id,))
    tx.touch_messages(chat_id)
    return messages.get(tx.db, chat_id, message_id) or message


def retry_all(tx: Transaction, account_ids: Sequence[AccountId]) -> int:
    """Queues all that the accounts have set aside, but for what a person has to choose. Returns how many things.

    Messages in deleted chats wait for their chat to be restored.
    """
    owners = rows.encode(account_ids)
    mine = "account_id in (select value from json_each(?))"
    found = tx.db.execute(
        f"select chat_id, rejected > 0 and deleted_at is null, sync_error is not null from chats where {mine} "
        "and (rejected > 0 or sync_error is not null)",
        (owners,),
    ).fetchall()
    count = sum(_retry_chat(tx, *row) for row in found)
    projects = tx.db.execute(
        f"update projects set sync_error = null where {mine} and sync_error is not null", (owners,)
    ).rowcount
    if projects:
        tx.touch_projects()
    return count + int(projects) + orders.retry(tx, account_ids)


def resend(tx: Transaction, chat_id: ChatId, message_id: MessageId, content: str | Sequence[Part]) -> Message:
    """Sends an edited text in the old place under a new id, for the server may know the old one with the old text.

    What the server has under the old id is shown as well. Raises InvalidMessage or UnknownChat; nothing is changed then.
    """
    parts = rows.encode(normalise(content))
    return _renew(tx, chat_id, message_id, _id(chat_id, message_id, parts), parts)


def discard(tx: Transaction, chat_id: ChatId, message_id: MessageId) -> None:
    """Drops a message that was set aside; where the server has another text under its id, that one stays."""
    gone = tx.db.execute(
        "delete from messages where chat_id = ? and message_id = ? and sync_state = 'rejected'",
        (chat_id, message_id),
    )
    if gone.rowcount:
        _show_theirs(tx, chat_id, message_id)
        tx.touch_messages(chat_id)


def conflict(db: Reader, chat_id: ChatId, message_id: MessageId) -> tuple[Message, Message] | None:
    """The text here and the one on the server that has the same id; None where there is no such choice."""
    theirs = db.execute(f"{_THEIRS} from conflicts {_KEY}", (chat_id, message_id)).fetchone()
    mine = messages.get(db, chat_id, message_id)
    if theirs is None or mine is None or mine.sync_state is not SyncState.REJECTED:
        return None
    return mine, rows.message(theirs)


def keep_mine(tx: Transaction, chat_id: ChatId, message_id: MessageId) -> Message:
    """Sends the text here as a message of its own, under a new id; the server's stays where it is.

    Raises InvalidMessage when the message is not set aside.
    """
    return _renew(tx, chat_id, message_id, _id(chat_id, message_id, ""), None)


def keep_theirs(tx: Transaction, chat_id: ChatId, message_id: MessageId) -> None:
    """Shows the server's text in place of the one here. Without a conflict nothing is changed."""
    if conflict(tx.db, chat_id, message_id) is None:
        return
    tx.db.execute(
        "delete from messages where chat_id = ? and message_id = ? and sync_state <> 'synced'",
        (chat_id, message_id),
    )
    _show_theirs(tx, chat_id, message_id)
    tx.touch_messages(chat_id)


def _renew(
    tx: Transaction, chat_id: ChatId, message_id: MessageId, new_id: MessageId, content: str | None
) -> Message:
    if (done := messages.get(tx.db, chat_id, new_id)) is not None:
        return done
    chat = tx.db.execute("select deleted_at from chats where chat_id = ?", (chat_id,)).fetchone()
    if chat is None or chat[0] is not None:
        raise UnknownChat("This chat was deleted: restore it first, or copy the text into another chat")
    row = tx.db.execute(
        "select role, coalesce(?, content), annotations from messages "
        "where chat_id = ? and message_id = ? and sync_state = 'rejected'",
        (content, chat_id, message_id),
    ).fetchone()
    if row is None:
        raise InvalidMessage("This message is not set aside: write a new one")
    # Without its turn, which may be another message's by now. Its place in the order is this device's own.
    tx.db.execute(
        "update messages set message_id = ?, content = ?, checksum = ?, turn_id = null, sync_state = 'pending', "
        "sync_error = null, deleted_at = null, revision = 0, generation = 0 where chat_id = ? and message_id = ?",
        (new_id, row[1], checksum(new_id, *row), chat_id, message_id),
    )
    _show_theirs(tx, chat_id, message_id)
    tx.touch_messages(chat_id)
    message = messages.get(tx.db, chat_id, new_id)
    assert message is not None
    return message


def _retry_chat(tx: Transaction, chat_id: ChatId, live: int, refused: int) -> int:
    count = refusals.retry(tx, chat_id) if live else 0
    if refused:
        tx.db.execute("update chats set sync_error = null where chat_id = ?", (chat_id,))
    tx.touch_messages(chat_id)
    return count + refused


def _show_theirs(tx: Transaction, chat_id: ChatId, message_id: MessageId) -> None:
    copied = (
        "chat_id, message_id, sequence_num, role, content, annotations, turn_id, status, created_at, revision, "
        "generation"
    )
    row = tx.db.execute(f"select {copied} from conflicts {_KEY}", (chat_id, message_id)).fetchone()
    if row is None:
        return
    tx.db.execute(
        f"insert into messages ({copied}, sync_state, checksum) values ({'?, ' * 11}'synced', ?)",
        (*row, checksum(message_id, *row[3:6])),
    )
    # A server that was wound back since does not have it any more, and gets it from here.
    tx.db.execute(
        "update messages set sync_state = 'pending', sequence_num = null, revision = 0, "
        "status = iif(status = 'streaming', 'interrupted', status) where chat_id = ? and message_id = ? and generation < "
        "(select a.generation from chats c join accounts a using (account_id) where c.chat_id = messages.chat_id)",
        (chat_id, message_id),
    )
    tx.db.execute(f"delete from conflicts {_KEY}", (chat_id, message_id))
    tx.db.execute("update chats set verified = null where chat_id = ?", (chat_id,))


def _id(chat_id: ChatId, message_id: MessageId, content: str) -> MessageId:
    return MessageId(str(uuid5(_NAMESPACE, f"{chat_id}\n{message_id}\n{content}")))
