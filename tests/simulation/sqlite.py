"""The simulator's store over the real storage package: the product's own functions, on connections in memory."""

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

from sqlite_utils import Database

from storage import accounts, adoption, aside, chats, context, messages, projects, removal
from storage.errors import InvalidMessage
from storage.inbound import heads
from storage.records import Account, AccountId, ChatId, Cursor, MessageId, ProjectId, SyncState
from storage.resources import Resource
from storage.standing import openings
from storage.store import Lane, Reader, Store, Transaction
from sync.engine.interface import StoreAnswer, StoreEffect
from sync.performing import perform
from tests.simulation.port import Facts, Row
from tests.simulation.world import ACCOUNTS

PAGE_PART = 3
"""Changes a transaction: small, so that most pages are stored in parts."""

_SETTERS: dict[str, Callable[[Transaction, ChatId, Any], object]] = {
    "title": chats.rename,
    "pinned": chats.pin,
    "archived": chats.archive,
    "project_id": chats.set_project,
    "deleted": lambda tx, chat_id, _: chats.delete(tx, chat_id),
}

T = TypeVar("T")


class Connection:
    """One migrated database in memory, all of whose transactions are parts of one that is never committed.

    So the next session begins with an empty store in no time, and statements stay prepared.
    """

    def __init__(self, template: Path) -> None:
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        with closing(sqlite3.connect(template)) as migrated:
            migrated.backup(self.sqlite)
        for pragma in ("foreign_keys = on", "trusted_schema = off"):
            self.sqlite.execute(f"pragma {pragma}")
        self.db = Database(self.sqlite, recursive_triggers=False, execute_plugins=False)
        self.wall = 0.0

    def begin(self) -> None:
        self.wall = 0.0
        self.sqlite.execute("begin immediate")

    def end(self) -> None:
        self.sqlite.execute("rollback")

    def write(self, job: Callable[[Transaction], T], lane: Lane = Lane.PERSON) -> "Future[T]":
        """As `Store.write`, on this thread."""
        done: Future[T] = Future()
        self.sqlite.execute("savepoint job")
        try:
            done.set_result(job(Transaction(self.db, self._clock)))
        except BaseException:
            self.sqlite.execute("rollback to job")
            raise
        finally:
            self.sqlite.execute("release job")
        return done

    def read(self, query: Callable[[Reader], T]) -> T:
        """As `Store.read`."""
        return query(self.sqlite)

    def _clock(self) -> datetime:
        return datetime.fromtimestamp(2e9 + self.wall, UTC)


