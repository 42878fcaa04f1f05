"""Which fields of a chat the server has not confirmed."""

from collections.abc import Iterable
from typing import Any, Final

from storage.exchange import ChatEdit
from storage.records import ChatId
from storage.transaction import Reader, Transaction

FIELDS: Final = ("title", "project_id", "model", "pinned", "archived", "deleted")
CREATION: Final = frozenset(FIELDS) - {"deleted"}
"""The fields that the first save of a chat names."""

COLUMNS: Final = "chat_id, revision, edited, title, project_id, model, pinned, archived, deleted_at"


def mark(tx: Transaction, chat_id: ChatId, fields: Iterable[str]) -> None:
    """Adds the fields to the chat's unconfirmed ones. A chat that the server refused gets another try."""
    edited = marked(tx.db, chat_id).union(fields)
    tx.db.execute(
        "update chats set edited = ?, revision = revision + 1, sync_error = null where chat_id = ?",
        (",".join(sorted(edited)), chat_id),
    )


def marked(db: Reader, chat_id: ChatId) -> frozenset[str]:
    """The chat's unconfirmed fields."""
    (edited,) = db.execute("select edited from chats where chat_id = ?", (chat_id,)).fetchone()
    return split(edited)


def split(edited: str) -> frozenset[str]:
    """The column `edited` as a set."""
    return frozenset(filter(None, edited.split(",")))


def edit(row: tuple[Any, ...]) -> ChatEdit:
    """From the columns of COLUMNS, with the values as the wire has them."""
    chat_id, revision, edited, title, project_id, model, pinned, archived, deleted_at = row
    values = (title, project_id, model, bool(pinned), bool(archived), deleted_at is not None)
    names = split(edited)
    return ChatEdit(
        chat_id, revision, {name: value for name, value in zip(FIELDS, values, strict=True) if name in names}
    )
