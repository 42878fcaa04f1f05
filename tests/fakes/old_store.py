"""A store of the first release, as that release left it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from storage.file.migrations import MIGRATIONS

_AT: Final = "2026-01-01T00:00:00.000Z"


def make(path: Path, chat_id: str, count: int = 3) -> None:
    """One signed-out chat with so many pending messages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        MIGRATIONS.apply(Database(connection, recursive_triggers=False), stop_before="m0002_ranges")
        connection.execute(
            "insert into chats (chat_id, account_id, title, created_at, updated_at, activity) "
            "values (?, 'local', 'A', ?, ?, 1)",
            (chat_id, _AT, _AT),
        )
        for number in range(count):
            connection.execute(
                "insert into messages (chat_id, message_id, role, content, status, sync_state, created_at) "
                """values (?, ?, 'user', '[{"type":"text","text":"old"}]', 'complete', 'pending', ?)""",
                (chat_id, f"m{number}", _AT),
            )
