"""Takes the rows of one store over into another one: what a person did here, and everything else that is whole."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from storage import rows
from storage.checksums import checksum, fits
from storage.content import clean
from storage.records import LOCAL_ACCOUNT
from storage.rescue.wreck import Column, Row, Wreck, columns
from storage.standing import fields

DAMAGED: Final = "Damage to the disk touched this message: read it, mend it, and send it again."
_RECOVERED: Final = "Recovered"

_LEFT: Final[Mapping[str, str]] = {
    # How far the account was pulled is what the other store says; sums over rows are made by triggers.
    "accounts": "epoch change generation recovering passed_over opened heads_checked_at completed missing known",
    "chats": "pending rejected oldest_pending last_num missing top_missing verified doubted suspect change",
    "projects": "change",
    "messages": "revision generation",
}
"""Columns that are not taken over: the next pull sets them."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What was taken over. `unsent` messages are the ones that are nowhere else; `touched` of them were damaged."""

    unsent: int = 0
    touched: int = 0
    synced: int = 0
    drafts: int = 0
    edits: int = 0
    accounts: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Tally:
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number


class Carrier:
    """One taking over, inside the target's transaction."""

    def __init__(self, db: sqlite3.Connection, wreck: Wreck, now: str) -> None:
        self._db = db
        self._wreck = wreck
        self._now = now
        self._tally = _Tally()
        self._generations: dict[str, int] = {}
        self._schema: dict[str, tuple[Column, ...]] = {}
        self._knows_all = wreck.is_whole("accounts", self._declared("accounts"))
        # What a message gets whose other columns cannot be stored as they are.
        self._plain: Row = {
            "status": "complete",
            "sync_state": "rejected",
            "sync_error": DAMAGED,
            "turn_id": None,
        }
        self._plain |= {"created_at": now}

    def carry(self) -> Carried:
        """Takes over all that can be read. Rows that the target has stay, unless a person's newer ones replace them."""
        self._accounts()
        self._replace("projects", ("project_id",), self._owned)
        self._replace("chats", ("chat_id",), self._owned)
        self._messages()
        self._drafts()
        self._replace("settings", ("key",), lambda row: row)
        self._unconfirmed()
        return Carried(**self._tally.counts)

    def _accounts(self) -> None:
        def account(row: Row) -> Row | None:
            return row if row["account_id"] != LOCAL_ACCOUNT else None

        self._db.execute("update accounts set active = 0")
        self._tally.add("accounts", self._replace("accounts", ("account_id",), account))
        found = self._db.execute("select account_id, generation from accounts")
        self._generations = dict(found.fetchall())

    def _owned(self, row: Row) -> Row | None:
        """A chat or a project: confirmed in the target's history when it was in the source's."""
        account_id = row["account_id"]
        if account_id not in self._generations and self._knows_all:
            row |= {"account_id": LOCAL_ACCOUNT, "generation": None}
        elif account_id not in self._generations:
            self._placeholder(account_id)
        if row.get("generation") is not None:
            row["generation"] = self._generations[row["account_id"]]
        self._tally.add("edits", bool(row.get("edited")))
        return row

    def _placeholder(self, account_id: str) -> None:
        # Its row is lost, and its chats are not anybody else's (I21): signing in again fills in the rest.
        self._db.execute(
            "insert into accounts (account_id, url, publishable_key, email, user_id, signed_in) "
            "values (?, '', '', '', '', 0)",
            (account_id,),
        )
        self._generations[account_id] = 0

    def _messages(self) -> None:
        # Whole ones first: of a message that was found twice, the damaged one must not win.
        harmed = 0
        for row in self._rows_of_messages():
            if _is_whole(row):
                self._take(row)
            else:
                harmed += 1
        if harmed:
            for row in self._rows_of_messages():
                if not _is_whole(row) and not self._take_harmed(row):
                    self._tally.add("lost")

    def _rows_of_messages(self) -> Iterator[Row]:
        for row in self._wreck.rows("messages", self._declared("messages")):
            if isinstance(row["chat_id"], str) and isinstance(row["message_id"], str):
                yield {"withdrawn": 0, "checksum": None, "annotations": None} | row

    def _take(self, row: Row) -> bool:
        """Whether it is here now."""
        unsent = row["sync_state"] != "synced"
        if unsent:
            self._have_chat(row)
            row |= {"deleted_at": None, "sequence_num": None}
        row["checksum"] = checksum(row["message_id"], row["role"], row["content"], row["annotations"])
        if self._message(row) or (unsent and self._message(row | self._plain)):
            self._tally.add("unsent" if unsent else "synced")
        elif row["withdrawn"]:
            self._db.execute(
                "update messages set withdrawn = 1 "
                "where chat_id = ? and message_id = ? and sync_state = 'pending'",
                (row["chat_id"], row["message_id"]),
            )
        return self._has(row)

    def _take_harmed(self, row: Row) -> bool:
        """Words that are only here are taken over whatever damage left of them; the server has the others."""
        if self._has(row):
            return True
        if row["sync_state"] == "synced":
            return False
        words = [{"type": "text", "text": clean(str(row["content"]))}]
        taken = self._take(
            row | self._plain | {"role": "user", "content": rows.encode(words), "annotations": None}
        )
        self._tally.add("touched", taken)
        return taken

    def _has(self, row: Row) -> bool:
        known = "select 1 from messages where chat_id = ? and message_id = ?"
        return self._db.execute(known, (row["chat_id"], row["message_id"])).fetchone() is not None

    def _message(self, row: Row) -> bool:
        """Whether it was not here and is now. Its old place is kept where that is free, and with it the order (I8)."""
        kept = {column.name: row[column.name] for column in self._columns("messages") if column.name in row}
        insert = f"insert or ignore into messages ({', '.join(kept)}) values ({', '.join('?' * len(kept))})"
        if self._insert(insert, list(kept.values())):
            return True
        return not self._has(row) and self._insert(insert, list((kept | {"local_order": None}).values()))

    def _have_chat(self, row: Row) -> None:
        # Its chat is lost: whose it was is not known, so it waits signed out, until the person adopts it.
        self._db.execute(
            "insert or ignore into chats (chat_id, account_id, title, created_at, updated_at, activity, edited) "
            "values (?, ?, ?, ?, ?, (select coalesce(max(activity), 0) + 1 from chats), ?)",
            (
                row["chat_id"],
                LOCAL_ACCOUNT,
                _RECOVERED,
                self._now,
                self._now,
                fields.joined(fields.CHATS.creation),
            ),
        )

    def _drafts(self) -> None:
        if self._wreck.is_whole("drafts", self._declared("drafts")):
            self._db.execute("delete from drafts")
        known = {chat_id for (chat_id,) in self._db.execute("select chat_id from chats")}
        self._tally.add(
            "drafts",
            self._replace("drafts", ("chat_id",), lambda row: row if row["chat_id"] in known else None),
        )

    def _unconfirmed(self) -> None:
        """What waits to be told to the server besides messages: the source's word alone counts."""
        if self._wreck.is_whole("errands", self._declared("errands")):
            self._db.execute("delete from errands")
            self._db.execute("update context set pending = 0")
            self._db.execute("update snapshots set pending = 0")

        def waiting(row: Row) -> Row | None:
            return self._owned(row) if row.get("pending") else None

        self._replace("context", ("chat_id", "source"), waiting)
        self._replace("snapshots", ("project_id",), waiting)
        self._replace("conflicts", ("chat_id", "message_id"), lambda row: row)
        self._replace("errands", ("number",), lambda row: row)

    def _replace(self, table: str, key: Sequence[str], take: Callable[[Row], Row | None]) -> int:
        seen: set[tuple[object, ...]] = set()
        taken = 0
        for row in self._wreck.rows(table, self._declared(table)):
            name = tuple(row.get(each) for each in key)
            if None in name or name in seen or (kept := take(row)) is None:
                continue
            kept = {column.name: kept[column.name] for column in self._columns(table) if column.name in kept}
            others = [column for column in kept if column not in key]
            if self._insert(
                f"insert into {table} ({', '.join(kept)}) values ({', '.join('?' * len(kept))}) "
                f"on conflict ({', '.join(key)}) do update set "
                + ", ".join(f"{column} = excluded.{column}" for column in others),
                list(kept.values()),
            ):
                seen.add(name)
                taken += 1
        return taken

    def _insert(self, sql: str, values: Sequence[object]) -> bool:
        try:
            return self._db.execute(sql, values).rowcount > 0
        except sqlite3.IntegrityError:
            self._tally.add("lost")
            return False

    def _declared(self, table: str) -> tuple[Column, ...]:
        if table not in self._schema:
            self._schema[table] = columns(self._db, table)
        return self._schema[table]

    def _columns(self, table: str) -> Iterator[Column]:
        left = _LEFT.get(table, "").split()
        return (column for column in self._declared(table) if column.name not in left)


def _is_whole(row: Row) -> bool:
    text = (row["message_id"], row["role"], row["content"], row["annotations"])
    return fits(row["checksum"], *text) and _is_content(row["content"])


def _is_content(text: object) -> bool:
    try:
        parts = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return isinstance(parts, list) and all(isinstance(part, dict) for part in parts)
