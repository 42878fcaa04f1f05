"""How many messages of a chat wait or were set aside: counted by whoever confirms them, by triggers for the rest."""

from storage.records import ChatId
from storage.transaction import Transaction


def confirmed(tx: Transaction, chat_id: ChatId, *, pending: int, rejected: int = 0) -> None:
    """So many messages of the chat that waited, or were set aside, have become synced in this transaction.

    What was kept of other words under their ids is of no more use.
    """
    if not (pending or rejected):
        return
    tx.db.execute(
        "update chats set pending = pending - ?2, rejected = rejected - ?3, oldest_pending = ("
        "select m.local_order from messages m where m.chat_id = ?1 and m.sync_state = 'pending' "
        "order by m.local_order limit 1) where chat_id = ?1",
        (chat_id, pending, rejected),
    )
    tx.db.execute(
        "delete from conflicts where chat_id = ?1 and exists (select 1 from messages m where m.chat_id = ?1 "
        "and m.message_id = conflicts.message_id and m.sync_state = 'synced')",
        (chat_id,),
    )
