"""What a query and a write job get to work with."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from storage.clock import rfc3339
from storage.records import ChatId, Touched

if TYPE_CHECKING:
    from sqlite_utils import Database


class Reader(Protocol):
    """Anything that runs a query: a read-only connection, or `Transaction.db` inside a write."""

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ..., /) -> sqlite3.Cursor:
        """Runs one statement, its values bound."""
        ...


class Transaction:
    """One write transaction, on the writer thread, between BEGIN IMMEDIATE and COMMIT."""

    def __init__(self, db: "Database", clock: Callable[[], datetime]) -> None:
        self.db = db
        self._clock = clock
        self._chats: set[ChatId] = set()
        self._messages: set[ChatId] = set()
        self._accounts = False
        self._projects = False

    def now(self) -> str:
        """RFC 3339 in UTC, by the store's clock."""
        return rfc3339(self._clock())

    def touch_chat(self, chat_id: ChatId) -> None:
        """The chat's row in the list changed."""
        self._chats.add(chat_id)

    def touch_messages(self, chat_id: ChatId) -> None:
        """Messages of the chat changed; so did its row in the list."""
        self._messages.add(chat_id)
        self._chats.add(chat_id)

    def touch_accounts(self) -> None:
        """An account, or what is known of its sync, changed."""
        self._accounts = True

    def touch_projects(self) -> None:
        """A project or its files changed."""
        self._projects = True

    def touched(self) -> Touched | None:
        """All that changed so far, None when nothing did."""
        if not (self._chats or self._messages or self._accounts or self._projects):
            return None
        return Touched(frozenset(self._chats), frozenset(self._messages), self._accounts, self._projects)
