"""Files of every release become what a new file is, with all they hold."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlite_utils import Database

from storage import messages
from storage.file import backups
from storage.file.migrations import MIGRATIONS
from storage.file.steps import STEPS
from storage.inbound import history, inbox
from storage.outbound import outbox
from storage.records import AccountId, ChatId, Counts, Cursor
from storage.rescue import salvage
from storage.standing import unsynced
from storage.store import Store

ACCOUNT = AccountId("account-a")


@pytest.fixture
def first_release(path: Path) -> Path:
    """A store of the first release: three chats, of which one has holes and one words that wait."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    MIGRATIONS.apply(Database(connection), stop_before=STEPS[1])
    connection.execute(
        "insert into accounts (account_id, url, publishable_key, email, user_id, signed_in, active, epoch, change, "
        "generation) values ('account-a', 'http://127.0.0.1:1', 'key', 'a@example.org', 'u', 1, 1, 'epoch-1', 9, 1)"
    )
    for chat in ("whole", "holed", "waiting"):
        connection.execute(
            "insert into chats (chat_id, account_id, created_at, updated_at, activity, generation, edited) "
            "values (?, 'account-a', '2026', '2026', 1, 1, ?)",
            (chat, "title" if chat == "waiting" else ""),
        )
    _insert(connection, "whole", range(1, 201), deleted=[3, 200])
    _insert(connection, "holed", [*range(1, 4), *range(101, 151), 160])
    _insert(connection, "holed", [90], generation=0)
    _insert(connection, "holed", [91], revision=0)
    _insert(connection, "waiting", [None, None])
    connection.commit()
    connection.close()
    return path


def _insert(
    connection: sqlite3.Connection,
    chat: str,
    numbers: "range | list[int] | list[None]",
    *,
    deleted: "list[int]" = [],  # noqa: B006 - never changed
    generation: int = 1,
    revision: int = 1,
) -> None:
    connection.executemany(
        "insert into messages (chat_id, message_id, sequence_num, role, content, status, sync_state, created_at, "
        'deleted_at, revision, generation) values (?, ?, ?, \'user\', \'[{"type":"text","text":"hi"}]\', '
        "'complete', ?, '2026', ?, ?, ?)",
        [
            (
                chat,
                f"{chat}-{place}-{number}",
                number,
                "synced" if number else "pending",
                "2026" if number in deleted else None,
                revision if number else 0,
                generation,
            )
            for place, number in enumerate(numbers)
        ],
    )


def test_a_store_of_the_first_release_knows_what_it_holds(first_release: Path) -> None:
    store = Store.open(first_release)
    held = store.read(lambda db: db.execute("select * from held order by chat_id, first").fetchall())
    assert held == [("holed", 1, 3), ("holed", 101, 150), ("holed", 160, 160), ("whole", 1, 200)]
    columns = "chat_id, last_num, missing, top_missing"
    chats = store.read(lambda db: db.execute(f"select {columns} from chats order by chat_id").fetchall())
    assert chats == [("holed", 160, 106, 1), ("waiting", 0, 0, 0), ("whole", 200, 0, 0)]
    assert store.read(lambda db: history.missing(db, [ACCOUNT])) == (106, 360)
    store.close()


def test_what_was_kept_and_what_waited_is_still_there(first_release: Path) -> None:
    store = Store.open(first_release)
    assert len(store.read(lambda db: messages.page(db, ChatId("whole"), limit=1000)).messages) == 198
    work = store.read(lambda db: outbox.load_parcel(db, ACCOUNT))
    assert [(batch.chat_id, len(batch.messages)) for batch in work.parcel.batches] == [("waiting", 2)]
    assert work.cursor == Cursor("epoch-1", 9) == store.read(lambda db: inbox.cursor(db, ACCOUNT))
    assert not work.opened
    assert store.read(lambda db: unsynced.counts(db, [ACCOUNT])) == Counts(2, 0, "2026")
    store.close()


def test_a_migrated_file_has_the_schema_of_a_new_one(first_release: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.sqlite3"
    for path in (first_release, fresh):
        Store.open(path).close()
    assert _schema(first_release) == _schema(fresh)


def _schema(path: Path) -> "list[tuple[str, str]]":
    connection = sqlite3.connect(path)
    found = connection.execute(
        "select name, sql from sqlite_schema where sql is not null order by name"
    ).fetchall()
    connection.close()
    return found


def test_a_step_that_fails_leaves_the_old_file_as_it_was(first_release: Path) -> None:
    before = _rows(first_release)
    connection = sqlite3.connect(first_release)
    connection.execute("create table held (of_another_program text)")
    connection.commit()
    connection.close()
    with pytest.raises(Exception, match="held"):
        Store.open(first_release)
    assert _rows(first_release) == before


def _rows(path: Path) -> "list[tuple[object, ...]]":
    connection = sqlite3.connect(path)
    found = connection.execute("select * from messages order by local_order").fetchall()
    connection.close()
    return found


def test_the_backup_before_a_migration_can_be_put_back(first_release: Path) -> None:
    store = Store.open(first_release)
    store.write(lambda tx: messages.commit(tx, ChatId("whole"), "written after the migration")).result()
    store.close()
    (backup,) = backups.list_backups(first_release)
    assert backup.kind is backups.Kind.MIGRATION
    salvage.restore(first_release, backup.path, datetime(2026, 11, 21, tzinfo=UTC))
    store = Store.open(first_release)
    counts = store.read(lambda db: unsynced.counts(db, [ACCOUNT]))
    newest = store.read(lambda db: messages.page(db, ChatId("whole"), limit=300)).messages
    store.close()
    assert counts.pending == 3
    assert newest[0].content[0]["text"] == "written after the migration"
    assert [each.sequence_num for each in newest[1:]] == [*range(199, 3, -1), 2, 1]
