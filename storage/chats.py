"""Chats: the rows of the list, their drafts, and whose they are."""

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import Final
from uuid import uuid4

from storage import accounts, edits, rows
from storage.content import clean
from storage.errors import UnknownChat
from storage.records import LOCAL_ACCOUNT, AccountId, Chat, ChatId
from storage.transaction import Reader, Transaction

MAX_TITLE: Final = 1000
"""Characters; the server takes no more."""

_FROM: Final = f"select {rows.CHAT}, c.activity from chats c left join drafts d on d.chat_id = c.chat_id"


def create(
    tx: Transaction, title: str, *, account_id: AccountId = LOCAL_ACCOUNT, chat_id: ChatId | None = None
) -> Chat:
    """A new chat, on top of the list; the server hears of it with the next push."""
    chat_id = chat_id or ChatId(str(uuid4()))
    now = tx.now()
    tx.db.execute(
        "insert into chats (chat_id, account_id, title, created_at, updated_at, activity) values (?, ?, ?, ?, ?, ?)",
        (chat_id, account_id, _title(title), now, now, next_activity(tx.db)),
    )
    edits.mark(tx, chat_id, edits.CREATION)
    tx.touch_chat(chat_id)
    return get(tx.db, chat_id)


def rename(tx: Transaction, chat_id: ChatId, title: str) -> Chat:
    """Gives the chat another title. Raises UnknownChat."""
    get(tx.db, chat_id)
    tx.db.execute("update chats set title = ? where chat_id = ?", (_title(title), chat_id))
    edits.mark(tx, chat_id, ("title",))
    tx.touch_chat(chat_id)
    return get(tx.db, chat_id)


def save_draft(tx: Transaction, chat_id: ChatId, text: str) -> None:
    """Keeps what stands in the composer. Raises UnknownChat."""
    text = clean(text)
    if get(tx.db, chat_id).draft == text:
        return
    if text:
        tx.db.execute(
            "insert into drafts (chat_id, text) values (?, ?) on conflict (chat_id) do update set text = excluded.text",
            (chat_id, text),
        )
    else:
        tx.db.execute("delete from drafts where chat_id = ?", (chat_id,))
    tx.touch_chat(chat_id)


def get(db: Reader, chat_id: ChatId) -> Chat:
    """The chat, deleted ones too. Raises UnknownChat."""
    row = db.execute(f"{_FROM} where c.chat_id = ?", (chat_id,)).fetchone()
    if row is None:
        raise _unknown(chat_id)
    return rows.chat(row[:-1])


def get_shown(db: Reader, chat_id: ChatId) -> Chat:
    """The chat, deleted ones too, unless it belongs to an account that is not the active one. Raises UnknownChat."""
    chat = get(db, chat_id)
    if chat.account_id not in accounts.shown(db):
        raise _unknown(chat_id)
    return chat


def list_chats(
    db: Reader, owners: Sequence[AccountId], limit: int = 1000, archived: bool = False
) -> list[Chat]:
    """The accounts' chats, newest activity first; of deleted ones those that hold messages not synced."""
    found = [
        db.execute(
            f"{_FROM} where c.account_id = ? and c.archived = ? "
            "and (c.deleted_at is null or c.pending > 0 or c.rejected > 0) order by c.activity desc limit ?",
            (account_id, int(archived), limit),
        ).fetchall()
        for account_id in dict.fromkeys(owners)
    ]
    newest_first = merge(*found, key=lambda row: -row[-1])
    return [rows.chat(row[:-1]) for row in islice(newest_first, limit)]


def adopt(tx: Transaction, account_id: AccountId) -> int:
    """Gives every signed-out chat to the account, ids unchanged. Returns how many; a second time none."""
    found = tx.db.execute(
        "select chat_id from chats where account_id = ? and deleted_at is null", (LOCAL_ACCOUNT,)
    ).fetchall()
    for (chat_id,) in found:
        tx.db.execute("update chats set account_id = ? where chat_id = ?", (account_id, chat_id))
        edits.mark(tx, chat_id, edits.CREATION)
        tx.touch_messages(chat_id)
    if found:
        # What the server holds of such a chat was left out while it was nobody's.
        tx.db.execute(
            "update accounts set epoch = null, change = 0, passed_over = 0 where account_id = ? and passed_over = 1",
            (account_id,),
        )
    return len(found)


def unadopted(db: Reader) -> int:
    """How many signed-out chats hold a message or a title."""
    (count,) = db.execute(
        "select count(*) from chats c where c.account_id = ? and c.deleted_at is null and (c.title <> '' "
        "or exists (select 1 from messages m where m.chat_id = c.chat_id))",
        (LOCAL_ACCOUNT,),
    ).fetchone()
    return int(count)


def _unknown(chat_id: ChatId) -> UnknownChat:
    return UnknownChat(f"There is no chat {chat_id} here: choose one from the list, or sync first")


def _title(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_TITLE]


def next_activity(db: Reader) -> int:
    """A place above every chat in the list."""
    (newest,) = db.execute("select max(activity) from chats").fetchone()
    return (newest or 0) + 1
