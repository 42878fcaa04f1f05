"""A server that was wound back: finds what it lost and queues it again (I12).

Each reset of an account begins a new generation, and each row carries the generation in which the server last showed
or confirmed it. When a reset pull reaches the head, live rows of older generations are what the server lacks.
"""

from typing import Final

from storage import edits
from storage.records import AccountId, ChatId
from storage.transaction import Transaction

_LOST: Final = "m.sync_state = 'synced' and m.deleted_at is null and m.generation < :generation"


def generation(tx: Transaction, account_id: AccountId) -> int:
    """The account's current generation."""
    row = tx.db.execute("select generation from accounts where account_id = ?", (account_id,)).fetchone()
    return int(row[0]) if row else 0


def begin(tx: Transaction, account_id: AccountId) -> int:
    """Starts the next generation; everything held counts as lost until the server shows it again."""
    tx.db.execute(
        "update accounts set generation = generation + 1, recovering = max(recovering, exists ("
        "  select 1 from chats c where c.account_id = ?1 and c.deleted_at is null and (c.generation is not null "
        "  or exists (select 1 from messages m where m.chat_id = c.chat_id and m.sequence_num is not null "
        "  and m.deleted_at is null)))) where account_id = ?1",
        (account_id,),
    )
    return generation(tx, account_id)


def finish(tx: Transaction, account_id: AccountId, generation: int) -> None:
    """The pull reached the head: after a reset, queues what the server did not show."""
    (recovering,) = tx.db.execute(
        "select recovering from accounts where account_id = ?", (account_id,)
    ).fetchone()
    if not recovering:
        return
    tx.db.execute("update accounts set recovering = 0 where account_id = ?", (account_id,))
    for chat_id in _lost_chats(tx, account_id, generation):
        tx.db.execute("update chats set generation = null where chat_id = ?", (chat_id,))
        edits.mark(tx, chat_id, edits.CREATION)
        tx.touch_chat(chat_id)
    for chat_id in _chats_with_lost_messages(tx, account_id, generation):
        _requeue_messages(tx, chat_id, generation)
        tx.touch_messages(chat_id)


def _lost_chats(tx: Transaction, account_id: AccountId, generation: int) -> list[ChatId]:
    rows = tx.db.execute(
        "select chat_id from chats where account_id = ? and deleted_at is null and generation < ?",
        (account_id, generation),
    )
    return [chat_id for (chat_id,) in rows]


def _chats_with_lost_messages(tx: Transaction, account_id: AccountId, generation: int) -> list[ChatId]:
    rows = tx.db.execute(
        "select c.chat_id from chats c where c.account_id = :account_id and c.deleted_at is null "
        f"and exists (select 1 from messages m where m.chat_id = c.chat_id and m.sequence_num is not null and {_LOST})",
        {"account_id": account_id, "generation": generation},
    )
    return [chat_id for (chat_id,) in rows]


def _requeue_messages(tx: Transaction, chat_id: ChatId, generation: int) -> None:
    # Lost messages come before what was never sent, in their old order: so the author's order holds (I8). All of
    # them get new places at the end, the only ones that are surely free.
    tx.db.execute(
        "with moved as ("
        "  select m.local_order as place, row_number() over (order by m.sequence_num is null, m.sequence_num, "
        "  m.local_order) + (select max(local_order) from messages) as new_place "
        f"  from messages m where m.chat_id = :chat_id and (m.sync_state <> 'synced' or ({_LOST}))"
        ") update messages set local_order = new_place, sequence_num = null, sync_state = "
        "case sync_state when 'synced' then 'pending' else sync_state end "
        "from moved where messages.local_order = moved.place",
        {"chat_id": chat_id, "generation": generation},
    )
