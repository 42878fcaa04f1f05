"""What can go wrong in the local store.

StorageError
├── StoreUnavailable     the user's world: the disk, a lock, the file
│   ├── DiskFull         nothing was changed; free some space
│   ├── StoreLocked      another program holds the file too long
│   ├── StoreCorrupt     the file is not a readable database
│   ├── StoreReadOnly    the file or its folder cannot be written
│   └── NewerSchema      a newer Homing wrote this file; it was not touched
├── UnknownOutcome       a commit failed half-way: reopen, read, and try again with the same id
├── UnknownChat          no such chat here
├── UnknownProject       no such project here
├── InvalidProject       a project or its files cannot be stored as they are; nothing was changed
├── InvalidResource      what is to be pinned cannot be; nothing was changed
└── InvalidMessage       the message cannot be stored as it is; nothing was changed
"""


class StorageError(Exception):
    """Base of all errors of this package. `str()` is one line for people that ends in what to do."""


class StoreUnavailable(StorageError):
    """The disk, the file or another program stands in the way; the data in memory is still good."""


class DiskFull(StoreUnavailable):
    """There is no room to write."""


class StoreLocked(StoreUnavailable):
    """Another program kept the database locked for longer than the wait allows."""


class StoreCorrupt(StoreUnavailable):
    """SQLite cannot read the file as a database."""


class StoreReadOnly(StoreUnavailable):
    """The file or its folder does not accept writes."""


class NewerSchema(StoreUnavailable):
    """The file was written by a newer version of Homing."""


class UnknownOutcome(StorageError):
    """The disk failed during a commit: it may be there or not."""


class UnknownChat(StorageError):
    """The chat is not in this store."""


class UnknownProject(StorageError):
    """The project is not in this store."""


class InvalidProject(StorageError):
    """An unknown status, or files that the server would not take."""


class InvalidResource(StorageError):
    """No source, an unknown kind, or nothing to pin."""


class InvalidMessage(StorageError):
    """Empty, too large, nested too deep, or with characters that no database holds."""
