"""Chats: the rows of the list, their drafts, and whose they are."""

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import Final
from uuid import uuid4

from storage import accounts, projects, rows
from storage.content import clean
from storage.errors import UnknownChat, UnknownProject
from storage.records import LOCAL_ACCOUNT, AccountId, Chat, ChatId, ProjectId
from storage.standing import edits, fields, refusals
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
    edits.mark(tx, chat_id, fields.CHATS.creation)
    tx.touch_chat(chat_id)
    return get(tx.db, chat_id)


def rename(tx: Transaction, chat_id: ChatId, title: str) -> Chat:
    """Gives the chat another title. Raises UnknownChat."""
    return _set(tx, chat_id, "title", _title(title))


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
    """The accounts' chats, newest activity first; of those deleted elsewhere the ones that hold messages not synced."""
    found = [
        db.execute(
            f"{_FROM} where c.account_id = ? and c.archived = ? "
            "and (c.deleted_at is null or c.pending > 0 or c.rejected > 0) "
            "and (c.deleted_at is null or c.discarded = 0) order by c.activity desc limit ?",
            (account_id, int(archived), limit),
        ).fetchall()
        for account_id in dict.fromkeys(owners)
    ]
    newest_first = merge(*found, key=lambda row: -row[-1])
    return [rows.chat(row[:-1]) for row in islice(newest_first, limit)]


def pin(tx: Transaction, chat_id: ChatId, pinned: bool = True) -> Chat:
    """Keeps the chat at the top, or no longer. Raises UnknownChat."""
    return _set(tx, chat_id, "pinned", int(pinned))


def archive(tx: Transaction, chat_id: ChatId, archived: bool = True) -> Chat:
    """Takes the chat out of the list without deleting it, or back. Raises UnknownChat."""
    return _set(tx, chat_id, "archived", int(archived))


def set_project(tx: Transaction, chat_id: ChatId, project_id: ProjectId | None) -> Chat:
    """Puts the chat into a project of its account, or into none. Raises UnknownChat or UnknownProject."""
    owner = get(tx.db, chat_id).account_id
    if project_id is not None:
        project = projects.get(tx.db, project_id)
        if project.account_id != owner or project.deleted:
            raise UnknownProject("This project is another account's or was deleted: choose another one")
    return _set(tx, chat_id, "project_id", project_id)


def delete(tx: Transaction, chat_id: ChatId) -> Chat:
    """Deletes the chat on every device. What it holds stays for `restore`, out of the list. Raises UnknownChat."""
    chat = get(tx.db, chat_id)
    tx.db.execute("update chats set discarded = 1 where chat_id = ?", (chat_id,))
    return get(tx.db, chat_id) if chat.deleted else _set(tx, chat_id, "deleted", tx.now())


def restore(tx: Transaction, chat_id: ChatId) -> Chat:
    """Brings a deleted chat back; what could not be sent in it meanwhile gets another try. Raises UnknownChat."""
    if not get(tx.db, chat_id).deleted:
        return get(tx.db, chat_id)
    refusals.retry(tx, chat_id)
    tx.db.execute("update chats set discarded = 0 where chat_id = ?", (chat_id,))
    return _set(tx, chat_id, "deleted", None)


def claim(tx: Transaction, account_id: AccountId, chat_id: ChatId, created_at: str) -> bool:
    """Whether a chat that the account's server knows is the account's here; one that is not here is made.

    Another account of this computer may hold a chat of the same id: nothing of it is touched (I21).
    """
    owner = accounts.owner_of(tx.db, chat_id)
    if owner is None:
        tx.db.execute(
            "insert into chats (chat_id, account_id, created_at, updated_at, activity, generation) "
            "select ?1, account_id, ?3, ?3, ?4, generation from accounts where account_id = ?2",
            (chat_id, account_id, created_at, next_activity(tx.db)),
        )
        tx.touch_chat(chat_id)
    elif owner == LOCAL_ACCOUNT:
        pass_over(tx, account_id)
    return owner in (None, account_id)


def rank(tx: Transaction, account_id: AccountId) -> None:
    """Lists the chats whose newest message is still on the server only by when the server took it, the last on top."""
    absent = tx.db.execute(
        "select chat_id from chats where account_id = ? and missing > 0 and top_missing = 1 order by updated_at, activity",
        (account_id,),
    ).fetchall()
    first = next_activity(tx.db)
    for place, (chat_id,) in enumerate(absent):
        tx.db.execute("update chats set activity = ? where chat_id = ?", (first + place, chat_id))
        tx.touch_chat(chat_id)


def pass_over(tx: Transaction, account_id: AccountId) -> None:
    """Notes that the account's server holds something that is nobody's here: its adoption asks for it again."""
    tx.db.execute("update accounts set passed_over = 1 where account_id = ?", (account_id,))


def unadopted(db: Reader) -> int:
    """How many signed-out chats hold a message or a title."""
    (count,) = db.execute(
        "select count(*) from chats c where c.account_id = ? and c.deleted_at is null and (c.title <> '' "
        "or exists (select 1 from messages m where m.chat_id = c.chat_id))",
        (LOCAL_ACCOUNT,),
    ).fetchone()
    return int(count)


def _set(tx: Transaction, chat_id: ChatId, name: str, value: str | int | None) -> Chat:
    get(tx.db, chat_id)
    column = "deleted_at" if name == "deleted" else name
    tx.db.execute(f"update chats set {column} = ? where chat_id = ?", (value, chat_id))
    edits.mark(tx, chat_id, (name,))
    tx.touch_chat(chat_id)
    return get(tx.db, chat_id)


def _unknown(chat_id: ChatId) -> UnknownChat:
    return UnknownChat(f"There is no chat {chat_id} here: choose one from the list, or sync first")


def _title(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_TITLE]


def next_activity(db: Reader) -> int:
    """A place above every chat in the list."""
    (newest,) = db.execute("select max(activity) from chats").fetchone()
    return (newest or 0) + 1
