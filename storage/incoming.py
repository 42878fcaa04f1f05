"""One change of the server after the other, laid into the store."""

import json
from collections.abc import Sequence
from typing import Any

from storage import chats, edits, rows
from storage.records import LOCAL_ACCOUNT, AccountId, ChatChange, ChatId, MessageChange
from storage.transaction import Reader, Transaction


def shows_rewind(
    db: Reader, account_id: AccountId, generation: int, changes: Sequence[ChatChange | MessageChange]
) -> bool:
    """Whether a number that we hold now belongs to another id, or an id that we hold has another number."""
    return any(
        db.execute(
            "select 1 from chats c join messages m on m.chat_id = c.chat_id where c.chat_id = ?1 and c.account_id = ?2 "
            "and m.sequence_num = ?3 and m.sequence_num is not null and m.deleted_at is null "
            "and m.message_id <> ?4 and m.generation = ?5 union all "
            "select 1 from chats c join messages m on m.chat_id = c.chat_id where c.chat_id = ?1 and c.account_id = ?2 "
            "and m.message_id = ?4 and m.sequence_num <> ?3 and m.generation = ?5",
            (change.chat_id, account_id, change.sequence_num, change.message_id, generation),
        ).fetchone()
        for change in changes
        if isinstance(change, MessageChange)
    )


class Arrivals:
    """Applies the changes of one page, inside its transaction."""

    def __init__(self, tx: Transaction, account_id: AccountId, generation: int) -> None:
        self._tx = tx
        self._db = tx.db
        self._account_id = account_id
        self._generation = generation
        self._owners: dict[ChatId, str] = {}
        self._grown: dict[ChatId, str] = {}

    def chat(self, change: ChatChange) -> None:
        """Takes over every field that has no unconfirmed edit here."""
        if not self._ours(change.chat_id, change.created_at):
            return
        local = edits.marked(self._db, change.chat_id)
        values: dict[str, Any] = {
            "title": change.title,
            "project_id": change.project_id,
            "model": change.model,
            "pinned": int(change.pinned),
            "archived": int(change.archived),
        }
        taken = {name: value for name, value in values.items() if name not in local}
        if "deleted" not in local:
            taken["deleted_at"] = self._tx.now() if change.deleted else None
        taken |= {"created_at": change.created_at, "generation": self._generation}
        self._db.execute(
            f"update chats set {', '.join(f'{name} = ?' for name in taken)} where chat_id = ?",
            (*taken.values(), change.chat_id),
        )
        self._tx.touch_chat(change.chat_id)

    def message(self, change: MessageChange) -> None:
        """Inserts, updates or confirms the message."""
        if not self._ours(change.chat_id, change.created_at):
            return
        held = self._db.execute(
            "select sync_state, generation, revision, role, content, annotations, turn_id from messages "
            "where chat_id = ? and message_id = ?",
            (change.chat_id, change.message_id),
        ).fetchone()
        if held is None:
            self._insert(change)
        elif self._accepts(held, change):
            self._update(change)
        elif change.deleted:
            self._note_tombstone(change)

    def finish(self) -> None:
        """Moves the chats that got new messages up the list."""
        for chat_id, at in self._grown.items():
            self._db.execute(
                "update chats set activity = ?, updated_at = ? where chat_id = ?",
                (chats.next_activity(self._db), at, chat_id),
            )

    def _ours(self, chat_id: ChatId, created_at: str) -> bool:
        # Another account of this computer may hold a chat of the same id: nothing of it is touched (I21).
        if (owner := self._owners.get(chat_id)) is None:
            row = self._db.execute("select account_id from chats where chat_id = ?", (chat_id,)).fetchone()
            if row is None:
                self._create(chat_id, created_at)
            owner = self._owners[chat_id] = row[0] if row else self._account_id
            if owner == LOCAL_ACCOUNT:
                self._pass_over()
        return owner == self._account_id

    def _pass_over(self) -> None:
        self._db.execute("update accounts set passed_over = 1 where account_id = ?", (self._account_id,))

    def _create(self, chat_id: ChatId, created_at: str) -> None:
        self._db.execute(
            "insert into chats (chat_id, account_id, created_at, updated_at, activity, generation) "
            "values (?, ?, ?, ?, ?, ?)",
            (
                chat_id,
                self._account_id,
                created_at,
                created_at,
                chats.next_activity(self._db),
                self._generation,
            ),
        )
        self._tx.touch_chat(chat_id)

    def _accepts(self, held: tuple[Any, ...], change: MessageChange) -> bool:
        state, generation, revision, role, content, annotations, turn_id = held
        if state == "synced":
            return bool(generation < self._generation or revision <= change.revision)
        return not change.deleted and (
            role,
            json.loads(content),
            json.loads(annotations or "null"),
            turn_id,
        ) == (
            change.role,
            list(change.content),
            change.annotations,
            change.turn_id,
        )

    def _insert(self, change: MessageChange) -> None:
        self._db.execute(
            "insert into messages (sequence_num, role, content, annotations, turn_id, status, created_at, deleted_at, "
            "revision, generation, chat_id, message_id, sync_state) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'synced')",
            self._values(change),
        )
        self._grown.pop(change.chat_id, None)
        self._grown[change.chat_id] = change.created_at
        self._tx.touch_messages(change.chat_id)

    def _update(self, change: MessageChange) -> None:
        self._db.execute(
            "update messages set sequence_num = ?, role = ?, content = ?, annotations = ?, turn_id = ?, status = ?, "
            "created_at = ?, deleted_at = ?, revision = ?, generation = ?, sync_state = 'synced', sync_error = null "
            "where chat_id = ? and message_id = ?",
            self._values(change),
        )
        self._tx.touch_messages(change.chat_id)

    def _note_tombstone(self, change: MessageChange) -> None:
        # It may be the tombstone of another text under this id: only the verdict on ours tells (I17).
        self._db.execute(
            "update messages set deleted_at = ?, revision = ? "
            "where chat_id = ? and message_id = ? and sync_state <> 'synced'",
            (self._tx.now(), change.revision, change.chat_id, change.message_id),
        )

    def _values(self, change: MessageChange) -> tuple[Any, ...]:
        return (
            change.sequence_num,
            change.role,
            "[]" if change.deleted else rows.encode(change.content),
            None if change.deleted or change.annotations is None else rows.encode(change.annotations),
            change.turn_id,
            change.status,
            change.created_at,
            self._tx.now() if change.deleted else None,
            change.revision,
            self._generation,
            change.chat_id,
            change.message_id,
        )
