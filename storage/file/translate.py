"""The one table that turns SQLite's errors into the store's own."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from storage.errors import (
    DiskFull,
    InvalidMessage,
    StorageError,
    StoreCorrupt,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
)

_UNDECODABLE: Final = "Could not decode to UTF-8"
"""How Python's module, not SQLite, says that a text is none; it gives no code with it."""

_FULL = (DiskFull, "The disk is full: free some space, then try again; nothing was changed")
_LOCKED = (StoreLocked, "Another program holds {name}: close it, or try again in a moment")
_CORRUPT = (StoreCorrupt, "{name} is damaged: let Homing repair it; nothing was deleted")
_READ_ONLY = (StoreReadOnly, "{name} cannot be written: check that its folder is yours and not read-only")
_DISK = (StoreUnavailable, "The disk failed while using {name}: check the disk, then try again")
_TOO_LARGE = (InvalidMessage, "This is more than the store can hold: shorten it")

TABLE: Final[dict[int, tuple[type[StorageError], str]]] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,  # the -shm file cannot grow
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    sqlite3.SQLITE_NOTADB: _CORRUPT,
    sqlite3.SQLITE_FORMAT: _CORRUPT,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_AUTH: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_NOLFS: _DISK,
    sqlite3.SQLITE_TOOBIG: _TOO_LARGE,
}
"""By extended code first, then by primary code. What is in neither is our own bug and is raised as it came."""

BUGS: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_INTERNAL,
        sqlite3.SQLITE_ABORT,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_NOTFOUND,
        sqlite3.SQLITE_EMPTY,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    }
)
"""Primary codes that the user's world cannot cause."""

_OS_TABLE: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}


def translate(error: sqlite3.Error, path: Path) -> StorageError | None:
    """The store's error for SQLite's, or None for a bug."""
    if is_undecodable(error):
        return _error(_CORRUPT, path)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    entry = TABLE.get(code) or TABLE.get(code & 0xFF)
    return _error(entry, path) if entry else None


def is_undecodable(error: sqlite3.Error) -> bool:
    """Whether a text of the file is not UTF-8, which only damage makes it."""
    return str(error).startswith(_UNDECODABLE)


def lenient(text: bytes) -> str:
    """Text, whatever its bytes are."""
    return text.decode("utf-8", "replace")


def translate_os(error: OSError, path: Path) -> StorageError:
    """The store's error for one of the file system's."""
    return _error(_OS_TABLE.get(error.errno or 0, _READ_ONLY), path)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises what SQLite and the file system raise inside as StorageError."""
    try:
        yield
    except UnicodeDecodeError as error:
        # SQLite's words about a damaged schema quote it.
        raise _error(_CORRUPT, path) from error
    except sqlite3.Error as error:
        if (known := translate(error, path)) is None:
            if _is_spoiled(error, path):
                raise _error(_CORRUPT, path) from error
            raise
        raise known from error
    except OSError as error:
        raise translate_os(error, path) from error


def _error(entry: tuple[type[StorageError], str], path: Path) -> StorageError:
    kind, words = entry
    return kind(words.format(name=path.name))


def _is_spoiled(error: sqlite3.Error, path: Path) -> bool:
    """Whether what looks like a bug of ours comes of a damaged schema: a name in it that is not what was written."""
    from storage.file import soundness

    if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_ERROR:
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return soundness.is_strange(db)
    except (sqlite3.Error, UnicodeDecodeError):
        return True
