"""Backups: made when due, checked, kept in number, and in nobody's way (backups.py, I34)."""

import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import chats, messages
from storage.errors import DiskFull, NewerSchema, StoreCorrupt
from storage.file import backups, ballast, connections, preparing, soundness
from storage.file.backups import Kind
from storage.store import Store
from tests.fakes.inhabited import OWN, content, fill, say

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Calendar:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def lived_in(path: Path, calendar: Calendar) -> Store:
    store = Store.open(path, clock=calendar)
    fill(store)
    return store


def test_a_backup_is_made_once_a_day_and_holds_everything(lived_in: Store, calendar: Calendar) -> None:
    made = lived_in.keep_backups()
    assert made is not None
    assert made.path.name == "000001-20261121T120000Z-daily.sqlite3"
    assert content(made.path) == content(lived_in.path)
    assert lived_in.keep_backups() is None
    calendar.pass_days(0.3)
    assert lived_in.keep_backups() is None
    calendar.pass_days(0.7)
    assert lived_in.keep_backups() is not None
    lived_in.close()


def test_seven_daily_ones_are_kept_and_two_of_migrations(lived_in: Store, calendar: Calendar) -> None:
    for _ in range(3):
        backups.make(lived_in.path, calendar(), Kind.MIGRATION)
    for _ in range(9):
        assert lived_in.keep_backups() is not None
        calendar.pass_days(1)
    kept = backups.list_backups(lived_in.path)
    assert [backup.number for backup in kept if backup.kind is Kind.DAILY] == list(range(12, 5, -1))
    assert [backup.number for backup in kept if backup.kind is Kind.MIGRATION] == [3, 2]
    lived_in.close()


def test_a_clock_that_jumps_back_ten_years_costs_no_backup(lived_in: Store, calendar: Calendar) -> None:
    """I30: the newest is the one that was made last, whatever the clock said."""
    for days in (1, 1, -3650, 1, 1, 1, 1, 1, 1):
        calendar.pass_days(days)
        assert lived_in.keep_backups() is not None
    assert [backup.number for backup in backups.list_backups(lived_in.path)] == list(range(9, 2, -1))
    lived_in.close()


def test_a_store_in_which_nothing_is_needs_none(path: Path) -> None:
    store = Store.open(path)
    assert store.keep_backups() is None
    assert not backups.folder(path).exists()
    store.close()


def test_a_person_writes_and_reads_while_a_backup_is_made(
    lived_in: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the backup shows one moment of it."""
    between, go = threading.Event(), threading.Event()

    def wait(_: float) -> None:
        between.set()
        assert go.wait(30)

    before = content(lived_in.path)
    monkeypatch.setattr("storage.file.backups.time.sleep", wait)
    monkeypatch.setattr(backups, "_STEP", 8)
    made: list[backups.Backup | None] = []
    making = threading.Thread(target=lambda: made.append(lived_in.keep_backups()))
    making.start()
    assert between.wait(30)
    say(lived_in, OWN, "meanwhile")
    assert lived_in.read(lambda db: messages.page(db, OWN)).messages[0].message_id == "meanwhile"
    go.set()
    making.join(30)
    assert made[0] is not None
    assert content(made[0].path) == before
    lived_in.close()


def test_a_backup_that_finds_damage_says_so_and_replaces_no_sound_one(path: Path, calendar: Calendar) -> None:
    store = Store.open(path, clock=calendar)
    fill(store)
    first = store.keep_backups()
    store.close()
    spoiled = bytearray(path.read_bytes())
    spoiled[-4096 * 6 : -4096 * 2] = os.urandom(4096 * 4)
    path.write_bytes(spoiled)
    store = Store.open(path, clock=calendar)
    calendar.pass_days(1)
    with pytest.raises(StoreCorrupt, match="let Homing repair it"):
        store.keep_backups()
    store.close()
    assert backups.list_backups(path) == (first,)
    assert not (backups.folder(path) / "making").exists()


def test_a_copy_in_which_rows_are_missing_is_refused(lived_in: Store, tmp_path: Path) -> None:
    made = lived_in.keep_backups()
    assert made is not None
    with pytest.raises(StoreCorrupt, match="rows are missing"):
        soundness.check_copy(made.path, lived_in.path, {"chats": 3, "messages": 0, "drafts": 1})
    lived_in.close()


def test_without_room_no_backup_is_begun(lived_in: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "room", lambda _: ballast.SIZE)
    with pytest.raises(DiskFull, match="no room for a backup"):
        lived_in.keep_backups()
    assert backups.list_backups(lived_in.path) == ()
    lived_in.close()


def test_what_a_killed_backup_left_is_cleared_away(lived_in: Store) -> None:
    backups.folder(lived_in.path).mkdir()
    (backups.folder(lived_in.path) / "making").write_bytes(b"half a file")
    assert lived_in.keep_backups() is not None
    assert {each.name for each in backups.folder(lived_in.path).iterdir()} <= {
        "000001-20261121T120000Z-daily.sqlite3",
        "lock",
    }
    lived_in.close()


def test_a_file_of_a_newer_homing_is_refused_though_there_is_a_backup(
    lived_in: Store, calendar: Calendar
) -> None:
    assert lived_in.keep_backups() is not None
    lived_in.write(
        lambda tx: (
            tx.db.execute(
                "insert into _sqlite_migrations (migration_set, name, applied_at) values ('homing', 'm9999_future', 'x')"
            ).rowcount
        )
    ).result()
    lived_in.close()
    before = {each: each.read_bytes() for each in lived_in.path.parent.rglob("*") if each.is_file()}
    with pytest.raises(NewerSchema):
        Store.open(lived_in.path)
    assert {each: each.read_bytes() for each in lived_in.path.parent.rglob("*") if each.is_file()} == before


def test_a_migration_makes_a_backup_first(
    lived_in: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the step finds is what the backup holds, even when the step then fails."""
    lived_in.close()
    before = content(path)
    monkeypatch.setattr(preparing, "is_current", lambda _: False)

    def fail(_: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(connections, "migrate", fail)
    with pytest.raises(ZeroDivisionError):
        Store.open(path)
    (backup,) = backups.list_backups(path)
    assert backup.kind is Kind.MIGRATION
    shutil.copyfile(backup.path, tmp_path / "copy.sqlite3")
    assert content(tmp_path / "copy.sqlite3") == before == content(path)


def test_a_draft_is_worth_a_backup(path: Path) -> None:
    store = Store.open(path)
    chat = store.write(lambda tx: chats.create(tx, "")).result()
    store.write(lambda tx: chats.save_draft(tx, chat.chat_id, "words")).result()
    assert store.keep_backups() is not None
    store.close()
