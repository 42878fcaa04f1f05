"""How many messages of a chat wait or were set aside: counted by whoever confirms them, by triggers for the rest."""

from collections.abc import Iterable, Mapping
from typing import Final

from storage.records import ChatId
from storage.rows import encode
from storage.transaction import Transaction

_OLDEST: Final = (
    "(select m.local_order from messages m where m.chat_id = chats.chat_id and m.sync_state = 'pending' "
    "order by m.local_order limit 1)"
)


def confirmed(tx: Transaction, pending: Mapping[ChatId, int]) -> None:
    """So many messages of each chat, which waited, have become synced in this transaction."""
    tx.db.execute(
        "with told (chat_id, number) as materialized (select key, value from json_each(?)) "
        f"update chats set pending = pending - told.number, oldest_pending = {_OLDEST} "
        "from told where chats.chat_id = told.chat_id",
        (encode(pending),),
    )
    _settle(tx, pending)


def recount(tx: Transaction, chat_ids: Iterable[ChatId]) -> None:
    """As `confirmed`, where it is not known how many waited and how many were set aside. Looks at all that do."""
    told = list(chat_ids)
    for chat_id in told:
        tx.db.execute(
            "update chats set pending = (select count(*) from messages m where m.chat_id = ?1 "
            "and m.sync_state = 'pending'), rejected = (select count(*) from messages m where m.chat_id = ?1 "
            f"and m.sync_state = 'rejected'), oldest_pending = {_OLDEST} where chat_id = ?1",
            (chat_id,),
        )
    _settle(tx, told)


def _settle(tx: Transaction, chat_ids: Iterable[ChatId]) -> None:
    """What was kept of other words under the ids of synced messages is of no more use."""
    tx.db.execute(
        "delete from conflicts where chat_id in (select value from json_each(?)) and exists (select 1 from messages m "
        "where m.chat_id = conflicts.chat_id and m.message_id = conflicts.message_id and m.sync_state = 'synced')",
        (encode(list(chat_ids)),),
    )
