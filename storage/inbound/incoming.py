"""The changes of one page, laid into the store."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from storage import accounts, chats, removal, rows
from storage.checksums import checksum
from storage.exchange import Change, ChatChange, MessageChange
from storage.inbound import beside, kinds
from storage.records import AccountId, ChatId, MessageId, MessageStatus
from storage.standing import counting, edits, held
from storage.transaction import Reader, Transaction

_Key: TypeAlias = tuple[ChatId, MessageId]

CHAT_DELETED: Final = "This chat was deleted on another device: copy the text into another chat."

_ASKED: Final = (
    "with asked (chat_id, message_id, number) as materialized (select json_extract(value, '$[0]'), "
    "json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(?1)) "
)

_ROWS: Final = 50
_ROW: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'synced')"


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


def set_aside_deleted(tx: Transaction, chat_ids: Iterable[ChatId]) -> None:
    """What waits in chats that another device deleted is set aside, once all of a page is laid: it may confirm some."""
    for chat_id in chat_ids:
        tx.db.execute(
            "update messages set sync_state = 'rejected', sync_error = ? where sync_state = 'pending' "
            "and chat_id = (select chat_id from chats where chat_id = ? and deleted_at is not null)",
            (CHAT_DELETED, chat_id),
        )
        tx.touch_messages(chat_id)
    removal.settle(tx)


class Arrivals:
    """Applies the changes of one page, inside its transaction. Pages of history move no chat up the list."""

    def __init__(
        self, tx: Transaction, account_id: AccountId, generation: int, *, history: bool = False
    ) -> None:
        self._tx = tx
        self._db = tx.db
        self._account_id = account_id
        self._generation = generation
        self._history = history
        self._owned: dict[ChatId, bool] = {}
        self._numbers: defaultdict[ChatId, list[int]] = defaultdict(list)
        self._grown: dict[ChatId, str] = {}
        self._deleted: set[ChatId] = set()
        self._messages: dict[_Key, MessageChange] = {}
        self._doomed = removal.Doomed.of(tx.db, account_id)
        self._risen: defaultdict[ChatId, list[MessageId]] = defaultdict(list)
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
                kinds.apply(self._tx, self._account_id, self._generation, change)

    def chat(self, change: ChatChange) -> None:
        """Takes over every field that has no unconfirmed edit here, unless something newer was seen."""
        if not self._ours(change.chat_id, change.created_at):
            return
        seen = self._db.execute(
            "select change from chats where chat_id = ? and generation = ?",
            (change.chat_id, self._generation),
        ).fetchone()
        if seen is not None and seen[0] > change.change:
            return
        if change.deleted:
            self._deleted.add(change.chat_id)
        edits.take(self._tx, self._account_id, self._generation, change)
        self._db.execute(
            "update chats set change = ?, created_at = ? where chat_id = ?",
            (change.change, change.created_at, change.chat_id),
        )
        self._tx.touch_chat(change.chat_id)

    def summary(self, change: Change) -> None:
        """As `take`, for a page without messages: what the chat has of them is missing from now on."""
        self.take(change)
        if (
            isinstance(change, ChatChange)
            and self._owned[change.chat_id]
            and held.known(self._tx, change.chat_id, change.last_sequence_num)
        ):
            self._climb(change.chat_id)
            # Until its newest message is here, the server's clock is all that tells how new the chat is.
            self._db.execute(
                "update chats set updated_at = ?1 where chat_id = ?2 and ?1 <> ''",
                (change.updated_at, change.chat_id),
            )
            self._tx.touch_messages(change.chat_id)

    def message(self, change: MessageChange) -> None:
        """Inserts, updates or confirms the message, at `finish` or earlier."""
        if not self._ours(change.chat_id, change.created_at):
            return
        key = (change.chat_id, change.message_id)
        if key in self._messages:
            self._lay()
        self._messages[key] = self._doomed.seen(change)
        self._numbers[change.chat_id].append(change.sequence_num)

    def finish(self) -> None:
        """Moves the chats that got new messages up the list; sets aside what waits in those that were deleted."""
        self._lay()
        held.hold_numbers(self._tx, self._numbers)
        set_aside_deleted(self._tx, self._deleted)
        removal.settle(self._tx)
        for chat_id, message_ids in self._risen.items():
            removal.repeat(self._tx, self._account_id, chat_id, message_ids)
        accounts.tally(self._tx, self._account_id, pushed=self._pushed, pulled=self._pulled)
        for chat_id, at in self._grown.items():
            self._climb(chat_id)
            self._db.execute("update chats set updated_at = ? where chat_id = ?", (at, chat_id))

    def owns(self, chat_id: ChatId) -> bool:
        """Whether the chat is here, and this account's."""
        return accounts.owner_of(self._db, chat_id) == self._account_id

    def _climb(self, chat_id: ChatId) -> None:
        self._db.execute(
            "update chats set activity = ? where chat_id = ?", (chats.next_activity(self._db), chat_id)
        )

    def _lay(self) -> None:
        changes, self._messages = self._messages, {}
        here = self._here(changes.values())
        new: list[MessageChange] = []
        other: list[MessageChange] = []
        hidden: list[MessageChange] = []
        confirmed: set[ChatId] = set()
        for key, change in changes.items():
            row = here.get(key)
            if row is not None and self._rises(row, change):
                self._risen[change.chat_id].append(change.message_id)
                change = removal.buried(change)
            if row is None:
                new.append(change)
            elif self._same(row, change):
                continue
            elif self._accepts(row, change):
                other.append(change)
                if row[0] != "synced":
                    confirmed.add(change.chat_id)
                    self._pushed += 1
            elif row[0] != "synced":
                hidden.append(change)
        self._insert(new)
        self._update(other)
        beside.keep(self._tx, self._generation, hidden)
        if confirmed:
            counting.recount(self._tx, confirmed)

    def _here(self, changes: Iterable[MessageChange]) -> dict[_Key, tuple[Any, ...]]:
        found = self._db.execute(
            f"{_ASKED} select m.chat_id, m.message_id, m.sync_state, m.generation, m.revision, m.sequence_num, "
            "m.status, m.deleted_at is not null, m.created_at, m.role, iif(m.sync_state = 'synced', '', m.content), "
            "iif(m.sync_state = 'synced', null, m.annotations), m.turn_id from asked "
            "cross join messages m on m.chat_id = asked.chat_id and m.message_id = asked.message_id",
            (_asked(changes),),
        )
        return {(chat_id, message_id): tuple(row) for chat_id, message_id, *row in found}

    def _ours(self, chat_id: ChatId, created_at: str) -> bool:
        if (ours := self._owned.get(chat_id)) is None:
            ours = self._owned[chat_id] = chats.claim(self._tx, self._account_id, chat_id, created_at)
        return ours

    def _rises(self, row: tuple[Any, ...], change: MessageChange) -> bool:
        """A server that was wound back shows what was deleted since: it stays deleted, and is told so (I12)."""
        return row[0] == "synced" and row[5] and not change.deleted and 0 <= row[1] < self._generation

    def _same(self, row: tuple[Any, ...], change: MessageChange) -> bool:
        """A device pulls back what it pushed: such a row costs no more than this look. Text that grows is read."""
        return row[:7] == (
            "synced",
            self._generation,
            change.revision,
            change.sequence_num,
            MessageStatus.COMPLETE,
            change.deleted,
            change.created_at,
        ) and (change.status is MessageStatus.COMPLETE)

    def _accepts(self, row: tuple[Any, ...], change: MessageChange) -> bool:
        state, generation, revision, _, _, deleted, _, role, content, annotations, turn_id = row
        if deleted and not change.deleted and generation == self._generation and state == "synced":
            return False  # Asked for before the deletion: what is deleted never returns by itself.
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
        # SQLite keeps a way back for each statement that may fire a trigger: fifty rows a statement cost a third less.
        rest = len(changes) % _ROWS
        self._insert_rows(changes[:rest], 1)
        self._insert_rows(changes[rest:], _ROWS)
        for change in changes:
            if not self._history:
                self._grown.pop(change.chat_id, None)
                self._grown[change.chat_id] = change.created_at
            self._pulled += not change.deleted
            self._tx.touch_messages(change.chat_id)

    def _insert_rows(self, changes: Sequence[MessageChange], rows_each: int) -> None:
        self._db.conn.executemany(
            "insert into messages (sequence_num, role, content, annotations, turn_id, status, created_at, deleted_at, "
            "revision, generation, checksum, chat_id, message_id, sync_state) "
            f"values {', '.join([_ROW] * rows_each)}",
            (
                tuple(chain.from_iterable(map(self._values, changes[start : start + rows_each])))
                for start in range(0, len(changes), rows_each)
            ),
        )

    def _update(self, changes: Sequence[MessageChange]) -> None:
        self._db.conn.executemany(
            "update messages set sequence_num = ?, role = ?, content = ?, annotations = ?, turn_id = ?, status = ?, "
            "created_at = ?, deleted_at = ?, revision = ?, generation = ?, checksum = ?, "
            "sync_state = 'synced', sync_error = null where chat_id = ? and message_id = ?",
            map(self._values, changes),
        )
        for change in changes:
            self._tx.touch_messages(change.chat_id)

    def _values(self, change: MessageChange) -> tuple[Any, ...]:
        role = change.role.value
        content = "[]" if change.deleted else rows.encode(change.content)
        bare = change.deleted or change.annotations is None
        annotations = None if bare else rows.encode(change.annotations)
        return (
            change.sequence_num,
            role,
            content,
            annotations,
            change.turn_id,
            change.status.value,
            change.created_at,
            self._tx.now() if change.deleted else None,
            change.revision,
            self._generation,
            checksum(change.message_id, role, content, annotations),
            change.chat_id,
            change.message_id,
        )
