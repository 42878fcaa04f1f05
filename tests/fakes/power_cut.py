"""What is on a disk after the power went: of all that was not synced any part, in any order, torn or not at all."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.fakes.python_disk import Entry

SECTOR: Final = 512


@dataclass(frozen=True)
class Ruins:
    """The files as they are found, and what had been acknowledged when the power went."""

    files: dict[str, bytes]
    acknowledged: frozenset[str]

    def lay(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        for ending in ("", "-wal", "-shm"):
            file = path.with_name(path.name + ending)
            if ending in self.files:
                file.write_bytes(self.files[ending])
            else:
                file.unlink(missing_ok=True)


def cuts(diary: Sequence[Entry], count: int, chance: random.Random) -> Iterator[Ruins]:
    """Plays the diary once and cuts the power at random places, between any two entries."""
    start = next(place for place, entry in enumerate(diary) if entry.what == "note")
    wanted = sorted(chance.randrange(start, len(diary) + 1) for _ in range(count))
    played = 0
    disk = _Disk()
    for place, group in groupby(wanted):
        for entry in diary[played:place]:
            disk.play(entry)
        played = place
        for _ in group:
            yield Ruins(disk.after_a_cut(chance), frozenset(disk.acknowledged))


class _Disk:
    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self._durable: dict[str, bytearray] = {}
        self._waiting: list[Entry] = []
        self._indexes: list[bytes] = []

    def play(self, entry: Entry) -> None:
        match entry.what:
            case "note":
                self.acknowledged.add(entry.note)
            case "write" | "truncate":
                self._waiting.append(entry)
            case "sync":
                for each in self._waiting:
                    if each.file == entry.file:
                        _apply(self._durable, each)
                self._waiting = [each for each in self._waiting if each.file != entry.file]
            case "index":
                self._indexes.append(entry.content)
            case "delete":
                self._durable.pop(entry.file, None)
                self._waiting = [each for each in self._waiting if each.file != entry.file]
            case _:
                pass

    def after_a_cut(self, chance: random.Random) -> dict[str, bytes]:
        files = {name: bytearray(content) for name, content in self._durable.items()}
        fate = chance.random()  # often all or nothing of it arrives, most often some
        for entry in self._waiting:
            if chance.random() < fate:
                _apply(files, entry if chance.random() < 0.8 else _torn(entry, chance))
        found = {name: bytes(content) for name, content in files.items()}
        if self._indexes and chance.random() < 0.7:
            found["-shm"] = chance.choice(self._indexes[-8:])
        return found


def _torn(entry: Entry, chance: random.Random) -> Entry:
    sectors = len(entry.content) // SECTOR
    if sectors < 2:
        return entry  # a disk writes a sector whole or not
    kept = chance.randrange(1, sectors) * SECTOR
    return Entry(entry.what, entry.file, entry.offset, entry.content[:kept])


def _apply(files: dict[str, bytearray], entry: Entry) -> None:
    content = files.setdefault(entry.file, bytearray())
    if entry.what == "truncate":
        del content[entry.offset :]
        return
    end = entry.offset + len(entry.content)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[entry.offset : end] = entry.content
