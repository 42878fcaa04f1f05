"""The changes of one page, laid into the store."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from storage import accounts, chats, counting, edits, rows
from storage.exchange import Change, ChatChange, MessageChange
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, MessageId, MessageStatus
from storage.transaction import Reader, Transaction

_Key: TypeAlias = tuple[ChatId, MessageId]

CHAT_DELETED: Final = "This chat was deleted on another device: copy the text into another chat."

_ASKED: Final = (
    "with asked (chat_id, message_id, number) as materialized (select json_extract(value, '$[0]'), "
    "json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(?1)) "
)


def shows_rewind(db: Reader, account_id: AccountId, generation: int, changes: Sequence[Change]) -> bool:
    """Whether a number that we hold now belongs to another id, or an id that we hold has another number."""
    messages = [change for change in changes if isinstance(change, MessageChange)]
    return (
        db.execute(
            f"{_ASKED} select 1 from asked cross join chats c on c.chat_id = asked.chat_id and c.account_id = ?2 "
            "cross join messages m on m.chat_id = c.chat_id and m.sequence_num = asked.number "
            "and m.sequence_num is not null and m.deleted_at is null "
            "where m.message_id <> asked.message_id and m.generation = ?3 union all "
            "select 1 from asked cross join chats c on c.chat_id = asked.chat_id and c.account_id = ?2 "
            "cross join messages m on m.chat_id = c.chat_id and m.message_id = asked.message_id "
            "where m.sequence_num <> asked.number and m.generation = ?3 limit 1",
            (_asked(messages), account_id, generation),
        ).fetchone()
        is not None
    )


def _asked(changes: Iterable[MessageChange]) -> str:
    return rows.encode([(change.chat_id, change.message_id, change.sequence_num) for change in changes])


class Arrivals:
    """Applies the changes of one page, inside its transaction."""

    def __init__(self, tx: Transaction, account_id: AccountId, generation: int) -> None:
        self._tx = tx
        self._db = tx.db
        self._account_id = account_id
        self._generation = generation
        self._owners: dict[ChatId, str] = {}
        self._grown: dict[ChatId, str] = {}
        self._deleted: set[ChatId] = set()
        self._messages: dict[_Key, MessageChange] = {}
        self._pushed = 0
        self._pulled = 0

    def take(self, change: Change) -> None:
        """Lays one change into the store, at `finish` at the latest."""
        match change:
            case ChatChange():
                self.chat(change)
            case MessageChange():
                self.message(change)
            case _:
                pass

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
        if change.deleted:
            self._deleted.add(change.chat_id)
        taken |= {"created_at": change.created_at, "generation": self._generation}
        self._db.execute(
            f"update chats set {', '.join(f'{name} = ?' for name in taken)} where chat_id = ?",
            (*taken.values(), change.chat_id),
        )
        self._tx.touch_chat(change.chat_id)

    def message(self, change: MessageChange) -> None:
        """Inserts, updates or confirms the message, at `finish` or earlier."""
        if not self._ours(change.chat_id, change.created_at):
            return
        key = (change.chat_id, change.message_id)
        if key in self._messages:
            self._lay()
        self._messages[key] = change

    def finish(self) -> None:
        """Moves the chats that got new messages up the list; sets aside what waits in those that were deleted."""
        self._lay()
        self._set_aside()
        accounts.tally(self._tx, self._account_id, pushed=self._pushed, pulled=self._pulled)
        for chat_id, at in self._grown.items():
            self._db.execute(
                "update chats set activity = ?, updated_at = ? where chat_id = ?",
                (chats.next_activity(self._db), at, chat_id),
            )

    def _lay(self) -> None:
        changes, self._messages = self._messages, {}
        held = self._held(changes.values())
        new: list[MessageChange] = []
        other: list[MessageChange] = []
        confirmed: defaultdict[ChatId, Counter[str]] = defaultdict(Counter)
        for key, change in changes.items():
            row = held.get(key)
            if row is None:
                new.append(change)
            elif self._same(row, change):
                continue
            elif self._accepts(row, change):
                other.append(change)
                if row[0] != "synced":
                    confirmed[change.chat_id][row[0]] += 1
            elif change.deleted:
                self._note_tombstone(change)
        self._insert(new)
        self._update(other)
        for chat_id, states in confirmed.items():
            counting.confirmed(self._tx, chat_id, pending=states["pending"], rejected=states["rejected"])
            self._pushed += states.total()

    def _set_aside(self) -> None:
        # Only once all of the page is laid: it may confirm what seems to wait.
        for chat_id in self._deleted:
            self._db.execute(
                "update messages set sync_state = 'rejected', sync_error = ? where sync_state = 'pending' "
                "and chat_id = (select chat_id from chats where chat_id = ? and deleted_at is not null)",
                (CHAT_DELETED, chat_id),
            )
            self._tx.touch_messages(chat_id)

    def _held(self, changes: Iterable[MessageChange]) -> dict[_Key, tuple[Any, ...]]:
        found = self._db.execute(
            f"{_ASKED} select m.chat_id, m.message_id, m.sync_state, m.generation, m.revision, m.sequence_num, "
            "m.status, m.deleted_at is not null, m.created_at, m.role, iif(m.sync_state = 'synced', '', m.content), "
            "iif(m.sync_state = 'synced', null, m.annotations), m.turn_id from asked "
            "cross join messages m on m.chat_id = asked.chat_id and m.message_id = asked.message_id",
            (_asked(changes),),
        )
        return {(chat_id, message_id): tuple(row) for chat_id, message_id, *row in found}

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

    def _same(self, held: tuple[Any, ...], change: MessageChange) -> bool:
        """A device pulls back what it pushed: such a row costs no more than this look. Text that grows is read."""
        return held[:7] == (
            "synced",
            self._generation,
            change.revision,
            change.sequence_num,
            MessageStatus.COMPLETE,
            change.deleted,
            change.created_at,
        ) and (change.status is MessageStatus.COMPLETE)

    def _accepts(self, held: tuple[Any, ...], change: MessageChange) -> bool:
        state, generation, revision, _, _, _, _, role, content, annotations, turn_id = held
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

    def _insert(self, changes: Sequence[MessageChange]) -> None:
        self._write_all(
            "insert into messages (sequence_num, role, content, annotations, turn_id, status, created_at, deleted_at, "
            "revision, generation, chat_id, message_id, sync_state) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'synced')",
            changes,
        )
        for change in changes:
            self._grown.pop(change.chat_id, None)
            self._grown[change.chat_id] = change.created_at
            self._pulled += not change.deleted

    def _update(self, changes: Sequence[MessageChange]) -> None:
        self._write_all(
            "update messages set sequence_num = ?, role = ?, content = ?, annotations = ?, turn_id = ?, status = ?, "
            "created_at = ?, deleted_at = ?, revision = ?, generation = ?, sync_state = 'synced', sync_error = null "
            "where chat_id = ? and message_id = ?",
            changes,
        )

    def _write_all(self, sql: str, changes: Sequence[MessageChange]) -> None:
        self._db.conn.executemany(sql, map(self._values, changes))
        for change in changes:
            self._tx.touch_messages(change.chat_id)

    def _note_tombstone(self, change: MessageChange) -> None:
        # It may be the tombstone of another text under this id: only the verdict on ours tells (I17).
        self._db.execute(
            "update messages set deleted_at = ?, revision = ?, generation = ? "
            "where chat_id = ? and message_id = ? and sync_state <> 'synced'",
            (self._tx.now(), change.revision, self._generation, change.chat_id, change.message_id),
        )

    def _values(self, change: MessageChange) -> tuple[Any, ...]:
        return (
            change.sequence_num,
            change.role.value,
            "[]" if change.deleted else rows.encode(change.content),
            None if change.deleted or change.annotations is None else rows.encode(change.annotations),
            change.turn_id,
            change.status.value,
            change.created_at,
            self._tx.now() if change.deleted else None,
            change.revision,
            self._generation,
            change.chat_id,
            change.message_id,
        )
