"""Reads a damaged store: by SQLite as far as it gets, then page by page as the file format lays rows down (I33).

A page that is read by itself does not know its table: a row belongs where its columns fit. Pages that SQLite has freed
are left out as long as their list can be read.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from storage.file.schema import looking
from storage.file.translate import lenient
from storage.rescue import pages

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the current schema declares it.

    `required`: never null; `added`: rows written before it came do without it; `rowid`: it is the row's number, which is
    not in the row.
    """

    name: str
    type: str
    required: bool
    added: bool
    rowid: bool


def columns(db: sqlite3.Connection, table: str) -> tuple[Column, ...]:
    """The table's columns in their order."""
    found = db.execute(
        'select name, type, "notnull", dflt_value, pk from pragma_table_info(?)', (table,)
    ).fetchall()
    keys = [each for each in found if each[-1]]
    return tuple(
        Column(
            name,
            kind,
            bool(required or key),
            default is not None or not (required or key),
            bool(key) and kind.upper() == "INTEGER" and len(keys) == 1,
        )
        for name, kind, required, default, key in found
    )


class Wreck:
    """One damaged file with its log. Nothing is written to either."""

    def __init__(self, path: Path, *, short_log: bool) -> None:
        self._path = path
        self._short_log = short_log
        self._image: pages.Image | None = None

    def rows(self, table: str, columns: Sequence[Column]) -> Iterator[Row]:
        """Every row that can be read, some perhaps twice: the first one is the newer."""
        if self._short_log:
            yield from self._by_pages(columns, self._pages().behind())
        try:
            yield from self._by_sqlite(table, columns)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            yield from self._by_pages(columns, self._pages().current())

    def is_whole(self, table: str, columns: Sequence[Column]) -> bool:
        """Whether SQLite reads the table from end to end."""
        try:
            for _ in self._by_sqlite(table, columns):
                pass
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False
        return not self._short_log

    def _by_sqlite(self, table: str, columns: Sequence[Column]) -> Iterator[Row]:
        with closing(self._open()) as db:
            held = {name for (name,) in db.execute("select name from pragma_table_info(?)", (table,))}
            names = [column.name for column in columns if column.name in held]
            if names:
                for row in db.execute(f"select {', '.join(names)} from {table} not indexed"):
                    yield dict(zip(names, row, strict=True))

    def _by_pages(self, columns: Sequence[Column], records: Iterator[pages.Record]) -> Iterator[Row]:
        yield from (row for record in records if (row := _fitted(columns, record)) is not None)

    def _pages(self) -> pages.Image:
        if self._image is None:
            self._image = pages.Image(self._path)
        return self._image

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(looking(self._path), uri=True)
        db.text_factory = lenient
        return db


def _fitted(columns: Sequence[Column], record: pages.Record) -> Row | None:
    stored = record.values
    if len(stored) > len(columns) or not all(column.added for column in columns[len(stored) :]):
        return None
    row: Row = {}
    for column, value in zip(columns, stored, strict=False):
        if column.rowid:
            if value is not None or record.rowid is None:
                return None
            value = record.rowid
        if not _is(value, column):
            return None
        row[column.name] = value
    return row


_TYPES: Final[Mapping[str, type]] = {"TEXT": str, "INTEGER": int}


def _is(value: object, column: Column) -> bool:
    return not column.required if value is None else isinstance(value, _TYPES[column.type.upper()])
