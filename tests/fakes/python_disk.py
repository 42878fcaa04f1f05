"""A disk under SQLite, written in Python: it keeps a diary of what reaches it, and fails when it is told to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import apsw

from storage.file import connections, writing
from tests.fakes.apsw_connection import Connection

_NUMBERS: Final = count()


@dataclass(frozen=True)
class Entry:
    """One line of the diary. `file` is what follows the store's name; `what` write, truncate, sync, delete or note."""

    what: str
    file: str
    offset: int = 0
    content: bytes = b""
    note: str = ""


class Disk:
    """Hand `open_writer` and `connect` to the store. Files are real ones below."""

    def __init__(self, path: Path, *, synchronous: str | None = None) -> None:
        self.path = path
        self.diary: list[Entry] = []
        self.steps = 0
        self.fail_at: int | None = None
        self.failure: type[apsw.Error] = apsw.IOError
        self.code = apsw.SQLITE_IOERR
        self.failed: str | None = None
        self._synchronous = synchronous
        self._vfs = _Vfs(f"disk{next(_NUMBERS)}", self)

    def step(self, entry: Entry) -> None:
        """Fails here when it is this step's turn; else it is done and written down."""
        self.steps += 1
        if self.steps == self.fail_at:
            self.failed = f"{entry.what} {entry.file}"
            error = self.failure(f"{entry.what} fails")
            error.extendedresult = self.code  # type: ignore[attr-defined]  # apsw hands it to SQLite
            raise error
        if entry.what == "sync":
            self._look_at_the_index()
        self.diary.append(entry)

    def note(self, words: str) -> None:
        self.diary.append(Entry("note", "", note=words))
        self._look_at_the_index()

    def _look_at_the_index(self) -> None:
        # Memory shared between processes: the system writes it to the disk whenever it likes, or never.
        index = self.path.with_name(self.path.name + "-shm")
        if index.exists():
            self.diary.append(Entry("index", "-shm", content=index.read_bytes()))

    def connect(self, path: Path, mode: str) -> Any:
        return Connection(str(path), self._vfs.name, create=mode == "rwc")

    @contextmanager
    def under_the_store(self) -> Iterator[None]:
        """Inside, the store's writers use this disk."""

        def open_writer(path: Path) -> Any:
            connection = real(path)
            if self._synchronous is not None:
                connection.execute(f"pragma synchronous = {self._synchronous}")
            return connection

        real = connections.open_writer
        with (
            patch.object(connections, "connect", self.connect),
            patch.object(writing, "open_writer", open_writer),
        ):
            yield

    def ending(self, name: str | None) -> str:
        if name is None:
            return "-temporary"
        return Path(name).name.removeprefix(self.path.name)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self.name = name
        self._disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> "_File":  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk.step(Entry("open", self._disk.ending(path)))
        return _File(self._disk, self._disk.ending(path), name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - likewise
        self._disk.step(Entry("delete", self._disk.ending(filename)))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, ending: str, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._ending = ending
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - likewise
        self._disk.step(Entry("read", self._ending))
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - likewise
        self._disk.step(Entry("write", self._ending, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802 - likewise
        self._disk.step(Entry("truncate", self._ending, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802 - likewise
        self._disk.step(Entry("sync", self._ending))
        super().xSync(flags)
