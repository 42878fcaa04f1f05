import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import cast

import pytest

from storage import accounts, chats, messages, settings
from storage.exchange import Span
from storage.inbound import heads, history, inbox, incoming
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, Counts, MessageId, Position
from storage.standing import held, openings, unsynced
from storage.store import Store, Transaction
from storage.transaction import Reader
from tests.fakes.changes import change_page, history_page, message_change, receipt
from tests.fakes.watching import Meter, PlanWatcher

OWNERS = [AccountId("account-a"), LOCAL_ACCOUNT]
MINE = OWNERS[0]
PENDING, LONG, HOLED = ChatId("pending"), ChatId("long"), ChatId("holed")
Query = Callable[[Reader], object]

GIVEN = {"SCAN CONSTANT ROW", "SCAN json_each VIRTUAL TABLE INDEX 1:", "SCAN asked"}
"""What walks through the caller's own list, and not through a table."""

HOT: dict[str, Query] = {
    "newest page": lambda db: messages.page(db, LONG),
    "page of pending ones": lambda db: messages.page(db, PENDING),
    "older page of pending ones": lambda db: messages.page(db, PENDING, Position(None, 10**9)),
    "deep page": lambda db: messages.page(db, LONG, Position(60, 0)),
    "page by number": lambda db: messages.page(db, LONG, Position(60, 0), 50),
    "towards the newest": lambda db: messages.newer(db, LONG, Position(10, 0)),
    "towards the newest of pending ones": lambda db: messages.newer(db, PENDING, Position(None, 5)),
    "one message": lambda db: messages.get(db, LONG, MessageId("m5")),
    "chat list": lambda db: chats.list_chats(db, OWNERS, limit=50),
    "one chat": lambda db: chats.get(db, PENDING),
    "next activity": chats.next_activity,
    "parcel": lambda db: outbox.load_parcel(db, MINE, max_messages=50),
    "parcel behind a flight": lambda db: outbox.load_parcel(db, MINE, max_messages=50, after={PENDING: 5}),
    "parcel past a blocked chat": lambda db: outbox.load_parcel(
        db, MINE, max_messages=50, blocked=frozenset({PENDING})
    ),
    "holes": lambda db: history.holes(db, MINE, chunks=2, rows=100),
    "holes where somebody looks": lambda db: history.holes(
        db, MINE, chat_id=LONG, before=50, chunks=2, rows=100
    ),
    "missing": lambda db: history.missing(db, OWNERS),
    "page beside a hole": lambda db: messages.page(db, HOLED),
    "page below a hole": lambda db: messages.page(db, HOLED, Position(200, 0)),
    "towards a hole": lambda db: messages.newer(db, HOLED, Position(10, 0)),
    "hole above": lambda db: messages.gap_above(db, HOLED, Position(10, 0)),
    "cursor": lambda db: inbox.cursor(db, MINE),
    "opened": lambda db: openings.is_opened(db, MINE),
    "heads checked": lambda db: heads.checked_at(db, MINE),
    "rewind check": lambda db: incoming.shows_rewind(db, MINE, 1, [message_change(1, LONG, "other", 20)]),
    "active account": accounts.active,
    "setting": lambda db: settings.get(db, "draft"),
}
COUNTED: dict[str, Query] = {
    "counts": lambda db: unsynced.counts(db, OWNERS),
    "signed-out chats": chats.unadopted,
}


def fill(store: Store, size: int) -> None:
    """`size` chats with a pending message each, one chat with `size` pending ones, one with `size` synced ones."""
    store.write(lambda tx: _fill(tx, size)).result()


def _fill(tx: Transaction, size: int) -> None:
    for known in (PENDING, LONG, HOLED):
        chats.create(tx, known, account_id=MINE, chat_id=known)
    numbers = "with recursive n (i) as (select 1 union all select i + 1 from n where i < :size) "
    chat = "chat_id, account_id, created_at, updated_at, activity, edited"
    columns = "chat_id, message_id, sequence_num, role, content, status, sync_state, created_at"
    values = '\'user\', \'[{"type":"text","text":"hello"}]\', \'complete\''
    for sql in (
        f"insert into chats ({chat}) select 'c' || i, 'account-a', '2026', '2026', i + 10, 'title' from n",
        f"insert into messages ({columns}) select 'pending', 'p' || i, null, {values}, 'pending', '2026' from n",
        f"insert into messages ({columns}) select 'long', 'm' || i, i, {values}, 'synced', '2026' from n",
        f"insert into messages ({columns}) select 'c' || i, 'x', null, {values}, 'pending', '2026' from n",
        f"insert into messages ({columns}) select 'holed', 'm' || i, 3 * i, {values}, 'synced', '2026' from n",
        "insert into held select 'holed', 3 * i, 3 * i from n",
        "update chats set last_num = 60, missing = 60, top_missing = activity % 2 where chat_id like 'c%' and :size",
        "update chats set last_num = 3 * :size, missing = 2 * :size, top_missing = 1 where chat_id = 'holed'",
    ):
        tx.db.execute(sql if sql.startswith("update") else numbers + sql, {"size": size})
    tx.db.execute("insert into held values ('long', 1, ?)", (size,))
    tx.db.execute("update chats set last_num = ? where chat_id = 'long'", (size,))


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("query", [*HOT.values(), *COUNTED.values()], ids=[*HOT, *COUNTED])
def test_no_query_of_the_window_or_the_engine_scans_or_sorts(store: Store, query: Query) -> None:
    fill(store, 100)
    lines = store.read(lambda db: _plans(db, query))
    assert lines
    bad = [line for line in lines if (line.startswith("SCAN") and line not in GIVEN) or "TEMP B-TREE" in line]
    assert bad == []


