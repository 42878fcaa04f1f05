"""Remembers that a running Homing met damage, so that the next start looks at every page before it says that all is well."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from storage.errors import StoreCorrupt

MARK: Final = "-suspect"
"""Ends the name of the empty file that says: something in this store could not be read."""


def note(path: Path) -> None:
    """Some part of the store turned out to be damaged."""
    with suppress(OSError):
        path.with_name(path.name + MARK).touch()


def settle(path: Path) -> None:
    """When damage was noted: StoreCorrupt if it is there, else the note goes. Reads the whole file then."""
    mark = path.with_name(path.name + MARK)
    if not mark.exists():
        return
    from storage.file import soundness

    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        damaged = bool(soundness.faults(db))
    if damaged:
        raise StoreCorrupt(f"{path.name} is damaged: let Homing repair it; nothing was deleted")
    mark.unlink(missing_ok=True)
