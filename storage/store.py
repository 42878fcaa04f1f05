"""The open store: the writer thread, the readers and who wants to know of commits."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from storage.clock import utc_now
from storage.errors import DiskFull, StoreCorrupt
from storage.file import ballast, suspicion
from storage.file.exclusive import OPEN
from storage.file.lanes import Lane
from storage.file.listeners import Listeners
from storage.file.preparing import prepare
from storage.file.reading import Readers
from storage.file.writing import Writer
from storage.records import Touched
from storage.transaction import Reader, Transaction

if TYPE_CHECKING:
    from concurrent.futures import Future

    from storage.file.backups import Backup

__all__ = ["Lane", "Reader", "Store", "Transaction"]

T = TypeVar("T")
_OPENING: Final = Lock()


class Store:
    """One profile's SQLite file, open. Every method may be called from any thread."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self.path = path
        self._clock = clock
        self._listeners = Listeners()
        self._writer = Writer(path, clock, self._listeners.tell)
        self._readers = Readers(path)
        self._closed = False
        OPEN[path.resolve()] += 1

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], datetime] = utc_now) -> "Store":
        """Opens or creates the file and brings it to the current schema.

        Raises NewerSchema, StoreCorrupt, StoreReadOnly, StoreLocked or DiskFull.
        """
        with _OPENING:
            try:
                prepare(path)
                return cls(path, clock)
            except DiskFull:
                if not ballast.release(path.parent):
                    raise
            prepare(path)
            return cls(path, clock)

    def write(self, job: Callable[[Transaction], T], lane: Lane = Lane.PERSON) -> "Future[T]":
        """Runs the job in one transaction on the writer thread.

        The future resolves after the commit is durable and the listeners were told. It raises a StorageError, or
        what the job raised; then nothing was changed, save for UnknownOutcome: try again with the same ids.
        """
        future = self._writer.write(job, lane)
        future.add_done_callback(self._suspect)
        return future

    def read(self, query: Callable[[Reader], T]) -> T:
        """Runs the query on one snapshot, on this thread's own read-only connection. Raises StorageError.

        Rows must be fetched before it returns.
        """
        try:
            return self._readers.read(query)
        except StoreCorrupt:
            suspicion.note(self.path)
            raise

    def subscribe(self, listener: Callable[[Touched], None]) -> Callable[[], None]:
        """Calls `listener` on the writer thread after each commit that changed something. Returns the unsubscriber."""
        return self._listeners.add(listener)

    def foreign_changes(self) -> bool:
        """Whether the writer or another process committed since this thread's last call. Costs microseconds."""
        return self._readers.foreign_changes()

    def keep_backups(self) -> "Backup | None":
        """Makes what is due of today's backup and the ballast; most often there is nothing to do.

        Call it from time to time, on a thread that may take seconds: reads and writes go on meanwhile. Returns the
        backup that it made. Raises StoreCorrupt when it found damage, DiskFull when there is no room for a backup.
        """
        from storage.file import backups

        ballast.keep(self.path.parent)
        now = self._clock()
        if not backups.is_due(self.path, now):
            return None
        try:
            return backups.make(self.path, now)
        except StoreCorrupt:
            suspicion.note(self.path)
            raise

    def close(self) -> None:
        """Finishes queued writes, tells the listeners, and closes. A second time does nothing."""
        self._writer.drain()
        self._readers.close()
        # Last, and able to write: so SQLite folds the write-ahead log into the file.
        self._writer.close()
        with _OPENING:
            OPEN[self.path.resolve()] -= not self._closed
            self._closed = True

    def _suspect(self, done: "Future[T]") -> None:
        if not done.cancelled() and isinstance(done.exception(), StoreCorrupt):
            suspicion.note(self.path)
