import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from storage import chats, messages
from storage.errors import (
    DiskFull,
    InvalidMessage,
    NewerSchema,
    StorageError,
    StoreCorrupt,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
    UnknownOutcome,
)
from storage.file import preparing, writing
from storage.file.migrations import MIGRATIONS
from storage.file.steps import STEPS
from storage.file.translate import BUGS, TABLE, translate
from storage.records import ChatId, MessageId
from storage.store import Store, Transaction
from tests.fakes.failing_disk import Commit, FailingDisk, sqlite_error

CHAT = ChatId("a")


def start(store: Store) -> None:
    store.write(lambda tx: chats.create(tx, "Trip", chat_id=CHAT)).result()


def say(store: Store, message_id: str, words: str = "hi") -> None:
    store.write(lambda tx: messages.commit(tx, CHAT, words, message_id=MessageId(message_id))).result()


def ids(store: Store) -> list[str]:
    return [message.message_id for message in store.read(lambda db: messages.page(db, CHAT)).messages]


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of a folder: the hash of its bytes, and when it was last written."""
    return {
        entry.name: (hashlib.sha256(entry.read_bytes()).hexdigest(), entry.stat().st_mtime_ns)
        for entry in folder.iterdir()
    }


A_STEP_FROM_THE_FUTURE = "insert into _sqlite_migrations (migration_set, name, applied_at) values ('homing', 'm9999_future', 'then')"


def make_newer(connection: sqlite3.Connection, how: str = A_STEP_FROM_THE_FUTURE) -> None:
    connection.execute(how)
    connection.commit()


def test_the_steps_that_opening_looks_for_are_the_migrations() -> None:
    from sqlite_utils import Database

    with Database(memory=True) as empty:
        assert tuple(step.name for step in MIGRATIONS.pending(empty)) == STEPS


@pytest.mark.parametrize("how", [A_STEP_FROM_THE_FUTURE, "pragma user_version = 9999"])
def test_a_file_of_a_newer_homing_is_refused_and_not_one_byte_changed(path: Path, how: str) -> None:
    Store.open(path).close()
    connection = sqlite3.connect(path)
    make_newer(connection, how)
    connection.close()
    before = state(path.parent)
    assert set(before) == {path.name}
    with pytest.raises(NewerSchema, match="update Homing"):
        Store.open(path)
    assert state(path.parent) == before


def test_a_newer_homing_that_was_killed_is_recognised_by_its_log(path: Path) -> None:
    Store.open(path).close()
    connection = sqlite3.connect(path)
    make_newer(connection)
    before = state(path.parent)
    with pytest.raises(NewerSchema):
        Store.open(path)
    after = state(path.parent)
    assert {name: after[name] for name in (path.name, f"{path.name}-wal")} == {
        name: before[name] for name in (path.name, f"{path.name}-wal")
    }
    connection.close()


@pytest.mark.parametrize(
    "content", [b"not a database, but a letter of some length" * 200, b"SQLite format 3\0" + b"\xff" * 8192]
)
def test_a_file_that_is_no_database_is_corrupt_and_stays(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="let Homing repair it"):
        Store.open(path)
    assert path.read_bytes() == content


def test_a_smashed_page_is_corrupt_at_the_first_read(path: Path) -> None:
    store = Store.open(path)
    start(store)
    for number in range(200):
        say(store, f"m{number}", "words " * 100)
    store.close()
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half:] = b"\x5a" * (len(content) - half)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):  # noqa: PT012 - at start or at the first read, as it falls
        store = Store.open(path)
        try:
            store.read(lambda db: messages.page(db, CHAT, limit=1000))
        finally:
            store.close()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    store = Store.open(path)
    start(store)
    store.close()


def test_a_folder_that_is_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("in the way")
    with pytest.raises(StoreReadOnly, match="check that its folder"):
        Store.open(tmp_path / "profile" / "homing.sqlite3")


def test_the_folder_is_the_users_alone(path: Path) -> None:
    Store.open(path).close()
    if os.name == "posix":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


AS_SOMEBODY_ELSE = """
import os, sys, urllib.parse  # what is imported later may lie where somebody else cannot read
from pathlib import Path
import storage.file.migrations
from storage.errors import StoreReadOnly
from storage.store import Store
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Store.open(Path(sys.argv[1]))
except StoreReadOnly as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o555, 0o444), (0o000, 0o600), (0o555, None)])
def test_a_file_that_cannot_be_written_is_told_in_one_line(folder_mode: int, file_mode: int | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "profile"
        path = folder / "homing.sqlite3"
        Path(name).chmod(0o755)
        folder.mkdir()
        if file_mode is not None:
            Store.open(path).close()
            path.chmod(file_mode)
        folder.chmod(folder_mode)
        before = path.read_bytes() if file_mode == 0o444 else b""
        try:
            said = subprocess.run(
                [sys.executable, "-c", AS_SOMEBODY_ELSE, str(path)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            assert said.count("\n") == 1
            assert "check that its folder is yours" in said
            assert not before or path.read_bytes() == before
        finally:
            folder.chmod(0o700)


def test_while_another_process_writes_a_store_opens_and_reads_without_waiting(path: Path) -> None:
    first = Store.open(path)
    start(first)
    say(first, "m1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    other.execute("insert into settings (key, value) values ('held', 'long')")
    began = time.monotonic()
    second = Store.open(path)
    assert ids(second) == ["m1"]
    second.close()
    assert time.monotonic() - began < 2.5
    other.execute("rollback")
    other.close()
    first.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.file.connections.BUSY_SECONDS", 0.05)


@pytest.mark.usefixtures("quick")
def test_a_lock_held_too_long_is_named_and_passes(path: Path) -> None:
    store = Store.open(path)
    start(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(StoreLocked, match="try again"):
        say(store, "m1")
    assert ids(store) == []
    other.execute("rollback")
    other.close()
    say(store, "m1")
    assert ids(store) == ["m1"]
    store.close()


def test_a_full_disk_loses_nothing_and_passes(store: Store) -> None:
    start(store)
    say(store, "m1")

    def limit(tx: Transaction) -> int:
        (pages,) = tx.db.execute("pragma page_count").fetchone()
        return int(tx.db.execute(f"pragma max_page_count = {pages + 2}").fetchone()[0])

    store.write(limit).result()
    with pytest.raises(DiskFull, match="free some space"):
        say(store, "large", "words " * 10_000)
    assert ids(store) == ["m1"]
    store.write(lambda tx: tx.db.execute("pragma max_page_count = 1000000").fetchone()).result()
    say(store, "large", "words " * 10_000)
    assert ids(store) == ["large", "m1"]


@pytest.mark.parametrize("what", [Commit.FAILS_BEFORE, Commit.FAILS_AFTER])
def test_a_commit_that_fails_is_unknown_and_the_same_id_again_is_right(
    path: Path, monkeypatch: pytest.MonkeyPatch, what: Commit
) -> None:
    """I3: the connection is opened anew, and a retry is a no-op if the message is there."""
    disk = FailingDisk()
    monkeypatch.setattr(writing, "open_writer", disk.open_writer)
    store = Store.open(path)
    start(store)
    say(store, "m1")
    disk.next_commit = what
    with pytest.raises(UnknownOutcome, match="try again"):
        say(store, "m2")
    assert ids(store) == (["m2", "m1"] if what is Commit.FAILS_AFTER else ["m1"])
    say(store, "m2")
    assert ids(store) == ["m2", "m1"]
    assert disk.opened == 2
    store.close()


@pytest.mark.parametrize(
    ("code", "expected"), [(sqlite3.SQLITE_FULL, DiskFull), (sqlite3.SQLITE_BUSY, StoreLocked)]
)
def test_a_commit_that_finds_the_disk_full_did_not_happen(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[StorageError]
) -> None:
    disk = FailingDisk(code)
    monkeypatch.setattr(writing, "open_writer", disk.open_writer)
    store = Store.open(path)
    start(store)
    disk.next_commit = Commit.FAILS_BEFORE
    with pytest.raises(expected):
        say(store, "m1")
    assert ids(store) == []
    say(store, "m1")
    assert ids(store) == ["m1"]
    store.close()


def test_every_error_of_sqlite_is_in_the_table_or_named_a_bug() -> None:
    names = (
        "ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN "
    )
    names += "PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB"
    codes = {getattr(sqlite3, f"SQLITE_{name}") for name in names.split()}
    assert codes == set(range(1, 27))
    assert {code for code in codes if code not in TABLE} == BUGS


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, DiskFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, DiskFull),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreLocked),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreCorrupt),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreReadOnly),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreUnavailable),
        (sqlite3.SQLITE_TOOBIG, InvalidMessage),
    ],
)
def test_errors_are_one_line_that_ends_in_what_to_do(
    code: int, expected: type[StorageError], path: Path
) -> None:
    error = translate(sqlite_error(code), path)
    assert type(error) is expected
    assert str(error).count("\n") == 0
    assert ": " in str(error)


def test_our_own_bugs_are_not_dressed_up(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.read(lambda db: db.execute("select * from nowhere"))
    with pytest.raises(sqlite3.IntegrityError):
        store.write(
            lambda tx: tx.db.execute("insert into drafts (chat_id, text) values ('nowhere', 'x')").rowcount
        ).result()


WRITING = """
import sys
from pathlib import Path
from storage import chats
from storage.store import Store
store = Store.open(Path(sys.argv[1]))
print("open", flush=True)
while True:
    store.write(lambda tx: chats.create(tx, "x" * 900)).result()
"""


def test_a_store_in_which_another_process_writes_is_not_taken_for_damaged(path: Path) -> None:
    """Its log begins anew again and again while we look."""
    other = subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    for _ in range(300):
        preparing.prepare(path)
    other.kill()
    other.communicate()
    Store.open(path).close()
