"""A server in memory with the semantics of the remote procedures: the specification that devices sync against."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.exchange import (
    Batch,
    ChangePage,
    ChatChange,
    ChatEdit,
    ChatVerdict,
    MessageChange,
    Verdict,
    VerdictStatus,
)
from storage.records import ChatId, Cursor, Message, MessageId, Part
from sync.errors import Refused

POISON_CALL = "poison: the whole call is refused"
POISON_ITEM = "poison: this item is rejected"
POISON_CHAT = "poison: this chat is rejected"
MOST_MESSAGES = 6

Key = tuple[ChatId, MessageId | None]


@dataclass(frozen=True)
class Snapshot:
    """All that a restore brings back."""

    head: int
    chats: dict[ChatId, ChatChange]
    messages: dict[ChatId, dict[MessageId, MessageChange]]
    counters: dict[ChatId, int]
    log: list[tuple[int, Key]]
    erased: dict[Key, tuple[Part, ...]]


class ModelServer:
    """One owner's rows, change counter and epoch. Rows are immutable, so a snapshot copies only the containers."""

    def __init__(self) -> None:
        self.epochs = 1
        self.head = 0
        self.chats: dict[ChatId, ChatChange] = {}
        self.messages: dict[ChatId, dict[MessageId, MessageChange]] = {}
        self.counters: dict[ChatId, int] = {}
        self._log: list[tuple[int, Key]] = []
        self._erased: dict[Key, tuple[Part, ...]] = {}

    @property
    def epoch(self) -> str:
        return f"epoch-{self.epochs}"

    def live(self) -> dict[tuple[ChatId, MessageId], MessageChange]:
        """Every message that is not tombstoned."""
        return {
            (chat_id, message_id): row
            for chat_id, rows in self.messages.items()
            for message_id, row in rows.items()
            if not row.deleted
        }

    def save_chats(self, edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
        return tuple(self._save(edit) for edit in edits)

    def append_messages(self, batch: Batch) -> tuple[Verdict, ...]:
        chat = self.chats.get(batch.chat_id)
        if chat is None:
            raise Refused("The server does not know this chat.", "PT404")
        if chat.deleted:
            raise Refused("This chat was deleted.", "PT410")
        if len(batch.messages) > MOST_MESSAGES:
            raise Refused("Too many messages.", "PT413")
        if any(_text(message) == POISON_CALL for message in batch.messages):
            raise Refused("The call is malformed.", "PT400")
        return tuple(self._append(batch.chat_id, message) for message in batch.messages)

    def pull_changes(self, cursor: Cursor, limit: int) -> ChangePage:
        reset = cursor.epoch != self.epoch or cursor.change > self.head
        start = 0 if reset else cursor.change
        first = bisect_right(self._log, start, key=lambda entry: entry[0])
        entries = self._log[first : first + limit]
        more = first + limit < len(self._log)
        last = entries[-1][0] if entries else start
        return ChangePage(
            self.epoch, last, self.head, more, reset, tuple(self._row(key) for _, key in entries)
        )

    def tombstone(self, chat_id: ChatId, message_id: MessageId) -> None:
        row = self.messages[chat_id][message_id]
        self._erased[chat_id, message_id] = row.content
        gone = replace(row, content=(), deleted=True, revision=row.revision + 1)
        self._store(replace(gone, change=self._next_change()))

    def snapshot(self) -> Snapshot:
        messages = {chat_id: dict(rows) for chat_id, rows in self.messages.items()}
        counters, erased = dict(self.counters), dict(self._erased)
        return Snapshot(self.head, dict(self.chats), messages, counters, list(self._log), erased)

    def restore(self, snapshot: Snapshot, *, rotate: bool = True) -> None:
        """Go back; the runbook rotates the epoch."""
        self.epochs += rotate
        self.head = snapshot.head
        self.chats = dict(snapshot.chats)
        self.messages = {chat_id: dict(rows) for chat_id, rows in snapshot.messages.items()}
        self.counters = dict(snapshot.counters)
        self._log = list(snapshot.log)
        self._erased = dict(snapshot.erased)

    def _next_change(self) -> int:
        self.head += 1
        return self.head

    def _row(self, key: Key) -> ChatChange | MessageChange:
        chat_id, message_id = key
        return self.chats[chat_id] if message_id is None else self.messages[chat_id][message_id]

    def _store(self, row: ChatChange | MessageChange) -> None:
        if isinstance(row, ChatChange):
            key: Key = (row.chat_id, None)
            before: Any = self.chats.get(row.chat_id)
            self.chats[row.chat_id] = row
        else:
            key = (row.chat_id, row.message_id)
            rows = self.messages.setdefault(row.chat_id, {})
            before = rows.get(row.message_id)
            rows[row.message_id] = row
        if before is not None:
            self._log.remove((before.change, key))
        self._log.append((row.change, key))

    def _save(self, edit: ChatEdit) -> ChatVerdict:
        if edit.fields.get("title") == POISON_CHAT:
            return ChatVerdict(edit.chat_id, False, "This title cannot be stored.")
        row = self.chats.get(edit.chat_id) or ChatChange(
            0, edit.chat_id, "", None, None, False, False, False, "2026-01-01T00:00:00Z"
        )
        known = {name: value for name, value in edit.fields.items() if hasattr(row, name)}
        self._store(replace(row, **known, change=self._next_change()))
        return ChatVerdict(edit.chat_id, True, None)

    def _append(self, chat_id: ChatId, message: Message) -> Verdict:
        message_id = message.message_id
        if _text(message) == POISON_ITEM:
            return Verdict(message_id, VerdictStatus.REJECTED, None, "This message cannot be stored.")
        held = self.messages.get(chat_id, {}).get(message_id)
        if held is not None:
            content = self._erased[chat_id, message_id] if held.deleted else held.content
            same = content == message.content and held.role == message.role
            status = VerdictStatus.DUPLICATE if same else VerdictStatus.CONFLICT
            return Verdict(message_id, status, held.sequence_num, None if same else "Other text has this id.")
        number = self.counters[chat_id] = self.counters.get(chat_id, 0) + 1
        self._store(
            MessageChange(
                self._next_change(),
                chat_id,
                message_id,
                number,
                message.role,
                message.content,
                message.annotations,
                message.turn_id,
                message.status,
                1,
                False,
                message.created_at,
            )
        )
        return Verdict(message_id, VerdictStatus.INSERTED, number, None)


def _text(message: Message) -> str:
    return str(message.content[0]["text"])
