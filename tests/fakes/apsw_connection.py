"""A connection of another SQLite library, apsw, in the shape of the standard one: it takes disks written in Python."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apsw


def _translated(error: apsw.Error) -> sqlite3.Error:
    code = getattr(error, "extendedresult", 0) or getattr(error, "result", 0) or sqlite3.SQLITE_ERROR
    kind = sqlite3.IntegrityError if code & 0xFF == sqlite3.SQLITE_CONSTRAINT else sqlite3.OperationalError
    translated = kind(str(error))
    translated.sqlite_errorcode = code
    return translated


class Cursor:
    """The rows of one statement, all of them fetched."""

    def __init__(
        self, rows: list[tuple[Any, ...]], rowcount: int, lastrowid: int, columns: tuple[Any, ...] | None
    ) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount
        self.lastrowid = lastrowid
        self.description = columns

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        self._rows = iter(())


class Connection:
    """What the store asks of `sqlite3.Connection`."""

    def __init__(self, path: str, vfs: str, *, create: bool) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        try:
            self._real = apsw.Connection(path, flags=flags, vfs=vfs)
        except apsw.Error as error:
            raise _translated(error) from error
        self._real.set_busy_timeout(0)

    def execute(self, sql: str, values: Any = ()) -> Cursor:
        return self._run(lambda cursor: cursor.execute(sql, values))

    def executemany(self, sql: str, values: Iterable[Any]) -> Cursor:
        return self._run(lambda cursor: cursor.executemany(sql, values))

    def _run(self, run: Callable[[apsw.Cursor], apsw.Cursor]) -> Cursor:
        columns: tuple[Any, ...] | None = None

        def remember(cursor: apsw.Cursor, *_: Any) -> bool:
            nonlocal columns
            columns = cursor.get_description() or None
            return True

        cursor = self._real.cursor()
        cursor.exec_trace = remember
        before = self._real.total_changes()
        try:
            rows = run(cursor).fetchall()
        except apsw.Error as error:
            raise _translated(error) from error
        # Those of triggers do not count.
        changed = self._real.changes() if self._real.total_changes() != before else 0
        return Cursor(rows, changed, self._real.last_insert_rowid(), columns)

    def backup(
        self, target: "Connection", *, pages: int, progress: Callable[[int, int, int], object]
    ) -> None:
        try:
            with target._real.backup("main", self._real, "main") as backup:
                while not backup.done:
                    backup.step(pages)
                    progress(0, backup.remaining, backup.page_count)
        except apsw.Error as error:
            raise _translated(error) from error

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def close(self) -> None:
        try:
            self._real.close()
        except apsw.Error as error:
            raise _translated(error) from error
