"""The one thread that writes."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from storage.errors import DiskFull, StoreUnavailable, UnknownOutcome
from storage.file import ballast
from storage.file.connections import open_writer
from storage.file.lanes import Lane, LaneQueue
from storage.file.translate import translate, translated
from storage.records import Touched
from storage.transaction import Transaction

if TYPE_CHECKING:
    from sqlite_utils import Database

T = TypeVar("T")
_Job: TypeAlias = "tuple[Callable[[Transaction], Any], Future[Any], Lane]"
_SETTLED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY})


class Writer:
    """Owns the write connection. Jobs of any thread run here one after the other, each in its own transaction."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        committed: Callable[[Touched], None],
    ) -> None:
        self._path = path
        self._clock = clock
        self._committed = committed
        self._sqlite: sqlite3.Connection | None = open_writer(path)
        self._db: Database | None = None
        self._queue: LaneQueue[_Job] = LaneQueue()
        self._thread = threading.Thread(target=self._run, name="homing-writer", daemon=True)
        self._thread.start()

    def write(self, job: Callable[[Transaction], T], lane: Lane) -> "Future[T]":
        """Queues the job. The future holds what it returned once that is durable, or what went wrong."""
        future: Future[T] = Future()
        if not self._queue.put((job, future, lane), lane):
            future.set_exception(StoreUnavailable("The store is closed: start Homing again"))
        return future

    def drain(self) -> None:
        """Finishes what is queued; nothing more is taken."""
        self._queue.close()
        self._thread.join()

    def close(self) -> None:
        """Closes the connection, after `drain`."""
        self._shut()

    def _run(self) -> None:
        while (item := self._queue.take()) is not None:
            self._serve(*item)
            # While this thread waits, it must not keep a job and all that hangs on it alive.
            del item

    def _serve(self, job: Callable[[Transaction], T], future: "Future[T]", lane: Lane) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = self._perform_if_room(job, lane)
        except BaseException as error:  # noqa: BLE001 - the job runner: the future carries it
            future.set_exception(error)
        else:
            future.set_result(result)

    def _perform_if_room(self, job: Callable[[Transaction], T], lane: Lane) -> T:
        if lane is Lane.SYNC and ballast.is_tight(self._path.parent):
            raise DiskFull("The disk is almost full: free some space, then sync goes on by itself")
        try:
            return self._perform(job)
        except DiskFull:
            if lane is Lane.PERSON:
                # What was just asked for fails all the same; the next try has room, and so has SQLite's log.
                ballast.release(self._path.parent)
            raise

    def _perform(self, job: Callable[[Transaction], T]) -> T:
        with translated(self._path):
            db = self._open()
            db.conn.execute("begin immediate")
            try:
                transaction = Transaction(db, self._clock)
                result = job(transaction)
            except BaseException:
                self._roll_back()
                raise
            self._commit(db.conn)
        if (touched := transaction.touched()) is not None:
            self._committed(touched)
        return result

    def _open(self) -> "Database":
        from sqlite_utils import Database

        if self._sqlite is None:
            self._sqlite = open_writer(self._path)
        if self._db is None:
            self._db = Database(self._sqlite, recursive_triggers=False, execute_plugins=False)
        return self._db

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("commit")
        except sqlite3.Error as error:
            # After a failed commit only the file knows what is in it (I3): start from the file again.
            self._shut()
            settled = translate(error, self._path)
            if settled is not None and getattr(error, "sqlite_errorcode", 0) & 0xFF in _SETTLED:
                raise settled from error
            raise UnknownOutcome(
                "The disk failed while saving: check whether it is there, then try again"
            ) from error

    def _roll_back(self) -> None:
        try:
            if self._sqlite is not None and self._sqlite.in_transaction:
                self._sqlite.execute("rollback")
        except sqlite3.Error:
            self._shut()

    def _shut(self) -> None:
        connection, self._sqlite, self._db = self._sqlite, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
