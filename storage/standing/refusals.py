"""Messages that are set aside with a reason: out of the queue, until a person has them sent again."""

from storage.records import ChatId, MessageId
from storage.transaction import Transaction


def reject(tx: Transaction, chat_id: ChatId, message_id: MessageId, reason: str) -> None:
    """Takes a pending message out of the queue; the reason is for people."""
    tx.db.execute(
        "update messages set sync_state = 'rejected', sync_error = ? "
        "where chat_id = ? and message_id = ? and sync_state = 'pending'",
        (reason, chat_id, message_id),
    )


def retry(tx: Transaction, chat_id: ChatId) -> int:
    """Queues all that the chat has set aside, but for ids that have another text on the server. Returns how many."""
    found = tx.db.execute(
        "update messages set sync_state = 'pending', sync_error = null where chat_id = ?1 and sync_state = 'rejected' "
        "and message_id not in (select c.message_id from conflicts c where c.chat_id = ?1)",
        (chat_id,),
    )
    tx.touch_messages(chat_id)
    return int(found.rowcount)
