"""Ways in which a disk spoils a file, and how a store is seen afterwards by whoever uses it."""

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from storage import accounts, chats, messages
from storage.errors import StorageError
from storage.records import LOCAL_ACCOUNT, Chat, Message
from storage.rescue import checking
from storage.store import Reader, Store
from tests.fakes.inhabited import ACTIVE

PAGE: Final = 4096
UNREADABLE: Final = ({"type": "status", "code": "error", "text": "This message cannot be read."},)
FILES: Final = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Spoiled:
    """What was done to which bytes of which file."""

    what: str
    file: str
    first: int
    last: int


def _flip(content: bytearray, chance: random.Random, start: int = 0) -> tuple[int, int]:
    place = chance.randrange(start, len(content))
    content[place] ^= 1 << chance.randrange(8)
    return place, place


def _flip_log(content: bytearray, chance: random.Random) -> tuple[int, int]:
    return _flip(content, chance)


def _smash(content: bytearray, chance: random.Random) -> tuple[int, int]:
    page = chance.randrange(len(content) // PAGE) * PAGE
    content[page : page + PAGE] = chance.choice([bytes(PAGE), chance.randbytes(PAGE)])
    return page, page + PAGE - 1


def _misplace(content: bytearray, chance: random.Random) -> tuple[int, int]:
    source, target = (chance.randrange(len(content) // PAGE) * PAGE for _ in range(2))
    content[target : target + PAGE] = content[source : source + PAGE]
    return target, target + PAGE - 1


def _smear(content: bytearray, chance: random.Random) -> tuple[int, int]:
    place = chance.randrange(len(content) - 512) // 512 * 512
    content[place : place + 512] = chance.randbytes(512)
    return place, place + 511


def _behead(content: bytearray, chance: random.Random) -> tuple[int, int]:
    size = chance.choice([16, 100, PAGE])
    content[:size] = bytes(size)
    return 0, size - 1


def _cut(content: bytearray, chance: random.Random) -> tuple[int, int]:
    size, old = chance.randrange(len(content)), len(content)
    del content[size:]
    return size, old


def _behead_log(content: bytearray, chance: random.Random) -> tuple[int, int]:
    size = chance.choice([8, 24, 32, 56])
    content[:size] = chance.choice([bytes(size), chance.randbytes(size)])
    return 0, size - 1


WAYS: Final[dict[str, tuple[str, Callable[[bytearray, random.Random], tuple[int, int]]]]] = {
    "one bit flips": ("", _flip),
    "a page is smashed": ("", _smash),
    "a page lies in another's place": ("", _misplace),
    "a sector is smeared": ("", _smear),
    "the header is gone": ("", _behead),
    "the file is cut off": ("", _cut),
    "one bit of the log flips": ("-wal", _flip_log),
    "a sector of the log is smeared": ("-wal", _smear),
    "the log is cut off": ("-wal", _cut),
    "the log's header is gone": ("-wal", _behead_log),
}


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    for ending in FILES:
        if (file := source.with_name(source.name + ending)).exists():
            shutil.copyfile(file, target.with_name(target.name + ending))


def spoil(path: Path, way: str, chance: random.Random) -> Spoiled:
    ending, act = WAYS[way]
    file = path.with_name(path.name + ending)
    content = bytearray(file.read_bytes())
    first, last = act(content, chance)
    file.write_bytes(content)
    return Spoiled(way, ending, first, last)


@dataclass(frozen=True)
class Seen:
    """What a person wrote and reads, and whether Homing says that something is wrong.

    Times, ids of turns and reasons of refusals have no sum, and are not looked at.
    """

    chats: tuple[Chat, ...] = ()
    messages: tuple[Message, ...] = ()
    alarm: str | None = None


def see(path: Path) -> Seen:
    """Opens, reads everything as the window does, and looks as deep as the daily look does."""
    try:
        store = Store.open(path)
    except StorageError as error:
        return Seen(alarm=str(error))
    try:
        seen = store.read(_everything)
    except StorageError as error:
        return Seen(alarm=str(error))
    finally:
        store.close()
    if any(message.content == UNREADABLE for message in seen.messages):
        return Seen(seen.chats, seen.messages, "a message cannot be read")
    ill = next((check.words for check in checking.examine(path) if not check.healthy), None)
    return Seen(seen.chats, seen.messages, ill)


def _everything(db: Reader) -> Seen:
    accounts.list_accounts(db)
    listed = chats.list_chats(db, [ACTIVE, LOCAL_ACCOUNT])
    found: list[Message] = []
    for chat in listed:
        page = messages.page(db, chat.chat_id, limit=1000)
        found += page.messages
    return Seen(
        tuple(replace(chat, created_at="", updated_at="", sync_error=None) for chat in listed),
        tuple(replace(message, created_at="", turn_id=None, sync_error=None) for message in found),
    )


@dataclass(frozen=True)
class Page:
    """One page of the file or frame of its log, and the pieces of text that are on it."""

    file: str
    first: int
    last: int
    pieces: frozenset[str]

    def is_touched(self, spoiled: Spoiled) -> bool:
        return self.file == spoiled.file and spoiled.first <= self.last and self.first <= spoiled.last


def mapped(path: Path) -> list[Page]:
    """Where the pieces of text lie."""
    found: list[Page] = []
    for ending, start, size in (("", 0, PAGE), ("-wal", 32, PAGE + 24)):
        file = path.with_name(path.name + ending)
        content = file.read_bytes() if file.exists() else b""
        for place in range(start, len(content), size):
            pieces = re.findall(rb"<[a-z-]+[0-9]*\.[0-9]+>", content[place : place + size])
            found.append(Page(ending, place, place + size - 1, frozenset(map(bytes.decode, pieces))))
    return found
