"""A write connection whose commits fail on demand."""

import sqlite3
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from storage.file.connections import open_writer


class Commit(Enum):
    """What becomes of the next commit."""

    WORKS = "works"
    FAILS_BEFORE = "nothing reaches the disk"
    FAILS_AFTER = "all reaches the disk, and the disk says that it failed"


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


class FailingDisk:
    """Stands in for `storage.file.connections.open_writer`; counts how often the store opened the file."""

    def __init__(self, code: int = sqlite3.SQLITE_IOERR) -> None:
        self.code = code
        self.next_commit = Commit.WORKS
        self.opened = 0

    def open_writer(self, path: Path) -> Any:
        self.opened += 1
        return _Connection(open_writer(path), self._commit)

    def _commit(self, commit: Callable[[], None]) -> None:
        what, self.next_commit = self.next_commit, Commit.WORKS
        if what is not Commit.FAILS_BEFORE:
            commit()
        if what is not Commit.WORKS:
            raise sqlite_error(self.code)


class _Connection:
    def __init__(self, real: sqlite3.Connection, commit: Callable[[Callable[[], None]], None]) -> None:
        self._real = real
        self._commit = commit

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != "commit":
            return self._real.execute(sql, *values)
        self._commit(lambda: self._real.execute("commit").close())
        return self._real.cursor()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
