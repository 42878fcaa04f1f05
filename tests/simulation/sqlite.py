"""The simulator's store over the real storage package, in a file on the fastest disk at hand."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from storage import accounts, chats, edits, inbox, messages
from storage.records import Account, ChatId, Cursor, MessageId, SyncState
from storage.store import Lane, Store, Transaction
from sync.engine.interface import StoreAnswer, StoreEffect
from sync.performing import perform
from tests.simulation.device import ACCOUNT
from tests.simulation.port import Row

PAGE_PART = 3
"""Changes a transaction: small, so that most pages are stored in parts."""


class SqliteStore:
    """One device's file. Opening is done once; a crash of the device only forgets the engine."""

    def __init__(self, path: Path) -> None:
        self._wall = 0.0
        self._store = Store.open(path, clock=lambda: datetime.fromtimestamp(2e9 + self._wall, UTC))

    def create_chat(self, chat_id: ChatId, title: str) -> None:
        self._write(lambda tx: chats.create(tx, title, account_id=ACCOUNT, chat_id=chat_id))

    def rename_chat(self, chat_id: ChatId, title: str) -> None:
        self._write(lambda tx: chats.rename(tx, chat_id, title))

    def delete_chat(self, chat_id: ChatId) -> None:
        self._write(lambda tx: _delete(tx, chat_id))

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str, wall: float) -> None:
        self._wall = wall
        self._write(lambda tx: messages.commit(tx, chat_id, text, message_id=message_id))

    def retry(self, chat_id: ChatId, message_id: MessageId) -> None:
        self._write(lambda tx: messages.retry(tx, chat_id, message_id))

    def perform(self, effect: StoreEffect) -> StoreAnswer:
        return perform(self._store, effect, most_changes=PAGE_PART)

    def chats(self) -> list[ChatId]:
        query = "select chat_id from chats where deleted_at is null order by rowid"
        return self._store.read(lambda db: [ChatId(row[0]) for row in db.execute(query)])

    def rows(self) -> list[Row]:
        query = (
            "select chat_id, message_id, sequence_num, sync_state, coalesce(content ->> '$[0].text', ''), sync_error, "
            "deleted_at is not null from messages order by local_order"
        )
        return self._store.read(
            lambda db: [
                Row(chat_id, message_id, number, SyncState(state), text, reason, bool(deleted))
                for chat_id, message_id, number, state, text, reason, deleted in db.execute(query)
            ]
        )

    def cursor(self) -> Cursor:
        return self._store.read(lambda db: inbox.cursor(db, ACCOUNT))

    def close(self) -> None:
        self._store.close()

    def _write(self, job: Callable[[Transaction], object]) -> None:
        self._store.write(job, Lane.PERSON).result()


def stores_in(folder: Path) -> Callable[[], SqliteStore]:
    """Makes device files as copies of one that is migrated and knows the account."""
    template = folder / "template.sqlite3"
    store = Store.open(template)
    account = Account(ACCOUNT, "http://127.0.0.1", "key", "a@example.org", "user-1", signed_in=True)
    store.write(lambda tx: accounts.remember(tx, account)).result()
    store.close()
    numbers = count()

    def make() -> SqliteStore:
        path = folder / f"device-{next(numbers)}.sqlite3"
        shutil.copyfile(template, path)
        return SqliteStore(path)

    return make


def _delete(tx: Transaction, chat_id: ChatId) -> None:
    """Deleting has no screen yet; this is what it will do."""
    tx.db.execute("update chats set deleted_at = ? where chat_id = ?", (tx.now(), chat_id))
    edits.mark(tx, chat_id, ("deleted",))
    tx.touch_chat(chat_id)
