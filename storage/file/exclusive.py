"""The certainty that nobody uses a store's file, whatever is left of it."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from storage.errors import StoreLocked

_SHARED_FIRST: Final = 0x40000000 + 2
_SHARED_SIZE: Final = 510
"""The bytes that every connection of SQLite holds a read lock on; SQLite's file format fixes them."""
OPEN: Final[Counter[Path]] = Counter()
"""How many stores of this process have a file open. Closing any descriptor of it would free their locks."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps other processes out of the file inside. StoreLocked when one has it open, or a store of this one."""
    if OPEN[path.resolve()]:
        raise StoreLocked(f"This Homing holds {path.name}: close it, then try again")
    if os.name != "posix" or not path.exists():
        yield  # Windows renames no file that is open, which shows the same
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        if not _locked(descriptor):
            raise StoreLocked(f"Another Homing holds {path.name}: close it, then try again")
        yield
    finally:
        os.close(descriptor)


def is_alone(path: Path) -> bool:
    """Whether surely nobody has the file open: no other process, and no store of this one."""
    if os.name != "posix" or OPEN[path.resolve()]:
        return False
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
    except (BlockingIOError, PermissionError):
        return False
    return True
