"""Read-only connections, one a thread."""

import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from storage.errors import DiskFull, StoreUnavailable
from storage.file import ballast
from storage.file.connections import open_reader
from storage.file.translate import is_undecodable, lenient, translated
from storage.transaction import Reader

T = TypeVar("T")


class Readers:
    """Gives every thread its own connection, opened at its first read and closed with the thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()
        self._all: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def read(self, query: Callable[[Reader], T]) -> T:
        """Runs the query on one snapshot of the store. StorageError when the file does not answer."""
        try:
            return self._connection().read(query)
        except DiskFull:
            if not ballast.release(self._path.parent):
                raise
            return self._connection().read(query)

    def foreign_changes(self) -> bool:
        """Whether anybody else committed since this thread last asked."""
        return self._connection().foreign_changes()

    def close(self) -> None:
        """Waits for running reads, then closes every thread's connection."""
        with self._lock:
            self._closed = True
            connections = list(self._all)
        for connection in connections:
            connection.close()

    def _connection(self) -> "_Connection":
        mine: _Connection | None = getattr(self._mine, "connection", None)
        if mine is None:
            with self._lock:
                if self._closed:
                    raise StoreUnavailable("The store is closed: start Homing again")
                mine = _Connection(self._path)
                self._all.add(mine)
            self._mine.connection = mine
        return mine


class _Connection:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._sqlite = open_reader(path)
        self._version = self._data_version()
        self._closed = False
        weakref.finalize(self, self._sqlite.close)

    def read(self, query: Callable[[Reader], T]) -> T:
        with self._lock, translated(self._path):
            self._refuse_closed()
            if self._sqlite.in_transaction:
                return query(self._sqlite)
            try:
                return self._on_one_snapshot(query)
            except sqlite3.OperationalError as error:
                if not is_undecodable(error):
                    raise
            # Bytes that are no text: from now on they are shown as well as can be, and no sum fits them.
            self._sqlite.text_factory = lenient
            return self._on_one_snapshot(query)

    def _on_one_snapshot(self, query: Callable[[Reader], T]) -> T:
        self._sqlite.execute("begin")
        try:
            return query(self._sqlite)
        finally:
            _end(self._sqlite)

    def foreign_changes(self) -> bool:
        with self._lock, translated(self._path):
            self._refuse_closed()
            version = self._data_version()
            changed, self._version = version != self._version, version
            return changed

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._sqlite.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("The store is closed: start Homing again")

    def _data_version(self) -> int:
        (version,) = self._sqlite.execute("pragma data_version").fetchone()
        return int(version)


def _end(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("rollback")
