"""Looks for damage that SQLite does not meet by itself: every page, and every message's sum."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

from storage.checksums import fits
from storage.errors import StoreCorrupt
from storage.file import steps
from storage.transaction import Reader

_COUNTED: Final = ("chats", "messages", "drafts")
_MOST: Final = 3


def faults(db: sqlite3.Connection) -> list[str]:
    """What is wrong with pages, rows, indexes and the schema; empty when all is well."""
    try:
        found = [str(row[0]) for row in db.execute(f"pragma integrity_check({_MOST})")]
        if found != ["ok"]:
            return [" ".join(each.split()) for each in found]
        return ["the schema is not what was written"] if is_strange(db) else []
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return [str(error)]


def is_strange(db: sqlite3.Connection) -> bool:
    """Whether the schema of a store that has all steps is not what these steps make."""
    if not set(steps.STEPS).issubset(steps.seen(db)):
        return False
    return _schema(db) != _expected()


def _schema(db: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    found = db.execute("select type, name, tbl_name, coalesce(sql, '') from sqlite_schema")
    return frozenset((*names, " ".join(sql.split())) for *names, sql in found)


@cache
def _expected() -> frozenset[tuple[str, ...]]:
    from sqlite_utils import Database

    from storage.file.migrations import MIGRATIONS

    with Database(memory=True, recursive_triggers=False, execute_plugins=False) as fresh:
        MIGRATIONS.apply(fresh)
        return _schema(fresh.conn)


def misfits(db: Reader) -> Iterator[int]:
    """Messages, by `local_order`, whose text is not what was written. Reads all: half a second at 100,000."""
    columns = "local_order, checksum, message_id, role, content, annotations"
    for local_order, *row in db.execute(f"select {columns} from messages where checksum is not null"):
        if not fits(*row):
            yield local_order


def counts(db: Reader) -> dict[str, int]:
    """Rows of the tables that hold a person's words."""
    known = {name for (name,) in db.execute("select name from sqlite_schema where type = 'table'")}
    return {
        table: db.execute(f"select count(*) from {table}").fetchone()[0]
        for table in _COUNTED
        if table in known
    }


def check_copy(copy: Path, path: Path, expected: dict[str, int]) -> None:
    """StoreCorrupt when the closed copy of the store `path` is damaged or holds other than the expected rows."""
    with closing(open_copy(copy)) as db:
        found = faults(db) or ([] if counts(db) == expected else ["rows are missing"])
    if found:
        raise StoreCorrupt(f"{path.name} is damaged ({found[0]}): let Homing repair it; nothing was deleted")


def open_copy(copy: Path) -> sqlite3.Connection:
    """A closed file that nobody writes, without leaving anything beside it."""
    return sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