class SqliteStore:
    """One device's store. A crash of the device only forgets the engine."""

    def __init__(self, connection: Connection, give_back: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._give_back = give_back
        connection.begin()

    def create_chat(self, owner: AccountId, chat_id: ChatId, title: str) -> None:
        self._write(lambda tx: chats.create(tx, title, account_id=owner, chat_id=chat_id))

    def edit_chat(self, chat_id: ChatId, name: str, value: Any) -> None:
        self._write(lambda tx: _SETTERS[name](tx, chat_id, value))

    def save_project(self, owner: AccountId, project_id: ProjectId, name: str, value: Any) -> None:
        setter = projects.rename if name == "name" else projects.describe

        def save(tx: Transaction) -> None:
            if not tx.db.execute("select 1 from projects where project_id = ?", (project_id,)).fetchone():
                projects.create(tx, "", account_id=owner, project_id=project_id)
            setter(tx, project_id, value)

        self._write(save)

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str, wall: float) -> None:
        self._connection.wall = wall
        self._write(lambda tx: messages.commit(tx, chat_id, text, message_id=message_id))

    def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        self._write(lambda tx: removal.delete(tx, chat_id, [message_id]))

    def clear_chat(self, chat_id: ChatId) -> None:
        self._write(lambda tx: removal.clear(tx, chat_id))

    def pin(self, chat_id: ChatId, source: str, text: str) -> None:
        self._write(lambda tx: context.pin(tx, chat_id, [Resource(source, "document", text)]))

    def unpin(self, chat_id: ChatId, source: str) -> None:
        self._write(lambda tx: context.unpin(tx, chat_id, [source]))

    def retry(self, chat_id: ChatId, message_id: MessageId) -> None:
        self._write(lambda tx: aside.retry(tx, chat_id, message_id))

    def keep_mine(self, chat_id: ChatId, message_id: MessageId) -> MessageId | None:
        try:
            return self._write(lambda tx: aside.keep_mine(tx, chat_id, message_id)).message_id
        except InvalidMessage:
            return None

    def keep_theirs(self, chat_id: ChatId, message_id: MessageId) -> bool:
        try:
            self._write(lambda tx: aside.keep_theirs(tx, chat_id, message_id))
        except InvalidMessage:
            return False
        return True

    def adopt(self, account: AccountId, chat_ids: Sequence[ChatId] | None) -> None:
        self._write(lambda tx: adoption.adopt(tx, account, chat_ids))

    def forget_kinds(self, account: AccountId) -> None:
        self._write(lambda tx: openings.ask_again(tx, account))
        for statement in (
            "delete from usage where account_id = ?",
            "delete from snapshots where account_id = ? and pending = 0",
            "delete from projects where account_id = ? and edited = ''",
            "delete from context where account_id = ?1 and chat_id not in (select subject from errands)",
        ):
            self._connection.sqlite.execute(statement, (account,))

    def corrupt(self, random: Random) -> ChatId | None:
        query = (
            "select m.chat_id, m.message_id, m.deleted_at from messages m join chats c using (chat_id) "
            "where m.sync_state = 'synced' and c.deleted_at is null order by m.local_order"
        )
        if not (found := self._all(query)):
            return None
        chat_id, message_id, deleted_at = random.choice(found)
        if deleted_at is not None:
            # Nobody misses a tombstone: in a chat that was found equal the product does not look for one.
            return None
        self._connection.sqlite.execute(
            "delete from messages where chat_id = ? and message_id = ?", (chat_id, message_id)
        )
        return ChatId(chat_id)

    def perform(self, effect: StoreEffect) -> StoreAnswer:
        # It reads and writes as a Store does, and is none: nothing of it waits for another thread.
        return perform(cast("Store", self._connection), effect, most_changes=PAGE_PART)

    def chats(self, owners: Sequence[AccountId]) -> list[ChatId]:
        found = self._all("select chat_id, account_id from chats where deleted_at is null order by rowid")
        return [chat_id for chat_id, owner in found if owner in owners]

    def rows(self) -> list[Row]:
        query = (
            "select c.account_id, m.chat_id, m.message_id, m.sequence_num, m.sync_state, "
            "coalesce(m.content ->> '$[0].text', ''), m.sync_error, "
            "(m.deleted_at is not null and m.sync_state = 'synced') or m.withdrawn "
            "from messages m join chats c using (chat_id) order by m.local_order"
        )
        return [
            Row(owner, chat_id, message_id, number, SyncState(state), text, reason, bool(gone))
            for owner, chat_id, message_id, number, state, text, reason, gone in self._all(query)
        ]

    def waiting(self, account: AccountId) -> frozenset[ChatId]:
        found = self._all("select chat_id from chats where account_id = ? and pending > 0", account)
        return frozenset(ChatId(chat_id) for (chat_id,) in found)

    def facts(self, account: AccountId) -> Facts:
        epoch, change, opened = self._all(
            "select epoch, change, opened from accounts where account_id = ?", account
        )[0]
        names = ("title", "project_id", "model", "pinned", "archived", "deleted")
        columns = "chat_id, title, project_id, model, pinned, archived, deleted_at is not null"
        rows = self._all(f"select {columns} from chats where account_id = ?", account)
        held: dict[ChatId, set[int]] = {}
        for chat_id, first, last in self._all(
            "select h.chat_id, h.first, h.last from held h join chats c using (chat_id) where c.account_id = ?",
            account,
        ):
            held.setdefault(ChatId(chat_id), set()).update(range(first, last + 1))
        return Facts(
            Cursor(epoch, change),
            opened == 1,
            {row[0]: dict(zip(names, (*row[1:4], *map(bool, row[4:])), strict=True)) for row in rows},
            {
                row[0]: dict(
                    zip(("name", "description", "status", "deleted"), (*row[1:4], bool(row[4])), strict=True)
                )
                for row in self._all(
                    "select project_id, name, description, status, deleted_at is not null from projects "
                    "where account_id = ?",
                    account,
                )
            },
            dict(
                self._all("select chat_id, missing from chats where account_id = ? and missing <> 0", account)
            ),
            {chat_id: frozenset(numbers) for chat_id, numbers in held.items()},
            {row[0]: heads.digest(self._connection.sqlite, row[0])[2] for row in rows},
            {
                (ChatId(chat_id), source): body
                for chat_id, source, body in self._all(
                    "select chat_id, source, body from context where account_id = ? and deleted_at is null",
                    account,
                )
            },
            frozenset(self._all("select chat_id, message_id from usage where account_id = ?", account)),
            frozenset(
                subject
                for (subject,) in self._all(
                    "select subject from errands where account_id = ? and sync_error is null", account
                )
            ),
        )

    def close(self) -> None:
        self._connection.end()
        self._give_back(self._connection)

    def _all(self, query: str, *values: object) -> list[Any]:
        return self._connection.sqlite.execute(query, values).fetchall()

    def _write(self, job: Callable[[Transaction], T]) -> T:
        return self._connection.write(job).result()


def stores_in(folder: Path) -> Callable[[], SqliteStore]:
    """Makes stores that are migrated and know the accounts; connections are used again and again."""
    path = folder / "template.sqlite3"
    store = Store.open(path)
    for number, account_id in enumerate(ACCOUNTS):
        account = Account(
            account_id, "http://127.0.0.1", "key", "a@example.org", f"user-{number}", signed_in=True
        )
        store.write(partial(_remember, account)).result()
    store.close()
    free: list[Connection] = []

    def make() -> SqliteStore:
        return SqliteStore(free.pop() if free else Connection(path), free.append)

    return make


def _remember(account: Account, tx: Transaction) -> None:
    accounts.remember(tx, account)
