"""Tables whose rows have fields to edit, and one row's fields as they stand."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from storage.records import AccountId
from storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Subject:
    """A table whose rows have fields to edit. `blank` is what the server gives a field that no save named."""

    table: str
    key: str
    blank: Mapping[str, Any]

    @property
    def creation(self) -> frozenset[str]:
        """The fields that the first save names."""
        return frozenset(self.blank) - {"deleted"}


CHATS: Final = Subject(
    "chats",
    "chat_id",
    {"title": "", "project_id": None, "model": None, "pinned": False, "archived": False, "deleted": False},
)
PROJECTS: Final = Subject(
    "projects",
    "project_id",
    {"name": "", "description": "", "status": "draft", "url_id": None, "deleted": False},
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row's unconfirmed and offered fields, and all its values as the wire has them.

    `generation` is the row's, None before its first save is confirmed; `shadow` as in storage.standing.edits.
    """

    edited: frozenset[str]
    offered: frozenset[str]
    values: dict[str, Any]
    generation: int | None
    account_generation: int
    shadow: dict[str, Any] | None

    @classmethod
    def find(
        cls, db: Reader, subject: Subject, key: str, account_id: AccountId | None = None
    ) -> "Row | None":
        """The row, None when it is not here or another account's."""
        named = ", ".join(f"s.{column(name)}" for name in subject.blank)
        row = db.execute(
            f"select s.edited, s.offered, s.generation, a.generation, s.shadow, {named} from {subject.table} s "
            f"join accounts a using (account_id) where s.{subject.key} = ?1 "
            "and s.account_id = coalesce(?2, s.account_id)",
            (key, account_id),
        ).fetchone()
        if row is None:
            return None
        edited, offered, generation, current, shadow, *columns = row
        values = {name: _told(name, value) for name, value in zip(subject.blank, columns, strict=True)}
        return cls(
            split(edited), split(offered), values, generation, current, json.loads(shadow) if shadow else None
        )

    @classmethod
    def read(cls, db: Reader, subject: Subject, key: str) -> "Row":
        """A row that is known to be here."""
        row = cls.find(db, subject, key)
        assert row is not None, "the caller holds this row"
        return row

    def is_older_than(self, generation: int) -> bool:
        """Whether the server has not shown it in this generation."""
        return self.generation is not None and self.generation < generation


def split(edited: str) -> frozenset[str]:
    """The column `edited` as a set."""
    return frozenset(filter(None, edited.split(",")))


def joined(names: Iterable[str]) -> str:
    """A set as the columns `edited` and `offered` hold it."""
    return ",".join(sorted(names))


def column(name: str) -> str:
    """The column of a field."""
    return "deleted_at" if name == "deleted" else name


def _told(name: str, value: object) -> object:
    if name == "deleted":
        return value is not None
    return bool(value) if name in ("pinned", "archived") else value


def stored(tx: Transaction, name: str, value: object) -> object:
    """A field's value as its column holds it."""
    if name == "deleted":
        return tx.now() if value else None
    return int(value) if isinstance(value, bool) else value
