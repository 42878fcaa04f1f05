"""Looks whether a store is sound, without writing to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.errors import StorageError
from storage.file import backups, ballast, soundness
from storage.file.connections import open_reader
from storage.file.schema import is_current
from storage.file.translate import lenient, translated

_REPAIR: Final = "let Homing repair it, with homing doctor --repair; nothing is deleted"
_WRONG_RANGES: Final = """
    with sums as (
        select chat_id, sum(last - first + 1) as numbers, max(last) as last, min(first) as first,
            sum(first <= before) as touching
        from (select *, lag(last, 1, -1) over (partition by chat_id order by first) + 1 as before from held)
        group by chat_id
    )
    select count(*) from chats c left join sums s using (chat_id)
    where c.missing <> c.last_num - coalesce(s.numbers, 0) or coalesce(s.last, 0) > c.last_num
        or coalesce(s.first, 1) < 1 or coalesce(s.touching, 0) > 0
"""
"""Chats whose ranges overlap, touch, lead beyond the last number, or miss other numbers than the chat counts."""


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
            yield (integrity := _integrity(db))
            if not integrity.healthy:
                return
            yield _references(db)
            yield _texts(db)
            yield _ranges(db)
            yield from _messages(db)
        yield _backups(path)
        yield _ballast(path)
    except StorageError as error:
        yield Check("store", False, str(error))


def _integrity(db: sqlite3.Connection) -> Check:
    if faults := soundness.faults(db):
        return Check("integrity", False, f"Damaged ({'; '.join(faults)}): {_REPAIR}")
    return Check("integrity", True, "no damage")


def _references(db: sqlite3.Connection) -> Check:
    orphans = len(db.execute("pragma foreign_key_check").fetchall())
    if not orphans:
        return Check("references", True, "every row belongs to something")
    return Check("references", False, f"{orphans} rows belong to nothing: {_REPAIR}")


def _texts(db: sqlite3.Connection) -> Check:
    db.text_factory = lenient
    if found := sum(1 for _ in soundness.misfits(db)):
        return Check("texts", False, f"{found} messages are not what was written: {_REPAIR}")
    return Check("texts", True, "every message is what was written")


def _ranges(db: sqlite3.Connection) -> Check:
    (wrong,) = db.execute(_WRONG_RANGES).fetchone()
    (missing,) = db.execute("select coalesce(sum(missing), 0) from chats").fetchone()
    if wrong:
        return Check("history", False, f"What is held of {wrong} chats does not add up: {_REPAIR}")
    return Check("history", True, f"{missing} messages are still to come" if missing else "all of it is here")


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


def _backups(path: Path) -> Check:
    found = backups.list_backups(path)
    if not found:
        return Check("backups", True, "none yet: the next is made while Homing runs")
    return Check("backups", True, f"{len(found)}, the newest of {found[0].made_at}")


def _ballast(path: Path) -> Check:
    if ballast.is_kept(path.parent):
        return Check("ballast", True, "there is room in reserve for a full disk")
    return Check(
        "ballast",
        True,
        "no room in reserve for a full disk: it is made while Homing runs, when there is some",
    )
