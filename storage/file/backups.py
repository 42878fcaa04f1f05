"""Copies of the store beside it: one a day and one before each migration, each opened again and checked (I34)."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from storage.clock import rfc3339
from storage.errors import DiskFull, StoreLocked
from storage.file import ballast, connections, durable, soundness
from storage.file.translate import translated

_STEP: Final = 256  # pages
_BREATH: Final = 0.002  # seconds between steps, so that a copy never has the disk for itself
_PATIENCE: Final = 60.0


class Kind(StrEnum):
    """Why a backup was made."""

    DAILY = "daily"
    MIGRATION = "migration"


KEPT: Final = {Kind.DAILY: 7, Kind.MIGRATION: 2}


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy. `number` counts up, so that no clock says which is the newest (I30); `made_at` is for people."""

    path: Path
    number: int
    made_at: str
    kind: Kind


def folder(path: Path) -> Path:
    """Where the backups of the store `path` lie."""
    return path.parent / "backups"


def list_backups(path: Path) -> tuple[Backup, ...]:
    """The store's backups, newest first."""
    found = (_parsed(each) for each in folder(path).glob("*-*-*.sqlite3"))
    return tuple(sorted((each for each in found if each), key=lambda each: -each.number))


def is_due(path: Path, now: datetime) -> bool:
    """Whether today has no backup yet. A store without any chat needs none."""
    newest = next((each for each in list_backups(path) if each.kind is Kind.DAILY), None)
    return newest is None or newest.made_at[:10] != rfc3339(now)[:10]


def make(path: Path, now: datetime, kind: Kind = Kind.DAILY) -> Backup | None:
    """Copies the store as it is at this moment, on a connection of its own, and waits for nobody who writes.

    None when there is nothing in it to copy. Raises StoreCorrupt when the copy shows that the store is damaged,
    DiskFull when it would not leave ample room, StoreLocked while another process makes one; then no copy is left.
    """
    if _is_empty(path):
        return None
    with translated(path), _one_at_a_time(path):
        draft = folder(path) / "making"
        draft.unlink(missing_ok=True)
        try:
            counts = _copy(path, draft)
            soundness.check_copy(draft, path, counts)
            durable.flush(draft)
            backup = _named(path, now, kind)
            durable.rename(draft, backup.path)
        finally:
            draft.unlink(missing_ok=True)
        _prune(path)
        return backup


def _is_empty(path: Path) -> bool:
    with translated(path), closing(connections.open_reader(path)) as db:
        return not any(soundness.counts(db).values())


def _copy(path: Path, draft: Path) -> dict[str, int]:
    needed = sum(each.stat().st_size for each in (path, path.with_name(path.name + "-wal")) if each.exists())
    if ballast.room(path.parent) < needed * 1.1 + ballast.SIZE:
        raise DiskFull("There is no room for a backup: free some space, then try again; nothing was changed")
    with (
        closing(connections.open_reader(path)) as source,
        closing(connections.connect(draft, "rwc")) as target,
    ):
        target.execute("pragma journal_mode = off")
        target.execute("pragma synchronous = off")
        # A transaction around all steps: else each commit of a writer would start the copy anew.
        source.execute("begin")
        counts = soundness.counts(source)
        source.backup(target, pages=_STEP, progress=lambda *_: time.sleep(_BREATH))
        source.execute("rollback")
    return counts


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    folder(path).mkdir(mode=0o700, exist_ok=True)
    try:
        with FileLock(folder(path) / "lock", timeout=_PATIENCE):
            yield
    except Timeout as error:
        raise StoreLocked("Another Homing makes a backup: try again in a moment") from error


def _named(path: Path, now: datetime, kind: Kind) -> Backup:
    number = max((each.number for each in list_backups(path)), default=0) + 1
    made_at = rfc3339(now)[:19] + "Z"
    stamp = made_at.replace("-", "").replace(":", "")
    return Backup(folder(path) / f"{number:06}-{stamp}-{kind}.sqlite3", number, made_at, kind)


def _parsed(path: Path) -> Backup | None:
    number, stamp, kind = path.stem.split("-", 2)
    try:
        made_at = datetime.strptime(stamp + "+0000", "%Y%m%dT%H%M%SZ%z")
        return Backup(path, int(number), rfc3339(made_at)[:19] + "Z", Kind(kind))
    except ValueError:
        return None


def _prune(path: Path) -> None:
    for kind, kept in KEPT.items():
        for backup in [each for each in list_backups(path) if each.kind is kind][kept:]:
            backup.path.unlink(missing_ok=True)
