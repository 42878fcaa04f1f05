"""Small facts by key: the draft of a chat that does not exist yet, the size of the window."""

from storage.content import clean
from storage.transaction import Reader, Transaction


def get(db: Reader, key: str) -> str | None:
    """The value, None when it was never put."""
    row = db.execute("select value from settings where key = ?", (key,)).fetchone()
    return row[0] if row else None


def put(tx: Transaction, key: str, value: str) -> None:
    """Sets the value."""
    tx.db.execute(
        "insert into settings (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
        (key, clean(value)),
    )
