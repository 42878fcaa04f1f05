"""A server that was wound back: finds what it lost and queues it again (I12).

Each reset of an account begins a new generation, and each row carries the generation in which the server last showed
or confirmed it. When a reset pull reaches the head, live rows of older generations are what the server lacks.
"""

from typing import Final

from storage import snapshots
from storage.inbound import kinds
from storage.records import AccountId, ChatId
from storage.standing import edits, held, orders
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
        "  select 1 from projects p where p.account_id = ?1 and p.generation is not null), exists ("
        "  select 1 from chats c where c.account_id = ?1 and c.deleted_at is null and (c.generation is not null "
        "  or exists (select 1 from messages m where m.chat_id = c.chat_id and m.sequence_num is not null "
        "  and m.deleted_at is null)))) where account_id = ?1",
        (account_id,),
    )
    held.forget(tx, account_id)
    edits.forget_changes(tx, account_id)
    snapshots.forget_revisions(tx, account_id)
    orders.forget_numbers(tx, account_id)
    return generation(tx, account_id)


def begin_opening(tx: Transaction, account_id: AccountId) -> int:
    """As `begin`, where no pull in the order of changes follows: each chat is looked at once it is filled again."""
    current = begin(tx, account_id)
    tx.db.execute("update accounts set recovering = 0 where account_id = ?", (account_id,))
    tx.db.execute(
        "update chats set suspect = 1 where account_id = ? and deleted_at is null and exists (select 1 from messages m "
        "where m.chat_id = chats.chat_id and m.sequence_num is not null and m.deleted_at is null)",
        (account_id,),
    )
    return current


def suspect(tx: Transaction, chat_id: ChatId, last_num: int) -> None:
    """The chat is not what the server has: every row of it counts as lost until the server shows it again."""
    tx.db.execute(
        "update messages set generation = -1 where chat_id = ? and sync_state = 'synced'", (chat_id,)
    )
    held.forget_chat(tx, chat_id, last_num)
    tx.db.execute("update chats set suspect = 1, doubted = null where chat_id = ?", (chat_id,))
    tx.touch_messages(chat_id)


def finish(tx: Transaction, account_id: AccountId, generation: int) -> None:
    """The pull reached the head: after a reset, queues what the server did not show."""
    (recovering,) = tx.db.execute(
        "select recovering from accounts where account_id = ?", (account_id,)
    ).fetchone()
    if not recovering:
        return
    tx.db.execute("update accounts set recovering = 0 where account_id = ?", (account_id,))
    _requeue_chats(tx, account_id, generation)
    kinds.requeue_lost(tx, account_id, generation)
    for chat_id in _chats_with_lost_messages(tx, account_id, generation):
        _requeue_messages(tx, chat_id, generation)


def requeue_unseen(tx: Transaction, account_id: AccountId, generation: int) -> None:
    """The summary is whole: queues the chats that it did not show, with all that they hold."""
    for chat_id in _requeue_chats(tx, account_id, generation):
        _acquit(tx, chat_id, generation)
    kinds.requeue_lost(tx, account_id, generation)


def requeue_filled(tx: Transaction, account_id: AccountId, generation: int) -> None:
    """Of suspect chats that are whole again: queues what the server did not show (I14)."""
    filled = tx.db.execute(
        "select chat_id from chats where account_id = ? and suspect = 1 and missing = 0 and generation = ?",
        (account_id, generation),
    ).fetchall()
    for (chat_id,) in filled:
        _acquit(tx, chat_id, generation)


def _acquit(tx: Transaction, chat_id: ChatId, generation: int) -> None:
    tx.db.execute("update chats set suspect = 0 where chat_id = ?", (chat_id,))
    _requeue_messages(tx, chat_id, generation)


def _requeue_chats(tx: Transaction, account_id: AccountId, generation: int) -> list[ChatId]:
    lost = _lost_chats(tx, account_id, generation)
    for chat_id in lost:
        edits.mark_new(tx, chat_id)
        tx.touch_chat(chat_id)
    return lost


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
    tx.touch_messages(chat_id)
