"""Deleting messages by naming them: here at once, on the server by an errand.

A message that waits may have reached the server already: it is hidden, goes out all the same, and is deleted there
once it is confirmed. Signed-out messages are nowhere else: they go at once.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from storage import accounts, aside, rows
from storage.exchange import ErrandKind, MessageChange
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, MessageId
from storage.standing import orders
from storage.transaction import Reader, Transaction

_MOST_IDS: Final = 200
"""In one errand; the server takes 500, and no more than 128 MiB of messages."""

_NAMED: Final = "chat_id = ?1 and message_id in (select value from json_each(?2))"


def delete(tx: Transaction, chat_id: ChatId, message_ids: Sequence[MessageId]) -> int:
    """Deletes these messages of the chat. Returns how many were shown. A second time does nothing.

    Of a message that was set aside because its id is another one's, that other one stays.
    """
    owner = accounts.owner_of(tx.db, chat_id)
    if owner is None:
        return 0
    ids = rows.encode(message_ids)
    gone = _bury(tx, owner, chat_id, _NAMED, ids)
    for (message_id,) in tx.db.execute(
        f"select message_id from messages where {_NAMED} and sync_state = 'rejected'", (chat_id, ids)
    ).fetchall():
        aside.discard(tx, chat_id, message_id)
        gone += 1
    return gone + _withdraw(tx, owner, chat_id, _NAMED, ids)


def clear(tx: Transaction, chat_id: ChatId) -> int:
    """Deletes all that the chat holds up to now, on the server up to its last known number. What comes later stays."""
    row = tx.db.execute("select account_id, last_num from chats where chat_id = ?", (chat_id,)).fetchone()
    if row is None:
        return 0
    owner, last = row
    everything = "chat_id = ?1 and ?2 is null"
    gone = tx.db.execute(
        "delete from messages where chat_id = ? and sync_state = 'rejected'", (chat_id,)
    ).rowcount
    tx.db.execute("delete from conflicts where chat_id = ?", (chat_id,))
    gone += len(_tombstones(tx, chat_id, everything, None))
    gone += _withdraw(tx, owner, chat_id, everything, None)
    if last and owner != LOCAL_ACCOUNT:
        orders.add(tx, owner, ErrandKind.CLEAR_CHAT, chat_id, {"p_through": last})
    tx.touch_messages(chat_id)
    return gone


def settle(tx: Transaction) -> None:
    """Verdicts came in: hidden messages that were confirmed are deleted on the server too.

    Hidden ones that were refused are nowhere else, and go; what the server has under their ids is shown.
    """
    hidden = tx.db.execute(
        "select m.chat_id, m.message_id, m.sync_state from messages m indexed by messages_withdrawn "
        "where m.withdrawn = 1 and m.sync_state <> 'pending'"
    ).fetchall()
    confirmed: defaultdict[ChatId, list[MessageId]] = defaultdict(list)
    for chat_id, message_id, state in hidden:
        tx.touch_messages(chat_id)
        if state == "synced":
            confirmed[chat_id].append(message_id)
        else:
            aside.discard(tx, chat_id, message_id)
    for chat_id, message_ids in confirmed.items():
        if (owner := accounts.owner_of(tx.db, chat_id)) is not None:
            _bury(tx, owner, chat_id, _NAMED, rows.encode(message_ids))


def repeat(tx: Transaction, account_id: AccountId, chat_id: ChatId, message_ids: Sequence[MessageId]) -> None:
    """The server, wound back, shows messages again that are deleted here: it is told once more (I12)."""
    _order(tx, account_id, chat_id, message_ids)


@dataclass(frozen=True, slots=True)
class Doomed:
    """What an account's errands are about to delete: the server may still show it as live."""

    ids: frozenset[tuple[ChatId, MessageId]]
    through: Mapping[ChatId, int]

    @classmethod
    def of(cls, db: Reader, account_id: AccountId) -> "Doomed":
        """What waits now, refused errands aside."""
        found = db.execute(
            f"select {orders.COLUMNS} from errands where account_id = ? and sync_error is null "
            "and kind in ('delete-messages', 'clear-chat') order by number",
            (account_id,),
        ).fetchall()
        ids: set[tuple[ChatId, MessageId]] = set()
        through: dict[ChatId, int] = {}
        for errand in map(orders.errand, found):
            chat_id = ChatId(errand.subject)
            if errand.kind is ErrandKind.CLEAR_CHAT:
                through[chat_id] = max(through.get(chat_id, 0), errand.body["p_through"])
            else:
                ids.update((chat_id, each) for each in errand.body["p_message_ids"])
        return cls(frozenset(ids), through)

    def seen(self, change: MessageChange) -> MessageChange:
        """The message as it is to be kept: a live one that is about to be deleted as deleted already."""
        key = (change.chat_id, change.message_id)
        if key in self.ids or change.sequence_num <= self.through.get(change.chat_id, 0):
            return buried(change)
        return change


def buried(change: MessageChange) -> MessageChange:
    """The message as its own tombstone."""
    return replace(change, deleted=True, content=(), annotations=None)


def _bury(tx: Transaction, owner: AccountId, chat_id: ChatId, where: str, ids: str | None) -> int:
    buried = _tombstones(tx, chat_id, where, ids)
    _order(tx, owner, chat_id, buried)
    return len(buried)


def _tombstones(tx: Transaction, chat_id: ChatId, where: str, ids: str | None) -> list[MessageId]:
    buried = tx.db.execute(
        "update messages set content = '[]', annotations = null, checksum = null, withdrawn = 0, deleted_at = ?3, "
        f"status = iif(status = 'streaming', 'interrupted', status) where {where} and sync_state = 'synced' "
        "and deleted_at is null returning message_id",
        (chat_id, ids, tx.now()),
    ).fetchall()
    if buried:
        tx.db.execute("update chats set verified = null where chat_id = ?", (chat_id,))
        tx.touch_messages(chat_id)
    return [message_id for (message_id,) in buried]


def _withdraw(tx: Transaction, owner: AccountId, chat_id: ChatId, where: str, ids: str | None) -> int:
    waiting = f"where {where} and sync_state = 'pending' and withdrawn = 0"
    if owner == LOCAL_ACCOUNT:
        found = tx.db.execute(f"delete from messages {waiting}", (chat_id, ids))
    else:
        found = tx.db.execute(f"update messages set withdrawn = 1 {waiting}", (chat_id, ids))
    if found.rowcount:
        tx.touch_messages(chat_id)
    return int(found.rowcount)


def _order(tx: Transaction, owner: AccountId, chat_id: ChatId, message_ids: Sequence[MessageId]) -> None:
    for start in range(0, len(message_ids), _MOST_IDS):
        part = list(message_ids[start : start + _MOST_IDS])
        orders.add(tx, owner, ErrandKind.DELETE_MESSAGES, chat_id, {"p_message_ids": part})
