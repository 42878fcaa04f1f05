"""The local store: how long until a message is durable, and a page in a chat of a million."""

import json
import random
from functools import partial
from pathlib import Path

from benchmarks.report import Report, timed
from storage import chats, messages
from storage.records import ChatId, Position
from storage.store import Store, Transaction

MANY = 1_000_000


def measure(report: Report, folder: Path) -> None:
    """Measure commits and pages."""
    report.heading("Local store")
    store = Store.open(folder / "store.sqlite3")
    try:
        _commits(report, store)
        _pages(report, store)
    finally:
        store.close()


def _commits(report: Report, store: Store) -> None:
    chat = store.write(lambda tx: chats.create(tx, "Commits")).result().chat_id
    text = "A sentence that a person could have typed into the composer. " * 4
    seconds = [
        timed(lambda: store.write(lambda tx: messages.commit(tx, chat, text)).result()) for _ in range(500)
    ]
    report.times("commit of a message to durable", seconds)


def _pages(report: Report, store: Store) -> None:
    chat = store.write(lambda tx: chats.create(tx, "A million")).result().chat_id
    store.write(lambda tx: _fill(tx, chat)).result()
    newest = [timed(lambda: store.read(lambda db: messages.page(db, chat))) for _ in range(200)]
    report.times(f"newest 50 of {MANY:,}", newest)
    dice = random.Random(1)
    deep = [Position(dice.randrange(50, MANY), 0) for _ in range(200)]
    older = [timed(partial(store.read, partial(messages.page, chat_id=chat, before=at))) for at in deep]
    report.times(f"50 anywhere in {MANY:,}", older)


def _fill(tx: Transaction, chat: ChatId) -> None:
    content = json.dumps(
        [{"type": "text", "text": "One of very many messages, neither short nor long. " * 3}]
    )
    (start,) = tx.db.execute("select coalesce(max(local_order), 0) from messages").fetchone()
    tx.db.conn.executemany(
        "insert into messages (chat_id, message_id, sequence_num, role, content, status, sync_state, created_at,"
        " local_order) values (?, ?, ?, 'user', ?, 'complete', 'synced', '2026-01-01T00:00:00+00:00', ?)",
        ((chat, f"m{number}", number, content, start + number) for number in range(1, MANY + 1)),
    )
