"""What the window shows as saved is saved, here and on every device: the real program, killed while it types and syncs."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage import accounts, chats, messages
from storage.content import plain_text
from storage.paths import profile_dir
from storage.records import ChatId, Position
from storage.standing import unsynced
from storage.store import Reader, Store
from tests.fakes.devices import Device, device
from tests.fakes.served import Served, fresh_server

KILLS = 40
LONG_KILLS = 1000


@contextmanager
def typists(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that opens typing windows on a data directory, one after the other."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.typing_window", str(data_dir)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HOMING_SESSION_STORE": "file"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _until_killed(process: "subprocess.Popen[str]", start: int, shown: int) -> set[str]:
    """Let a window type until it has shown so many messages as saved, then kill -9 it at once. What it had shown."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{start}\n")
    process.stdin.flush()
    window = int(process.stdout.readline())
    told = {process.stdout.readline().strip() for _ in range(shown)}
    os.kill(window, signal.SIGKILL)
    for line in process.stdout:
        if line == "dead\n":
            return told
        if line.endswith("\n"):
            told.add(line.strip())
    raise AssertionError("the windows' process ended")


def _all(db: Reader, chat_id: ChatId) -> Iterator[tuple[int | None, str]]:
    before: Position | None = None
    while True:
        page = messages.page(db, chat_id, before, 1000)
        assert page.gap is None
        yield from ((each.sequence_num, plain_text(each.content)) for each in page.messages)
        if (before := page.older) is None:
            return


def _kept(here: Device) -> dict[ChatId, list[tuple[int | None, str]]]:
    """Every chat, newest message first."""
    listed = here.store.read(lambda db: chats.list_chats(db, [here.account]))
    return {
        chat.chat_id: here.store.read(lambda db, chat_id=chat.chat_id: list(_all(db, chat_id)))  # type: ignore[misc]
        for chat in listed
    }


def _kill(tmp_path: Path, served: Served, kills: int) -> None:
    dice, told = random.Random(20261121), set[str]()
    email = served.sign_up().email
    folder = profile_dir(tmp_path / "typing", "default")
    with device(folder, served, email):
        pass  # it stays signed in
    with typists(tmp_path / "typing") as process:
        for kill in range(kills):
            told |= _until_killed(process, kill * 1000, dice.randrange(1, 40))
    with closing(Store.open(folder / "homing.sqlite3")) as typed:
        # The windows were killed while they synced, and not only while they typed.
        assert typed.read(lambda db: unsynced.synced_count(db, accounts.shown(db))) > kills
    with device(folder, served, email) as first, device(tmp_path / "other", served, email) as second:
        first.sync()
        second.sync()
        kept = _kept(first)
        assert _kept(second) == kept
    texts = [text for chat in kept.values() for _, text in chat]
    assert len(told) >= kills
    assert told <= set(texts)
    assert len(texts) == len(set(texts))
    for chat in kept.values():
        assert [number for number, _ in chat] == list(range(len(chat), 0, -1))


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_every_message_shown_as_saved_is_once_on_both_devices_after_kill_9(tmp_path: Path) -> None:
    with fresh_server() as served:
        _kill(tmp_path, served, KILLS)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_the_same_a_thousand_times(tmp_path: Path) -> None:
    with fresh_server() as served:
        _kill(tmp_path, served, LONG_KILLS)
