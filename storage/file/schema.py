"""Which schema steps a file has seen, read without changing one byte of it and without sqlite-utils."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from storage.errors import NewerSchema, StoreCorrupt
from storage.file.translate import translated

MIGRATION_SET: Final = "homing"
STEPS: Final = ("m0001_first_light", "m0002_ranges")
"""The steps of storage.file.migrations by name, repeated here because importing those costs the first frame 80 ms."""
_VERSION: Final = "version "


def is_current(path: Path) -> bool:
    """Whether the file has every step. NewerSchema when it has one that is not ours; the file stays as it is."""
    seen = _seen(path)
    refuse_newer(path, seen)
    return seen.issuperset(STEPS)


def refuse_newer(path: Path, seen: Iterable[str]) -> None:
    """NewerSchema when a step is unknown here; StoreCorrupt when it stands in the place of one of ours."""
    seen = set(seen)
    if not seen.difference(STEPS):
        return
    if seen.issuperset(STEPS) or any(step.startswith(_VERSION) for step in seen):
        raise NewerSchema(f"{path.name} was written by a newer Homing: update Homing to open it")
    raise StoreCorrupt(f"{path.name} is damaged: let Homing repair it; nothing was deleted")


def _seen(path: Path) -> frozenset[str]:
    with translated(path):
        if not path.exists() or path.stat().st_size == 0:
            return frozenset()
        connection = sqlite3.connect(looking(path), uri=True)
        try:
            return frozenset(steps(connection))
        finally:
            connection.close()


def steps(connection: sqlite3.Connection) -> list[str]:
    """The names of the steps that the open database has seen; a version number beyond ours counts as one."""
    (version,) = connection.execute("pragma user_version").fetchone()
    beyond = [f"{_VERSION}{version}"] if version > len(STEPS) else []
    if not connection.execute("select 1 from sqlite_schema where name = '_sqlite_migrations'").fetchone():
        return beyond
    rows = connection.execute("select name from _sqlite_migrations where migration_set = ?", (MIGRATION_SET,))
    return [*(name for (name,) in rows), *beyond]


def looking(path: Path) -> str:
    """The address that opens the file without leaving anything beside it."""
    # Plain read-only access to a WAL database leaves a -wal and a -shm file behind; without a -wal there is
    # nothing that immutable would miss.
    wal = path.with_name(path.name + "-wal")
    return f"{path.absolute().as_uri()}?mode=ro" + ("" if wal.exists() else "&immutable=1")
