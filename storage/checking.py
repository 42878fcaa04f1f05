"""Looks whether a store is sound, without writing to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.connections import open_reader
from storage.errors import StorageError
from storage.schema import is_current
from storage.translate import translated

_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One check's outcome, in one line for people."""

    check: str
    healthy: bool
    words: str


def examine(path: Path) -> Iterator[Check]:
    """The checks in order, each as soon as it is known. One that shows that the rest makes no sense is the last."""
    if not path.exists():
        yield Check("store", True, f"nothing is stored yet in {path.parent}")
        return
    try:
        if not is_current(path):
            yield Check(
                "store", True, "an older version wrote it: the next start of Homing brings it up to date"
            )
            return
        yield Check("store", True, f"{path} can be read")
        with translated(path), closing(open_reader(path)) as db:
            db.execute("begin")
            yield _integrity(db)
            yield _references(db)
            yield from _messages(db)
    except StorageError as error:
        yield Check("store", False, str(error))


def _integrity(db: sqlite3.Connection) -> Check:
    faults = [str(row[0]) for row in db.execute("pragma quick_check")]
    if faults == ["ok"]:
        return Check("integrity", True, "no damage")
    return Check(
        "integrity",
        False,
        f"Damaged ({'; '.join(faults[:_MOST])}): copy the file elsewhere, move it away and sync again.",
    )


def _references(db: sqlite3.Connection) -> Check:
    orphans = len(db.execute("pragma foreign_key_check").fetchall())
    if not orphans:
        return Check("references", True, "every row belongs to something")
    return Check(
        "references", False, f"{orphans} rows belong to nothing: copy the file elsewhere, then sync again."
    )


def _messages(db: sqlite3.Connection) -> Iterator[Check]:
    (chats,) = db.execute("select count(*) from chats").fetchone()
    counted = dict(db.execute("select sync_state, count(*) from messages group by sync_state").fetchall())
    yield Check(
        "messages",
        True,
        f"{counted.get('synced', 0)} synced, {counted.get('pending', 0)} not yet synced and "
        f"{counted.get('rejected', 0)} set aside in {chats} chats",
    )
    (oldest,) = db.execute("select min(created_at) from messages where sync_state = 'pending'").fetchone()
    if oldest is not None:
        yield Check("pending", True, f"the oldest message that is not yet synced was written at {oldest}")
