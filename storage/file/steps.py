"""The schema steps by name, and which of them an open file has seen."""

import sqlite3
from typing import Final

MIGRATION_SET: Final = "homing"
STEPS: Final = ("m0001_first_light", "m0002_ranges")
"""The steps of storage.file.migrations, repeated here because importing those costs the first frame 80 ms."""
BEYOND: Final = "version "
"""Begins what `seen` calls a version number that is beyond ours."""


def seen(connection: sqlite3.Connection) -> list[str]:
    """The names of the steps that the open database has seen; a version number beyond ours counts as one."""
    (version,) = connection.execute("pragma user_version").fetchone()
    beyond = [f"{BEYOND}{version}"] if version > len(STEPS) else []
    if not connection.execute("select 1 from sqlite_schema where name = '_sqlite_migrations'").fetchone():
        return beyond
    rows = connection.execute("select name from _sqlite_migrations where migration_set = ?", (MIGRATION_SET,))
    return [*(name for (name,) in rows), *beyond]
