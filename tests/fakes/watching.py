"""A reader that notes how SQLite answers each query: its plan, and how much work it is."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from storage.transaction import Reader


class PlanWatcher:
    """Passes queries on; `plans` holds every line of their query plans."""

    def __init__(self, db: Reader) -> None:
        self._db = db
        self.plans: list[str] = []

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = (), /) -> sqlite3.Cursor:
        self.plans += [row[3] for row in self._db.execute(f"explain query plan {sql}", parameters)]
        return self._db.execute(sql, parameters)


class Meter:
    """Counts the instructions of SQLite's machine, in tens: a cost without a clock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tens = 0

    def __enter__(self) -> "Meter":
        self._connection.set_progress_handler(self._tick, 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.set_progress_handler(None, 0)

    def _tick(self) -> int:
        self.tens += 1
        return 0
