"""Which schema steps a file has seen, read without changing one byte of it and without sqlite-utils."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from storage.errors import NewerSchema, StoreCorrupt
from storage.file import steps
from storage.file.translate import translated


def is_current(path: Path) -> bool:
    """Whether the file has every step. NewerSchema when it has one that is not ours; the file stays as it is."""
    seen = _seen(path)
    refuse_newer(path, seen)
    return seen.issuperset(steps.STEPS)


def refuse_newer(path: Path, seen: Iterable[str]) -> None:
    """NewerSchema when a step is unknown here; StoreCorrupt when it stands in the place of one of ours."""
    seen = set(seen)
    if not seen.difference(steps.STEPS):
        return
    if seen.issuperset(steps.STEPS) or any(step.startswith(steps.BEYOND) for step in seen):
        raise NewerSchema(f"{path.name} was written by a newer Homing: update Homing to open it")
    raise StoreCorrupt(f"{path.name} is damaged: let Homing repair it; nothing was deleted")


def _seen(path: Path) -> frozenset[str]:
    with translated(path):
        if not path.exists() or path.stat().st_size == 0:
            return frozenset()
        connection = sqlite3.connect(looking(path), uri=True)
        try:
            return frozenset(steps.seen(connection))
        finally:
            connection.close()


def looking(path: Path) -> str:
    """The address that opens the file without leaving anything beside it."""
    # Plain read-only access to a WAL database leaves a -wal and a -shm file behind; without a -wal there is
    # nothing that immutable would miss.
    wal = path.with_name(path.name + "-wal")
    return f"{path.absolute().as_uri()}?mode=ro" + ("" if wal.exists() else "&immutable=1")
