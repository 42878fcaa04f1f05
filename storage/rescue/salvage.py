"""A damaged store gives way to a fresh one that holds what could be read; the rest is pulled again (I33)."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from storage.clock import rfc3339
from storage.errors import DiskFull, StoreCorrupt, StoreLocked
from storage.file import ballast, connections, logs, replacing, soundness
from storage.file.exclusive import alone
from storage.file.schema import is_current
from storage.file.translate import translated
from storage.rescue.carrying import Carried, Carrier
from storage.rescue.wreck import Wreck
from storage.standing import edits

_ENDINGS: Final = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Rescue:
    """What became of a store: where the old file is, and what the new one took over from it."""

    aside: Path
    carried: Carried


def rescue(path: Path, now: datetime) -> Rescue:
    """Puts a fresh store in place of a damaged one, with every row that can still be read.

    Accounts stay signed in and are pulled from nothing, which mends what was lost. Words that are only here and that
    damage has touched are set aside, to be looked at. The store must be closed in this process. Raises StoreLocked while
    another process has it open, NewerSchema, DiskFull; then nothing was changed.
    """
    with translated(path), _in_peace(path):
        short = _is_short(path)
        new = _building(path)
        _refuse_tight(path, path)
        connections.migrate(new)
        carried = _carry(path, new, now, short=short)
    with translated(path):
        return Rescue(replacing.replace(path, new, "damaged", now), carried)


def restore(path: Path, backup: Path, now: datetime) -> Rescue:
    """Puts a backup in the store's place, with all that only the present file holds, as in `rescue`.

    What the server changed since the backup comes with the next pull. Raises StoreCorrupt for a damaged backup,
    NewerSchema for one of a newer Homing, StoreLocked, DiskFull; then nothing was changed.
    """
    with translated(backup):
        is_current(backup)
        with closing(soundness.open_copy(backup)) as db:
            if faults := soundness.faults(db):
                raise StoreCorrupt(f"{backup.name} is damaged ({faults[0]}): choose another backup")
    with translated(path), _in_peace(path):
        short = path.exists() and _is_short(path)
        new = _building(path)
        _refuse_tight(path, backup)
        shutil.copyfile(backup, new)
        connections.migrate(new)
        with closing(connections.open_writer(new)) as db:
            edits.doubt(db)
        carried = _carry(path, new, now, short=short) if path.exists() else Carried()
    with translated(path):
        return Rescue(replacing.replace(path, new, "replaced", now), carried)


def _carry(path: Path, new: Path, now: datetime, *, short: bool) -> Carried:
    wreck = Wreck(path, short_log=short)
    with closing(connections.open_writer(new)) as db:
        db.execute("begin immediate")
        carried = Carrier(db, wreck, rfc3339(now)).carry()
        db.execute("commit")
        db.execute("pragma wal_checkpoint(truncate)")
    return carried


def _is_short(path: Path) -> bool:
    try:
        before = logs.left(path)
        is_current(path)  # SQLite looks at the log
        if before is not None:
            logs.refuse_damage(path, before)
    except StoreCorrupt:
        return True
    return False


def _building(path: Path) -> Path:
    new = path.with_name(path.name + ".building")
    for ending in _ENDINGS:
        new.with_name(new.name + ending).unlink(missing_ok=True)
    return new


def _refuse_tight(path: Path, source: Path) -> None:
    if ballast.room(path.parent) < source.stat().st_size * 1.2 + ballast.SIZE:
        raise DiskFull(
            "There is no room for a second file: free some space, then try again; nothing was changed"
        )


@contextmanager
def _in_peace(path: Path) -> Iterator[None]:
    # SQLite's own reading gives up a lock of this process: so the file is looked at before and after.
    with alone(path):
        before = _look(path)
    yield
    with alone(path):
        if _look(path) != before:
            raise StoreLocked(f"Another Homing used {path.name} meanwhile: close it, then try again")


def _look(path: Path) -> list[tuple[int, int]]:
    files = (path.with_name(path.name + ending) for ending in _ENDINGS[:2])
    return [
        (each.stat().st_size, each.stat().st_mtime_ns)
        for each in files
        if each.exists() and each.stat().st_size
    ]
