"""The write-ahead log as bytes: SQLite leaves out whatever follows a damaged frame, and says nothing about it.

Each commit is on the disk before the next one begins and before the index (`-shm`) tells of it. So when, after SQLite
looked, whole commits remain behind the end that it found, or the index knew of more than it found, then what was
acknowledged is missing, and no crash did that.
"""

import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from storage.errors import StoreCorrupt
from storage.file.exclusive import is_alone

MARK: Final = "-short"
"""Ends the name of the empty file that says: the log of this store is damaged."""
HEADER: Final = 32
FRAME: Final = 24
_MAGIC: Final = (0x377F0682, 0x377F0683)
_INDEX: Final = struct.Struct("=IIIBBHIIIIIIII")
"""One of the two copies of the index's header, in the machine's own byte order."""


@dataclass(frozen=True, slots=True)
class Index:
    """What the -shm file says of the log: its last frame, and the salts of the log that it means."""

    last: int
    salts: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """That a log was left behind by processes that are gone, and the index that lay beside it."""

    index: Index | None


def left(path: Path) -> Left | None:
    """Looks before SQLite does. None when there is no log, or when somebody uses the store: he has looked."""
    if path.with_name(path.name + MARK).exists():
        raise _damaged(path)
    log = path.with_name(path.name + "-wal")
    if not (log.exists() and log.stat().st_size > HEADER and is_alone(path)):
        return None
    return Left(_index(path))


def refuse_damage(path: Path, before: Left) -> None:
    """StoreCorrupt when SQLite, having opened the store, left commits out."""
    try:
        with path.with_name(path.name + "-wal").open("rb") as file:
            header, size = file.read(HEADER), file.seek(0, os.SEEK_END)
            after = _index(path)
            if size <= HEADER or after is None or not _is_short(file, header, before.index, after, size):
                return
    except FileNotFoundError:
        return
    if is_alone(path):
        # From now on the index agrees with what SQLite found: without the mark the next start would see nothing.
        with suppress(OSError):
            path.with_name(path.name + MARK).touch()
        raise _damaged(path)


def _damaged(path: Path) -> StoreCorrupt:
    return StoreCorrupt(f"{path.name}-wal is damaged: let Homing repair it; nothing was deleted")


def _index(path: Path) -> Index | None:
    """The index beside the store, None when there is none that is whole."""
    try:
        with path.with_name(path.name + "-shm").open("rb") as file:
            first, second = file.read(_INDEX.size), file.read(_INDEX.size)
    except OSError:
        return None
    if len(first) < _INDEX.size or first != second:
        return None
    fields = _INDEX.unpack(first)
    return Index(fields[6], first[32:40]) if fields[3] else None


def page_size(header: bytes) -> int | None:
    """The page size of a log, None when its header is not whole."""
    if len(header) < HEADER:
        return None
    magic, _, size = struct.unpack(">III", header[:12])
    if magic not in _MAGIC or checksum(header[:24], (0, 0), "<>"[magic & 1]) != struct.unpack(
        ">II", header[24:]
    ):
        return None
    return int(size)


def checksum(content: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """The running sum that SQLite keeps over header and frames; `order` is the byte order of its words."""
    one, two = start
    words = iter(struct.unpack(f"{order}{len(content) // 4}I", content))
    for first, second in zip(words, words, strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two


def _is_short(file: BinaryIO, header: bytes, before: Index | None, after: Index, size: int) -> bool:
    salts, pages = header[16:24], page_size(header)
    if pages is None:
        return True
    end = after.last if after.salts == salts else 0
    if before is not None and before.salts == salts and before.last > end:
        return True
    return _commits_behind(file, salts, range(HEADER + end * (FRAME + pages), size - FRAME, FRAME + pages))


def _commits_behind(file: BinaryIO, salts: bytes, places: range) -> bool:
    committed = False
    for place in places:
        file.seek(place)
        frame = file.read(FRAME)
        if frame[8:16] == salts:
            if committed:
                return True
            committed = frame[4:8] != b"\0\0\0\0"
    return False
