"""Puts another file in a store's place; what was there is renamed aside, never deleted.

The new file is complete and on the disk under the name `….next-…` before anything else moves: from then on any crash
ends in the new file, since opening the store finishes what was begun.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from storage.clock import rfc3339
from storage.file import durable, logs, suspicion
from storage.file.exclusive import alone

_NEXT: Final = ".next-"
_COMPANIONS: Final = ("", "-wal", "-shm", logs.MARK, suspicion.MARK)


def replace(path: Path, new: Path, why: str, now: datetime) -> Path:
    """Takes the closed file `new` into the place of `path`. Returns what the old one is called now."""
    durable.flush(new)
    mark = path.with_name(f"{path.name}{_NEXT}{_free(path, why, now)}")
    durable.rename(new, mark)
    return _switch(path, mark)


def finish(path: Path) -> None:
    """Ends what a crash interrupted; next to nothing when there was none."""
    for mark in sorted(each for each in path.parent.iterdir() if each.name.startswith(path.name + _NEXT)):
        with alone(path):
            _switch(path, mark)


def aside(path: Path) -> list[Path]:
    """The store's files that were put aside, oldest first."""
    found = (each for why in ("damaged", "replaced") for each in path.parent.glob(f"{path.name}.{why}-*"))
    return sorted(
        (each for each in found if not each.name.endswith(_COMPANIONS[1:])), key=lambda each: each.name
    )


def _switch(path: Path, mark: Path) -> Path:
    aside = path.with_name(f"{path.name}.{mark.name.split(_NEXT, 1)[1]}")
    for ending in _COMPANIONS:
        old = path.with_name(path.name + ending)
        if old.exists():
            old.replace(aside.with_name(aside.name + ending))
    durable.rename(mark, path)
    return aside


def _free(path: Path, why: str, now: datetime) -> str:
    stamp = rfc3339(now)[:19].replace("-", "").replace(":", "") + "Z"
    name, count = f"{why}-{stamp}", 1
    while path.with_name(f"{path.name}.{name}").exists():
        count += 1
        name = f"{why}-{stamp}-{count}"
    return name
