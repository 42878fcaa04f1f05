import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import chats, messages
from storage.errors import StoreUnavailable
from storage.records import Touched
from storage.store import Lane, Store, Transaction


def test_the_file_is_durable_by_its_settings(store: Store, path: Path) -> None:
    def pragmas(tx: Transaction) -> dict[str, int | str]:
        names = (
            "journal_mode",
            "synchronous",
            "fullfsync",
            "foreign_keys",
            "busy_timeout",
            "recursive_triggers",
        )
        return {name: tx.db.execute(f"pragma {name}").fetchone()[0] for name in names}

    assert store.write(pragmas).result() == {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "recursive_triggers": 0,
    }
    assert store.path == path


def test_all_tables_are_strict(store: Store) -> None:
    loose = "select name from pragma_table_list where schema = 'main' and type = 'table' and not strict"
    names = {name for (name,) in store.read(lambda db: db.execute(loose).fetchall())}
    assert names == {"sqlite_schema", "sqlite_sequence", "_sqlite_migrations"}


def test_closing_folds_everything_into_one_file(path: Path) -> None:
    store = Store.open(path)
    store.write(lambda tx: chats.create(tx, "Trip")).result()
    store.read(chats.unadopted)
    store.close()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_second_opening_finds_what_the_first_left(path: Path) -> None:
    for expected in (0, 1):
        store = Store.open(path)
        assert len(store.read(lambda db: chats.list_chats(db, ["local"]))) == expected  # type: ignore[list-item]
        store.write(lambda tx: chats.create(tx, "Trip")).result()
        store.close()


def test_the_person_goes_before_sync(store: Store) -> None:
    order: list[str] = []
    running, go = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        running.set()
        assert go.wait(30)

    store.write(hold, Lane.SYNC)
    assert running.wait(30)
    jobs = [
        store.write(lambda _, name=name: order.append(name), lane)  # type: ignore[misc]
        for name, lane in (("s1", Lane.SYNC), ("p1", Lane.PERSON), ("s2", Lane.SYNC), ("p2", Lane.PERSON))
    ]
    go.set()
    for job in jobs:
        job.result(30)
    assert order == ["p1", "p2", "s1", "s2"]


def test_a_job_that_fails_changes_nothing_and_the_next_one_runs(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        chats.create(tx, "Trip")
        raise KeyError("mine")

    with pytest.raises(KeyError):
        store.write(fail).result()
    assert store.read(chats.unadopted) == 0
    assert store.write(lambda tx: chats.create(tx, "Trip")).result().title == "Trip"


def test_listeners_hear_of_commits_before_the_future_and_only_of_changes(store: Store) -> None:
    heard: list[tuple[Touched, str]] = []
    chat = store.write(lambda tx: chats.create(tx, "Trip")).result()
    unsubscribe = store.subscribe(lambda touched: heard.append((touched, threading.current_thread().name)))
    store.write(lambda tx: messages.commit(tx, chat.chat_id, "Hello")).result()
    changed = frozenset({chat.chat_id})
    assert heard == [(Touched(chats=changed, messages=changed), "homing-writer")]
    store.write(lambda tx: chats.get(tx.db, chat.chat_id)).result()
    with pytest.raises(ZeroDivisionError):
        store.write(lambda tx: (tx.touch_accounts(), 1 / 0)).result()  # type: ignore[func-returns-value]
    unsubscribe()
    unsubscribe()
    store.write(lambda tx: messages.commit(tx, chat.chat_id, "Hello")).result()
    assert len(heard) == 1


def test_the_same_listener_twice_is_two_subscriptions(store: Store) -> None:
    heard: list[Touched] = []
    first, _ = store.subscribe(heard.append), store.subscribe(heard.append)
    first()
    store.write(lambda tx: chats.create(tx, "Trip")).result()
    assert len(heard) == 1


def test_a_listener_that_fails_harms_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Touched] = []

    def fail(_: Touched) -> None:
        raise KeyError("mine")

    store.subscribe(fail)
    store.subscribe(heard.append)
    store.write(lambda tx: chats.create(tx, "Trip")).result()
    assert len(heard) == 1
    assert "listener" in caplog.text


def test_reads_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable):
        store.read(lambda db: db.execute("delete from chats"))


def test_a_read_sees_one_moment(store: Store) -> None:
    def twice(db: object) -> tuple[int, int]:
        first = chats.unadopted(db)  # type: ignore[arg-type]  # a Reader, from read
        store.write(lambda tx: chats.create(tx, "Trip")).result()
        return first, store.read(chats.unadopted)

    assert store.read(twice) == (0, 0)
    assert store.read(chats.unadopted) == 1


def test_every_thread_reads_by_its_own_connection_which_closes_with_it(store: Store) -> None:
    found: list[int] = []

    def read() -> None:
        found.append(store.read(chats.unadopted))

    read()
    before = open_files()
    for _ in range(20):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert found == [0] * 21
    # SQLite keeps the descriptor of a closed connection for the next one while others hold the file.
    assert open_files() <= before + 4


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir()) if Path("/dev/fd").is_dir() else 0


def test_another_process_is_noticed_once(store: Store, path: Path) -> None:
    assert not store.foreign_changes()
    other = sqlite3.connect(path)
    other.execute("insert into settings (key, value) values ('a', 'b')")
    other.commit()
    other.close()
    assert store.foreign_changes()
    assert not store.foreign_changes()


def test_two_stores_on_one_file_write_in_turn(store: Store, path: Path) -> None:
    other = Store.open(path)
    jobs = [each.write(lambda tx: chats.create(tx, "Trip")) for _ in range(50) for each in (store, other)]
    assert len({job.result().chat_id for job in jobs}) == 100
    assert store.read(chats.unadopted) == other.read(chats.unadopted) == 100
    other.close()


def test_many_may_create_the_store_at_once(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / str(number) / "homing.sqlite3"
        with ThreadPoolExecutor(8) as pool:
            stores = list(pool.map(lambda _, path=path: Store.open(path), range(8)))
        for store in stores:
            store.write(lambda tx: chats.create(tx, "Trip")).result()
        assert stores[0].read(chats.unadopted) == 8
        for store in stores:
            store.close()
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_closing_finishes_what_was_queued_and_refuses_what_comes_later(path: Path) -> None:
    store = Store.open(path)
    jobs = [store.write(lambda tx: chats.create(tx, "Trip"), Lane.SYNC) for _ in range(20)]
    store.close()
    assert all(job.done() and job.exception() is None for job in jobs)
    with pytest.raises(StoreUnavailable, match="start Homing again"):
        store.write(lambda tx: chats.create(tx, "Trip")).result()
    with pytest.raises(StoreUnavailable, match="start Homing again"):
        store.read(chats.unadopted)
    store.close()


def test_a_cancelled_job_never_runs(store: Store) -> None:
    running, go = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        running.set()
        assert go.wait(30)

    held = store.write(hold)
    assert running.wait(30)
    cancelled = store.write(lambda tx: chats.create(tx, "Trip"))
    assert cancelled.cancel()
    go.set()
    held.result(30)
    assert store.write(lambda tx: chats.unadopted(tx.db)).result() == 0


def test_the_clock_is_the_one_that_was_handed_in(path: Path) -> None:
    store = Store.open(path, clock=lambda: datetime(2001, 2, 3, 4, 5, 6, 789_999, UTC))
    assert store.write(lambda tx: chats.create(tx, "Trip")).result().created_at == "2001-02-03T04:05:06.789Z"
    store.close()
