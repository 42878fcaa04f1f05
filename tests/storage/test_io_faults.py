"""Every single read, write, sync, truncation, opening and deletion fails once: nothing is lost, nothing is doubled."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw
import pytest

from storage import chats, messages
from storage.errors import StorageError
from storage.file import backups
from storage.inbound import inbox
from storage.records import ChatId, MessageId
from storage.store import Store, Transaction
from tests.fakes import old_store
from tests.fakes.changes import change_page, message_change
from tests.fakes.inhabited import ACTIVE, OWN, PULLED, fill
from tests.fakes.python_disk import Disk

NOW: Final = datetime(2026, 11, 21, tzinfo=UTC)
FAILURES: Final = {
    "the disk fails": (apsw.IOError, apsw.SQLITE_IOERR),
    "the disk is full": (apsw.FullError, apsw.SQLITE_FULL),
}


def say(tx: Transaction, name: str) -> None:
    messages.commit(tx, OWN, name + " words" * 900, message_id=MessageId(name))


def pull(tx: Transaction) -> None:
    page = change_page(message_change(n, PULLED, f"late-{n}", n) for n in range(100, 104))
    assert inbox.apply(tx, ACTIVE, page)


def fold(tx: Transaction) -> None:
    tx.db.execute("pragma wal_autocheckpoint = 1")


JOBS: Final[tuple[Callable[[Transaction], None], ...]] = (
    fold,
    lambda tx: say(tx, "first"),
    pull,
    lambda tx: chats.save_draft(tx, ChatId("chat-signed-out"), "later"),
    lambda tx: say(tx, "second"),
)


def insisted(act: Callable[[], object]) -> None:
    """Does it again after an error that is told to people; any other is a bug."""
    try:
        act()
    except StorageError:
        act()


def work(path: Path) -> None:
    """Opens the store, commits, pulls and folds the log; every step once more when it failed."""
    opened: list[Store] = []
    insisted(lambda: opened.append(Store.open(path)))
    for job in JOBS:
        insisted(lambda job=job: opened[0].write(job).result())  # type: ignore[misc]
    opened[0].close()


def copied(path: Path) -> None:
    made: list[object] = []
    insisted(lambda: made.append(backups.make(path, NOW)))
    assert made
    assert not (backups.folder(path) / "making").exists()


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return {
            "messages": db.execute(
                "select chat_id, message_id, sequence_num, content, sync_state from messages order by 1, 3, local_order"
            ).fetchall(),
            "chats": db.execute("select chat_id, title, pending, rejected from chats order by 1").fetchall(),
            "drafts": db.execute("select * from drafts order by 1").fetchall(),
            "cursor": db.execute("select epoch, change from accounts order by account_id").fetchall(),
        }


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "homing.sqlite3"
    store = Store.open(path)
    fill(store, synced=4, pending=2)
    store.close()
    return path


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("old") / "homing.sqlite3"
    old_store.make(path, OWN)
    return path


def wounded(source: Path, folder: Path, act: Callable[[Path], None], step: int, failure: str) -> Disk:
    """Does it on a copy of the store, while one step of the disk fails."""
    path = folder / "wounded" / "homing.sqlite3"
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    shutil.copyfile(source, path)
    disk = Disk(path)
    disk.fail_at = step
    disk.failure, disk.code = FAILURES[failure]
    with disk.under_the_store():
        act(path)
    return disk


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of a disk that fails while closing
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("act", [work, copied])
def test_every_step_of_the_disk_may_fail_once(
    filled: Path, tmp_path: Path, act: Callable[[Path], None], failure: str
) -> None:
    """I3, I32: over opening, commits, a pulled page, folding in the log, and a backup."""
    steps = wounded(filled, tmp_path, act, 0, failure).steps
    wounded_path = tmp_path / "wounded" / "homing.sqlite3"
    expected = content(wounded_path)
    assert steps > 20
    for step in range(1, steps + 1):
        disk = wounded(filled, tmp_path, act, step, failure)
        assert disk.failed
        assert content(wounded_path) == expected, f"step {step} of {steps}: {disk.failed}"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # likewise
def test_every_step_of_a_migration_may_fail_once(old: Path, tmp_path: Path) -> None:
    """I31: the backup before it, and the one transaction that it is."""

    def migrated(path: Path) -> None:
        opened: list[Store] = []
        insisted(lambda: opened.append(Store.open(path)))
        opened[0].close()

    path = tmp_path / "wounded" / "homing.sqlite3"
    steps = wounded(old, tmp_path, migrated, 0, "the disk fails").steps
    expected = content(path)
    assert len(expected["messages"]) == 3
    for step in range(1, steps + 1):
        failure = list(FAILURES)[step % 2]
        disk = wounded(old, tmp_path, migrated, step, failure)
        assert content(path) == expected, f"step {step} of {steps}: {disk.failed}"
        assert len(backups.list_backups(path)) >= 1
