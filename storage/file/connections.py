"""Opens SQLite files the way the store needs them."""

import sqlite3
import time
from pathlib import Path
from typing import Final

from storage.errors import StoreReadOnly
from storage.file import steps
from storage.file.schema import refuse_newer
from storage.file.translate import translated

BUSY_SECONDS: Final = 5.0
_WRITER: Final = (
    "pragma synchronous = full",
    "pragma fullfsync = on",  # macOS: plain fsync stops at the drive's cache
    "pragma checkpoint_fullfsync = on",
    "pragma foreign_keys = on",
    "pragma trusted_schema = off",
    "pragma journal_size_limit = 67108864",
)


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that may write; usable from whichever thread owns it."""
    with translated(path):
        connection = connect(path, "rw")
        try:
            _set_up(connection, path)
            _refuse_read_only(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    with translated(path):
        connection = connect(path, "ro")
        connection.execute("pragma query_only = on")
        return connection


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Opens the file with SQLite's own settings; `mode` is ro, rw or rwc."""
    # isolation_level None: the store begins and ends every transaction itself.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def migrate(path: Path) -> None:
    """Brings the file to the current schema, in one transaction."""
    from sqlite_utils import Database

    from storage.file.migrations import MIGRATIONS

    with translated(path):
        connection = connect(path, "rwc")
        try:
            _set_up(connection, path)
            connection.execute("begin immediate")
            # Another process may have migrated between our look and our lock.
            refuse_newer(path, steps.seen(connection))
            MIGRATIONS.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
            connection.execute("commit")
        finally:
            connection.close()


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    if _use_wal(connection) != "wal":
        raise StoreReadOnly(f"{path.name} cannot be used on this disk: keep Homing's data on a local disk")
    for pragma in _WRITER:
        connection.execute(pragma)


def _refuse_read_only(connection: sqlite3.Connection) -> None:
    # SQLite opens a file that cannot be written without a word; only asking for the lock says so. Whether somebody
    # else holds it does not matter: opening never waits for writers.
    connection.execute("pragma busy_timeout = 0")
    try:
        connection.execute("begin immediate")
        connection.execute("rollback")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
    connection.execute(f"pragma busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _use_wal(connection: sqlite3.Connection) -> str:
    # SQLite does not wait by itself when two processes switch a new file at once.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return str(connection.execute("pragma journal_mode = wal").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