def _plans(db: Reader, query: Query) -> list[str]:
    watcher = PlanWatcher(db)
    query(watcher)
    return watcher.plans


def test_counting_reads_indexes_alone(store: Store) -> None:
    lines = store.read(lambda db: _plans(db, COUNTED["counts"]))
    assert any(line.endswith("USING COVERING INDEX chats_unsynced (account_id=?)") for line in lines)


def test_no_query_grows_with_the_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Ten thousand chats, ten thousand pending and ten thousand synced messages cost what six hundred do."""
    small, large = (_costs(tmp_path_factory, size) for size in (600, 10_000))
    grown = {name: (small[name], large[name]) for name in HOT if large[name] > small[name] * 1.5 + 20}
    assert grown == {}


def with_account(folders: pytest.TempPathFactory, size: int) -> Store:
    store = Store.open(folders.mktemp("store") / "homing.sqlite3")
    add = (
        "insert into accounts (account_id, url, publishable_key, email, user_id, signed_in, active) "
        "values ('account-a', '', '', '', '', 1, 1)"
    )
    store.write(lambda tx: tx.db.execute(add).rowcount).result()
    fill(store, size)
    return store


def _costs(folders: pytest.TempPathFactory, size: int) -> dict[str, int]:
    store = with_account(folders, size)
    costs = {name: store.read(lambda db, query=query: _cost(db, query)) for name, query in HOT.items()}  # type: ignore[misc]
    store.close()
    return costs


def _cost(db: Reader, query: Query) -> int:
    with Meter(cast(sqlite3.Connection, db)) as meter:
        query(db)
    return meter.tens


@pytest.mark.usefixtures("account")
def test_the_counters_of_ten_thousand_chats_are_quick(store: Store) -> None:
    fill(store, 10_000)
    assert store.read(lambda db: unsynced.counts(db, OWNERS)) == Counts(20_000, 0, "2026")
    assert fastest(store, COUNTED["counts"]) < 0.02


@pytest.mark.usefixtures("account")
def test_a_page_of_a_long_chat_is_quick_at_any_depth(store: Store) -> None:
    """The benchmark shows the same at a million; the plan and the cost above say why."""
    fill(store, 100)
    store.write(lambda tx: _lengthen(tx, 100_000)).result()
    for before in (None, Position(50_000, 0), Position(60, 0)):
        assert fastest(store, lambda db, before=before: messages.page(db, LONG, before)) < 0.005  # type: ignore[misc]


def _lengthen(tx: Transaction, size: int) -> None:
    """LONG with so many messages more, every other thousand of them in a hole."""
    tx.db.execute(
        "with recursive n (i) as (select 101 union all select i + 1 from n where i < ?) "
        "insert into messages (chat_id, message_id, sequence_num, role, content, status, sync_state, created_at) "
        "select 'long', 'm' || i, i, 'user', '[{\"type\":\"text\",\"text\":\"hello\"}]', 'complete', 'synced', '2026' "
        "from n where i / 1000 % 2 = 0",
        (size,),
    )
    held.known(tx, LONG, size)
    for first in range(2000, size, 2000):
        held.hold(tx, LONG, first, first + 999)


def fastest(store: Store, query: Query) -> float:
    """Seconds of the best of ten: a busy machine must not fail a test."""

    def once() -> float:
        started = time.perf_counter()
        store.read(query)
        return time.perf_counter() - started

    return min(once() for _ in range(10))


def _commit(tx: Transaction) -> None:
    messages.commit(tx, PENDING, "Hello")


def _record_parcel(tx: Transaction) -> None:
    sent = outbox.load_parcel(tx.db, MINE, max_messages=50).parcel
    outbox.record_receipt(tx, MINE, None, sent, receipt(sent))


def _fill_holes(tx: Transaction) -> None:
    (chunk,) = history.holes(tx.db, MINE, chunks=1, rows=60)
    rows = [message_change(1, each.chat_id, f"new{each.last}", each.last) for each in chunk]
    assert history.apply(tx, MINE, history_page(rows, chunk, epoch="epoch-1"))


def _apply_page(tx: Transaction) -> None:
    rows = [message_change(number, f"c{number}", "theirs", 61) for number in range(1, 51)]
    assert inbox.apply(tx, MINE, change_page(rows, reset=False, epoch="epoch-1"))


def _skip_own_changes(tx: Transaction) -> None:
    assert inbox.advance(tx, MINE, Span("epoch-1", 0, 9))


WRITES = [_commit, _record_parcel, _fill_holes, _apply_page, _skip_own_changes]


def test_writing_costs_the_same_in_a_full_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    costs: list[dict[str, int]] = []
    for size in (600, 10_000):
        store = with_account(tmp_path_factory, size)
        costs.append({job.__name__: store.write(partial(_work, job=job)).result() for job in WRITES})
        store.close()
    small, large = costs
    assert {name: (small[name], large[name]) for name in small if large[name] > small[name] * 1.5 + 20} == {}


def _work(tx: Transaction, job: Callable[[Transaction], None]) -> int:
    if job is not _record_parcel:
        tx.db.execute("update accounts set epoch = 'epoch-1', change = 0 where account_id = ?", (MINE,))
    with Meter(tx.db.conn) as meter:
        job(tx)
    return meter.tens
