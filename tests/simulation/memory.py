"""The store's semantics over dictionaries: fast, and a second opinion on what storage has to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storage.errors import UnknownChat
from storage.exchange import (
    Batch,
    ChangePage,
    ChatChange,
    ChatEdit,
    ChatVerdict,
    MessageChange,
    Verdict,
    VerdictStatus,
    Work,
)
from storage.records import ChatId, Counts, Cursor, Message, MessageId, MessageStatus, Role, SyncState
from sync.engine.interface import (
    ApplyChanges,
    ChangesApplied,
    CountWork,
    LoadWork,
    RecordChatVerdicts,
    RecordVerdicts,
    RequeueChat,
    SetAside,
    StoreAnswer,
    Stored,
    StoreEffect,
    WorkCounted,
    WorkLoaded,
)
from tests.simulation.port import Row

FIELDS = ("title", "project_id", "model", "pinned", "archived", "deleted")
BLANK: dict[str, Any] = dict.fromkeys(FIELDS) | {
    "title": "",
    "pinned": False,
    "archived": False,
    "deleted": False,
}
MOST_EDITS = 3

Key = tuple[ChatId, MessageId]


@dataclass(slots=True)
class LocalChat:
    fields: dict[str, Any]
    edited: set[str]
    revision: int = 1
    epoch: str | None = None
    refused: bool = False
    known: bool = False


@dataclass(slots=True)
class LocalMessage:
    message: Message
    epoch: str | None = None
    deleted: bool = False
    noted: str | None = None
    """The epoch in which a pull brought a tombstone of this id, before a verdict on these words."""


@dataclass(slots=True)
class MemoryStore:
    """One device's durable state. Every method is one transaction."""

    held: dict[ChatId, LocalChat] = field(default_factory=dict)
    messages: dict[Key, LocalMessage] = field(default_factory=dict)
    numbers: dict[tuple[ChatId, int], MessageId] = field(default_factory=dict)
    pending: dict[Key, int] = field(default_factory=dict)
    place: Cursor = field(default_factory=Cursor)
    resetting: bool = False
    orders: int = 0

    def create_chat(self, chat_id: ChatId, title: str) -> None:
        self.held[chat_id] = LocalChat(BLANK | {"title": title}, set(FIELDS))

    def rename_chat(self, chat_id: ChatId, title: str) -> None:
        self._edit(chat_id, "title", title)

    def delete_chat(self, chat_id: ChatId) -> None:
        self._edit(chat_id, "deleted", True)

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str, wall: float) -> None:
        if chat_id not in self.held:
            raise UnknownChat("There is no such chat here.")
        if (chat_id, message_id) in self.messages:
            return
        self.orders += 1
        content = ({"type": "text", "text": text},)
        message = Message(
            chat_id,
            message_id,
            None,
            Role.USER,
            content,
            None,
            None,
            MessageStatus.COMPLETE,
            SyncState.PENDING,
            None,
            f"{wall:.3f}",
            self.orders,
        )
        self.messages[chat_id, message_id] = LocalMessage(message)
        self.pending[chat_id, message_id] = self.orders

    def retry(self, chat_id: ChatId, message_id: MessageId) -> None:
        self._set(self.messages[chat_id, message_id], SyncState.PENDING, None, None)

    def chats(self) -> list[ChatId]:
        return [chat_id for chat_id, chat in self.held.items() if not chat.fields["deleted"]]

    def rows(self) -> list[Row]:
        return [
            Row(
                chat_id,
                message_id,
                local.message.sequence_num,
                local.message.sync_state,
                local.message.content[0]["text"] if local.message.content else "",
                local.message.sync_error,
                local.deleted,
            )
            for (chat_id, message_id), local in self.messages.items()
        ]

    def cursor(self) -> Cursor:
        return self.place

    def close(self) -> None:
        """Nothing is open."""

    def perform(self, effect: StoreEffect) -> StoreAnswer:
        match effect:
            case LoadWork():
                return WorkLoaded(effect.request, self.load_work(effect.after, effect.blocked, effect.limit))
            case CountWork():
                return WorkCounted(effect.request, Counts(len(self.pending), 0, None), None, None)
            case ApplyChanges():
                return ChangesApplied(effect.request, self.apply(effect.page))
            case RecordVerdicts():
                self.record_verdicts(effect.epoch, effect.chat_id, effect.verdicts)
            case RecordChatVerdicts():
                self.record_chat_verdicts(effect.edits, effect.verdicts)
            case SetAside():
                self.set_aside(effect.chat_id, effect.message_ids, effect.reason)
            case RequeueChat():
                self.held[effect.chat_id].known = False
                self._mark_all(self.held[effect.chat_id])
        return Stored(effect.request)

    def load_work(self, after: int, blocked: frozenset[ChatId], limit: int) -> Work:
        edits = [
            ChatEdit(chat_id, chat.revision, {name: chat.fields[name] for name in chat.edited})
            for chat_id, chat in self.held.items()
            if chat.edited and not chat.refused
        ]
        waiting = sorted(
            (order, key)
            for key, order in self.pending.items()
            if order > after and key[0] not in blocked and not self._waits(self.held[key[0]])
        )
        batch = None
        if waiting:
            chat_id = waiting[0][1][0]
            keys = [key for _, key in waiting if key[0] == chat_id][:limit]
            batch = Batch(chat_id, tuple(self.messages[key].message for key in keys))
        return Work(tuple(edits[:MOST_EDITS]), batch, self.place)

    def _waits(self, chat: LocalChat) -> bool:
        return chat.refused and not chat.known

    def record_verdicts(self, epoch: str | None, chat_id: ChatId, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            local = self.messages[chat_id, verdict.message_id]
            if local.message.sync_state is not SyncState.PENDING:
                continue
            if verdict.status in (VerdictStatus.INSERTED, VerdictStatus.DUPLICATE):
                self._set(local, SyncState.SYNCED, verdict.sequence_num, None)
                local.epoch, local.deleted = epoch, local.noted == epoch
            else:
                self._set(local, SyncState.REJECTED, None, verdict.reason)

    def record_chat_verdicts(self, edits: Sequence[ChatEdit], verdicts: Sequence[ChatVerdict]) -> None:
        for edit, verdict in zip(edits, verdicts, strict=True):
            chat = self.held[edit.chat_id]
            if chat.revision != edit.revision:
                continue
            chat.refused = not verdict.accepted
            if verdict.accepted:
                chat.edited.clear()
                chat.epoch, chat.known = self.place.epoch, True

    def set_aside(self, chat_id: ChatId, message_ids: Iterable[MessageId], reason: str) -> None:
        for message_id in message_ids:
            local = self.messages[chat_id, message_id]
            if local.message.sync_state is SyncState.PENDING:
                self._set(local, SyncState.REJECTED, None, reason)

    def apply(self, page: ChangePage) -> bool:
        if not page.reset and self._contradicts(page):
            return False
        if page.reset:
            self._begin_anew()
        for change in page.changes:
            if isinstance(change, ChatChange):
                self._apply_chat(change, page.epoch)
            else:
                self._apply_message(change, page.epoch)
        self.place = Cursor(page.epoch, page.cursor)
        if self.resetting and not page.more:
            self.resetting = False
            self._requeue_lost(page.epoch)
        return True

    def _contradicts(self, page: ChangePage) -> bool:
        if page.epoch != self.place.epoch or page.cursor < self.place.change:
            return True
        return any(
            self.numbers.get((change.chat_id, change.sequence_num), change.message_id) != change.message_id
            for change in page.changes
            if isinstance(change, MessageChange)
        )

    def _begin_anew(self) -> None:
        self.resetting = True
        self.numbers.clear()
        for local in self.messages.values():
            local.epoch = None
        for chat in self.held.values():
            chat.epoch = None

    def _apply_chat(self, change: ChatChange, epoch: str) -> None:
        chat = self._ensure(change.chat_id)
        chat.epoch, chat.known = epoch, True
        for name in FIELDS:
            if name not in chat.edited:
                chat.fields[name] = getattr(change, name)
        if change.deleted and chat.fields["deleted"]:
            self._doom(change.chat_id)

    def _doom(self, chat_id: ChatId) -> None:
        waiting = [message_id for chat, message_id in self.pending if chat == chat_id]
        self.set_aside(chat_id, waiting, "This chat was deleted on another device.")

    def _ensure(self, chat_id: ChatId) -> LocalChat:
        """A message may come before its chat, whose number moves on with every edit."""
        if chat_id not in self.held:
            self.held[chat_id] = LocalChat(dict(BLANK), set(), known=True)
        return self.held[chat_id]

    def _apply_message(self, change: MessageChange, epoch: str) -> None:
        key = (change.chat_id, change.message_id)
        self._ensure(change.chat_id)
        local = self.messages.get(key)
        if local is None:
            self.orders += 1
            local = self.messages[key] = LocalMessage(_message(change, self.orders))
        elif local.message.sync_state is not SyncState.SYNCED:
            if change.deleted:
                local.noted = epoch
            if change.deleted or local.message.content != change.content:
                return
            self._set(local, SyncState.SYNCED, change.sequence_num, None)
        else:
            local.message = _message(change, local.message.local_order)
        local.epoch, local.deleted = epoch, change.deleted
        self.numbers[change.chat_id, change.sequence_num] = change.message_id

    def _requeue_lost(self, epoch: str) -> None:
        for local in self.messages.values():
            if local.message.sync_state is SyncState.SYNCED and local.epoch != epoch and not local.deleted:
                self._set(local, SyncState.PENDING, None, None)
        for chat in self.held.values():
            if chat.epoch != epoch and not chat.fields["deleted"]:
                chat.known = False
                self._mark_all(chat)

    def _mark_all(self, chat: LocalChat) -> None:
        chat.edited = set(FIELDS)
        chat.revision += 1
        chat.refused = False

    def _edit(self, chat_id: ChatId, name: str, value: Any) -> None:
        chat = self.held[chat_id]
        chat.fields[name] = value
        chat.edited.add(name)
        chat.revision += 1
        chat.refused = False

    def _set(self, local: LocalMessage, state: SyncState, number: int | None, reason: str | None) -> None:
        message = local.message
        key = (message.chat_id, message.message_id)
        local.message = replace(message, sync_state=state, sequence_num=number, sync_error=reason)
        if state is SyncState.PENDING:
            self.pending[key] = message.local_order
        else:
            self.pending.pop(key, None)
        if number is not None:
            self.numbers[message.chat_id, number] = message.message_id


def _message(change: MessageChange, order: int) -> Message:
    return Message(
        change.chat_id,
        change.message_id,
        change.sequence_num,
        change.role,
        change.content,
        change.annotations,
        change.turn_id,
        change.status,
        SyncState.SYNCED,
        None,
        change.created_at,
        order,
    )
