"""SQLite's file format, as far as it takes to find rows on pages that nothing leads to any more."""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from storage.file import logs

Value: TypeAlias = int | float | str | bytes | None
_Pages: TypeAlias = Mapping[int, bytes]
_PAGE_SIZE: Final = 4096
_TABLE_LEAF: Final = 13
_INDEX_LEAF: Final = 10
_INDEX_INTERIOR: Final = 2
_WIDTHS: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it lies on a page. Rows of tables without rowid have none."""

    rowid: int | None
    values: tuple[Value, ...]


class Image:
    """The pages of a file with those of its log laid over them."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        log = path.with_name(path.name + "-wal")
        self._size = _page_size(content)
        self._pages = {
            number + 1: content[number * self._size : (number + 1) * self._size]
            for number in range(len(content) // self._size)
        }
        self._behind: list[tuple[int, bytes]] = []
        self._late: tuple[Record, ...] | None = None
        self._lay(log.read_bytes() if log.exists() else b"")
        self._free = frozenset(self._freed())

    def current(self) -> Iterator[Record]:
        """What is on the pages that count."""
        for number in self._pages:
            if number not in self._free:
                yield from self._records(number, self._pages[number], self._pages)

    def behind(self) -> Iterator[Record]:
        """What is on pages of the log behind the place where it is damaged, the last written first."""
        if self._late is None:
            latest = self._pages | dict(self._behind)
            late = (self._records(number, page, latest) for number, page in reversed(self._behind))
            self._late = tuple(chain.from_iterable(late))
        return iter(self._late)

    def _lay(self, log: bytes) -> None:
        size, frame = self._size, logs.FRAME + self._size
        header = log[: logs.HEADER]
        order = "<>"[header[3] & 1] if len(header) == logs.HEADER else "<"
        whole = logs.page_size(header) == size
        places = range(logs.HEADER, len(log) - frame + 1, frame)
        salts = header[16:24] if whole else _most_frequent(log[place + 8 : place + 16] for place in places)
        running = struct.unpack(">II", header[24:32]) if whole else (0, 0)
        waiting: list[tuple[int, bytes]] = []
        for place in places:
            head, page = log[place : place + logs.FRAME], log[place + logs.FRAME : place + frame]
            if head[8:16] != salts:
                whole = False  # of an earlier round of the log, or damaged
                continue
            number, commit = struct.unpack(">II", head[:8])
            if whole:
                running = logs.checksum(head[:8] + page, running, order)
                whole = running == struct.unpack(">II", head[16:24])
            waiting.append((number, page))
            if whole and commit:
                self._pages.update(waiting)
                waiting = []
        self._behind = waiting

    def _freed(self) -> Iterator[int]:
        seen: set[int] = set()
        (trunk,) = struct.unpack(">I", self._pages.get(1, b"\0" * 36)[32:36])
        while trunk in self._pages and trunk not in seen:
            seen.add(trunk)
            page = self._pages[trunk]
            following, count = struct.unpack(">II", page[:8])
            if count > self._size // 4 - 2:
                return
            yield trunk
            yield from struct.unpack(f">{count}I", page[8 : 8 + 4 * count])
            trunk = following

    def _records(self, number: int, page: bytes, others: _Pages) -> Iterator[Record]:
        start = 100 if number == 1 else 0
        kind = page[start] if len(page) == self._size else 0
        if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR):
            return
        (count,) = struct.unpack(">H", page[start + 3 : start + 5])
        first = start + (12 if kind == _INDEX_INTERIOR else 8)
        for place in range(first, min(first + 2 * count, self._size - 1), 2):
            (cell,) = struct.unpack(">H", page[place : place + 2])
            try:
                yield self._record(page, cell, kind, others)
            except (IndexError, ValueError, struct.error):
                continue

    def _record(self, page: bytes, cell: int, kind: int, others: _Pages) -> Record:
        if kind == _INDEX_INTERIOR:
            cell += 4
        length, cell = _varint(page, cell)
        rowid = None
        if kind == _TABLE_LEAF:
            rowid, cell = _varint(page, cell)
        return Record(rowid, _values(self._payload(page, cell, length, kind == _TABLE_LEAF, others)))

    def _payload(self, page: bytes, cell: int, length: int, table: bool, others: _Pages) -> bytes:
        size = self._size
        most = size - 35 if table else (size - 12) * 64 // 255 - 23
        if length <= most:
            return page[cell : cell + length]
        least = (size - 12) * 32 // 255 - 23
        local = least + (length - least) % (size - 4)
        local = local if local <= most else least
        parts = [page[cell : cell + local]]
        (following,) = struct.unpack(">I", page[cell + local : cell + local + 4])
        left = length - local
        while left > 0:
            if following not in others or len(parts) > len(others):
                raise ValueError("an overflow page is missing")
            more = others[following]
            parts.append(more[4 : 4 + min(left, size - 4)])
            left -= size - 4
            (following,) = struct.unpack(">I", more[:4])
        return b"".join(parts)


def _most_frequent(salts: Iterable[bytes]) -> bytes:
    (best,) = Counter(salts).most_common(1) or [(b"", 0)]
    return best[0]


def _page_size(content: bytes) -> int:
    (size,) = struct.unpack(">H", content[16:18]) if len(content) >= 18 else (0,)
    size = 65536 if size == 1 else size
    return size if size in {2**power for power in range(9, 17)} else _PAGE_SIZE


def _values(record: bytes) -> tuple[Value, ...]:
    header, place = _varint(record, 0)
    if header > len(record):
        raise ValueError("a row's header is longer than the row")
    at, found = header, []
    while place < header:
        kind, place = _varint(record, place)
        value, at = _value(record, at, kind)
        found.append(value)
    if at > len(record):
        raise ValueError("a row is cut off")
    return tuple(found)


def _value(record: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind >= 12:
        end = at + (kind - 12) // 2
        content = record[at:end]
        return (content.decode("utf-8", "replace") if kind % 2 else content), end
    if kind in (8, 9):
        return kind - 8, at
    if kind in (10, 11):
        raise ValueError("no such kind of value")
    end = at + _WIDTHS[kind]
    content = record[at:end]
    if kind == 0:
        return None, end
    return (
        struct.unpack(">d", content)[0] if kind == 7 else int.from_bytes(content, "big", signed=True)
    ), end


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = 0
    for step in range(8):
        byte = content[place + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + step + 1
    return value << 8 | content[place + 8], place + 9
