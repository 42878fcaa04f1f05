"""A really full disk: nothing acknowledged is lost, reads go on, sync makes way, and all resumes by itself (I32)."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import chats, messages
from storage.errors import DiskFull
from storage.file import backups, ballast
from storage.records import ChatId, MessageId
from storage.rescue import salvage
from storage.store import Lane, Store
from tests.fakes.inhabited import content

CHAT = ChatId("a")
SIZE = 28 * 1024 * 1024
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, where the machine lets us mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("no right to mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def path(small_disk: Path) -> Path:
    return small_disk / "profile" / "homing.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(path)
    store.write(lambda tx: chats.create(tx, "Trip", chat_id=CHAT)).result()
    store.keep_backups()
    assert ballast.is_kept(path.parent)
    yield store
    store.close()


def fill_up(folder: Path, leave: int = 0) -> Path:
    """Takes all room but so much."""
    filler = folder / "filler"
    with filler.open("ab") as file:
        while (room := ballast.room(folder)) > leave:
            file.write(bytes(min(room - leave, 1 << 20)))
            file.flush()
    return filler


def say(store: Store, name: str, size: int = 2000) -> None:
    store.write(lambda tx: messages.commit(tx, CHAT, "words " * size, message_id=MessageId(name))).result()


def say_until_full(store: Store) -> list[str]:
    """Returns the ids that were acknowledged, newest first."""
    acknowledged: list[str] = []
    for number in range(1000):
        try:
            say(store, f"m{number}")
        except DiskFull:
            break
        acknowledged.insert(0, f"m{number}")
    assert 0 < len(acknowledged) < 1000
    return acknowledged


def ids(store: Store) -> list[str]:
    return [
        message.message_id for message in store.read(lambda db: messages.page(db, CHAT, limit=1000)).messages
    ]


def test_what_was_acknowledged_stays_and_the_next_try_has_room(store: Store, path: Path) -> None:
    fill_up(path.parent, 100_000)
    acknowledged = say_until_full(store)
    assert ids(store) == acknowledged
    assert not ballast.is_kept(path.parent)
    say(store, "again")
    assert ids(store) == ["again", *acknowledged]


def test_when_even_the_ballast_is_used_up_nothing_is_lost(store: Store, path: Path) -> None:
    fill_up(path.parent, 100_000)
    say_until_full(store)
    fill_up(path.parent)
    acknowledged = ids(store)
    with pytest.raises(DiskFull, match="free some space"):
        say(store, "too much", 20_000)
    assert ids(store) == acknowledged
    store.close()
    (path.parent / "filler").unlink()
    store = Store.open(path)
    assert ids(store) == acknowledged
    assert store.read(lambda db: db.execute("pragma integrity_check").fetchone()) == ("ok",)
    store.close()


def test_sync_stops_first_and_goes_on_by_itself(store: Store, path: Path) -> None:
    filler = fill_up(path.parent, ballast.SIZE // 2)
    with pytest.raises(DiskFull, match="goes on by itself"):
        store.write(lambda tx: chats.rename(tx, CHAT, "Pulled"), Lane.SYNC).result()
    say(store, "m1")
    assert ballast.is_kept(path.parent)
    filler.unlink()
    store.write(lambda tx: chats.rename(tx, CHAT, "Pulled"), Lane.SYNC).result()


def test_the_ballast_is_made_again_when_there_is_room(store: Store, path: Path) -> None:
    filler = fill_up(path.parent, 100_000)
    say_until_full(store)
    assert not ballast.keep(path.parent)
    filler.unlink()
    store.keep_backups()
    assert ballast.is_kept(path.parent)
    assert (path.parent / "ballast").stat().st_blocks * 512 >= ballast.SIZE


def test_a_store_opens_on_a_full_disk(store: Store, path: Path) -> None:
    say(store, "m1")
    store.close()
    fill_up(path.parent)
    again = Store.open(path)
    assert ids(again) == ["m1"]
    again.close()


def test_something_can_be_deleted_on_a_full_disk(store: Store, path: Path) -> None:
    for number in range(5):
        say(store, f"m{number}")
    fill_up(path.parent)
    with pytest.raises(DiskFull):
        store.write(lambda tx: tx.db.execute("delete from messages").rowcount).result()
    store.write(lambda tx: tx.db.execute("delete from messages where message_id <> 'm4'").rowcount).result()
    assert ids(store) == ["m4"]


def test_no_backup_is_begun_on_a_full_disk_and_it_is_made_later(store: Store, path: Path) -> None:
    say(store, "m1")
    filler = fill_up(path.parent, ballast.SIZE // 2)
    backups.list_backups(path)[0].path.unlink()
    with pytest.raises(DiskFull, match="no room for a backup"):
        store.keep_backups()
    assert backups.list_backups(path) == ()
    filler.unlink()
    assert store.keep_backups() is not None


def test_a_rescue_waits_for_room_and_changes_nothing(store: Store, path: Path) -> None:
    say(store, "m1")
    store.close()
    before = path.read_bytes()
    filler = fill_up(path.parent, 100_000)
    with pytest.raises(DiskFull, match="no room for a second file"):
        salvage.rescue(path, NOW)
    assert path.read_bytes() == before
    filler.unlink()
    assert salvage.rescue(path, NOW).carried.unsent == 1


def test_a_closing_that_finds_no_room_leaves_the_log(store: Store, path: Path) -> None:
    for number in range(5):
        say(store, f"m{number}")
    before = ids(store)
    fill_up(path.parent)
    store.close()
    again = Store.open(path)
    assert ids(again) == before
    again.close()
    assert len(content(path)["messages"]) == 5


def test_a_disk_with_no_room_at_all_is_told_in_one_line(small_disk: Path) -> None:
    fill_up(small_disk)
    for path in (small_disk / "homing.sqlite3", small_disk / "profiles" / "a" / "homing.sqlite3"):
        with pytest.raises(DiskFull, match="free some space"):
            Store.open(path)
