"""A server in memory with the semantics of the remote procedures: the specification that devices sync against."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import md5, sha256
from typing import Any

from storage.exchange import (
    Batch,
    BatchFault,
    BatchVerdict,
    Change,
    ChangePage,
    ChatChange,
    ChatEdit,
    ChatVerdict,
    ContextChange,
    Head,
    HistoryPage,
    MessageChange,
    Parcel,
    ProjectChange,
    ProjectEdit,
    ProjectVerdict,
    Receipt,
    SnapshotChange,
    Span,
    UsageChange,
    Verdict,
    VerdictStatus,
)
from storage.records import ChatId, Cursor, Hole, Message, MessageId, ProjectId
from sync.errors import Refused

POISON_CALL = "poison: the whole call is refused"
POISON_ITEM = "poison: this item is rejected"
POISON_CHAT = "poison: this chat is rejected"
BORN = "2026-01-01T00:00:00Z"
CHAT_FIELDS = ("title", "project_id", "model", "pinned", "archived", "deleted")
PROJECT_FIELDS = ("name", "description", "status", "url_id", "deleted")

Body = tuple[Any, ...]


@dataclass(slots=True)
class Chat:
    """One chat: its row, its messages by number, what was in the deleted ones, and what is pinned to it."""

    row: ChatChange
    messages: list[MessageChange] = field(default_factory=list)
    numbers: dict[MessageId, int] = field(default_factory=dict)
    erased: dict[MessageId, Body] = field(default_factory=dict)
    context: dict[str, ContextChange] = field(default_factory=dict)

    def copy(self) -> "Chat":
        return Chat(self.row, self.messages[:], dict(self.numbers), dict(self.erased), dict(self.context))

    def held(self, message_id: MessageId) -> MessageChange | None:
        number = self.numbers.get(message_id)
        return None if number is None else self.messages[number - 1]


@dataclass(slots=True)
class State:
    """All that a restore brings back. Rows are immutable, so a copy copies only the containers."""

    chats: dict[ChatId, Chat] = field(default_factory=dict)
    projects: dict[ProjectId, ProjectChange] = field(default_factory=dict)
    snapshots: dict[ProjectId, SnapshotChange] = field(default_factory=dict)
    log: list[Change | None] = field(default_factory=list)
    """The row of each change number, counted from 1; None once the row has a newer number."""

    def copy(self) -> "State":
        chats = {chat_id: chat.copy() for chat_id, chat in self.chats.items()}
        return State(chats, dict(self.projects), dict(self.snapshots), self.log[:])


class ModelServer:
    """One owner's rows, change counter and epoch. `most_messages` a push takes, `most_rows` an answer holds."""

    def __init__(self, name: str = "", *, most_messages: int = 6, most_rows: int = 1000) -> None:
        self.name = name
        self.state = State()
        self.most_messages = most_messages
        self.most_rows = most_rows
        self.modern = True
        """Whether it has the functions that older servers lack."""
        self.epochs = 1
        self.saved: set[tuple[str, str, Any]] = set()
        """Every (id, field, value) that was ever saved: what a restore takes away was there all the same."""

    @property
    def epoch(self) -> str:
        return f"epoch-{self.name}{self.epochs}"

    @property
    def head(self) -> int:
        return len(self.state.log)

    def live(self) -> Iterator[MessageChange]:
        """Every message that is not deleted, of every chat."""
        for chat in self.state.chats.values():
            for row in chat.messages:
                if not row.deleted:
                    yield row

    def push(self, parcel: Parcel) -> Receipt:
        """Projects, chats, messages, in one transaction."""
        self._refuse(parcel.batches)
        before = self.head
        projects = self.save_projects(parcel.projects)
        chats = self.save_chats(parcel.edits)
        batches = tuple(self._append_batch(batch) for batch in parcel.batches)
        changes: list[ChatChange | ProjectChange] = []
        changes += [self.state.projects[each.project_id] for each in projects if each.accepted]
        changes += [self._chat_row(self.state.chats[each.chat_id]) for each in chats if each.accepted]
        return Receipt(projects, chats, batches, tuple(changes), Span(self.epoch, before, self.head))

    def save_chats(self, edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
        return tuple(self._save_chat(edit) for edit in edits)

    def save_projects(self, edits: Sequence[ProjectEdit]) -> tuple[ProjectVerdict, ...]:
        return tuple(self._save_project(edit) for edit in edits)

    def append_messages(self, batch: Batch) -> tuple[Verdict, ...]:
        """The function of older servers: one chat a call."""
        self._refuse((batch,))
        chat = self._open(batch.chat_id)
        return tuple(self._append(chat, message) for message in batch.messages)

    def pull_changes(self, cursor: Cursor, limit: int) -> ChangePage:
        return self._pull(cursor, limit, MessageChange)

    def pull_summary(self, cursor: Cursor, limit: int) -> ChangePage:
        return self._pull(cursor, limit, None)

    def pull_history(self, holes: Sequence[Hole], limit: int) -> HistoryPage:
        room = min(limit, self.most_rows)
        rows: list[MessageChange] = []
        covered: list[Hole] = []
        for hole in holes:
            chat = self.state.chats.get(hole.chat_id)
            within = chat.messages[hole.first - 1 : hole.last] if chat else []
            if within and not room:
                break
            found = within[-room:] if room else []
            room -= len(found)
            rows.extend(reversed(found))
            if len(found) < len(within):
                covered.append(Hole(hole.chat_id, found[0].sequence_num, hole.last))
                break
            covered.append(hole)
        return HistoryPage(self.epoch, tuple(rows), tuple(covered))

    def pull_heads(self, after: ChatId | None, limit: int) -> tuple[Head, ...]:
        chats = sorted(chat_id for chat_id in self.state.chats if after is None or chat_id > after)
        return tuple(head(self.state.chats[chat_id]) for chat_id in chats[:limit])

    def delete_messages(self, chat_id: ChatId, message_ids: Sequence[str]) -> bool:
        """Whether all of them are known."""
        chat = self._open(chat_id)
        for message_id in message_ids:
            self._erase(chat, MessageId(message_id))
        return all(message_id in chat.numbers for message_id in message_ids)

    def clear_chat(self, chat_id: ChatId, through: int, most: int = 3) -> bool:
        """Whether there is more to delete."""
        chat = self._open(chat_id)
        doomed = [row.message_id for row in chat.messages[:through] if not row.deleted]
        for message_id in doomed[:most]:
            self._erase(chat, message_id)
        return len(doomed) > most

    def pin_context(self, chat_id: ChatId, resources: Sequence[Mapping[str, Any]]) -> None:
        chat = self._open(chat_id)
        for sent in resources:
            source, body = str(sent["source"]), str(sent.get("body", ""))
            held = chat.context.get(source)
            if held is not None and not held.deleted and held.body == body:
                continue
            self._write_context(chat, source, body, deleted=False)

    def unpin_context(self, chat_id: ChatId, sources: Sequence[str]) -> None:
        chat = self._open(chat_id)
        for source in sources:
            if (held := chat.context.get(source)) is not None and not held.deleted:
                self._write_context(chat, source, "", deleted=True)

    def save_snapshot(self, project_id: ProjectId, content_hash: str) -> None:
        if project_id not in self.state.projects:
            raise Refused("There is no such project.", "PT404")
        held = self.state.snapshots.get(project_id)
        if held is not None and held.content_hash == content_hash:
            return
        self._supersede(held)
        revision = held.revision + 1 if held else 1
        row = SnapshotChange(self.head + 1, project_id, content_hash, 1, revision, BORN)
        self.state.snapshots[project_id] = row
        self.state.log.append(row)

    def add_usage(self, chat_id: ChatId, message_id: MessageId) -> None:
        """What a reply cost, written when its turn ended; never changed after."""
        row = UsageChange(self.head + 1, chat_id, message_id, 1, 2, 3, None, None, False, BORN)
        self.state.log.append(row)

    def snapshot(self) -> State:
        return self.state.copy()

    def restore(self, snapshot: State) -> None:
        """Go back; the runbook rotates the epoch."""
        self.epochs += 1
        self.state = snapshot.copy()

    def _pull(self, cursor: Cursor, limit: int, kind: type | None) -> ChangePage:
        reset = cursor.epoch != self.epoch or cursor.change > self.head
        at = 0 if reset else cursor.change
        room, log = min(limit, self.most_rows), self.state.log
        changes: list[Any] = []
        for change in log[at:]:
            if change is None or (kind is None and type(change) is MessageChange):
                continue
            if len(changes) == room:
                break
            changes.append(
                self._chat_row(self.state.chats[change.chat_id]) if type(change) is ChatChange else change
            )
        more = len(changes) == room and any(
            each is not None and (kind is not None or type(each) is not MessageChange)
            for each in log[changes[-1].change :]
        )
        last = changes[-1].change if changes else at
        return ChangePage(self.epoch, last, self.head, more, reset, tuple(changes))

    def _chat_row(self, chat: Chat) -> ChatChange:
        if chat.row.last_sequence_num != len(chat.messages):
            chat.row = replace(chat.row, last_sequence_num=len(chat.messages))
        return chat.row

    def _refuse(self, batches: Sequence[Batch]) -> None:
        if sum(len(batch.messages) for batch in batches) > self.most_messages:
            raise Refused("Too many messages.", "PT413")
        if any(_text(message) == POISON_CALL for batch in batches for message in batch.messages):
            raise Refused("The call is malformed.", "PT400")

    def _open(self, chat_id: ChatId) -> Chat:
        chat = self.state.chats.get(chat_id)
        if chat is None:
            raise Refused("The server does not know this chat.", "PT404")
        if chat.row.deleted:
            raise Refused("This chat was deleted.", "PT410")
        return chat

    def _save_chat(self, edit: ChatEdit) -> ChatVerdict:
        if edit.fields.get("title") == POISON_CHAT:
            return ChatVerdict(edit.chat_id, False, "This title cannot be stored.")
        chat = self.state.chats.get(edit.chat_id)
        known = {name: value for name, value in edit.fields.items() if name in CHAT_FIELDS}
        self.saved.update((edit.chat_id, name, value) for name, value in known.items())
        if chat is None:
            row = ChatChange(0, edit.chat_id, "", None, None, False, False, False, BORN, 0)
            chat = self.state.chats[edit.chat_id] = Chat(row)
        elif all(getattr(chat.row, name) == value for name, value in known.items()):
            return ChatVerdict(edit.chat_id, True, None)
        else:
            self._supersede(chat.row)
        chat.row = replace(chat.row, **known, change=self.head + 1)
        self.state.log.append(chat.row)
        return ChatVerdict(edit.chat_id, True, None)

    def _save_project(self, edit: ProjectEdit) -> ProjectVerdict:
        held = self.state.projects.get(edit.project_id)
        known = {name: value for name, value in edit.fields.items() if name in PROJECT_FIELDS}
        self.saved.update((edit.project_id, name, value) for name, value in known.items())
        if held is not None and all(getattr(held, name) == value for name, value in known.items()):
            return ProjectVerdict(edit.project_id, True, None)
        self._supersede(held)
        old = held or ProjectChange(0, edit.project_id, "", "", "draft", None, False, BORN, BORN)
        row = replace(old, **known, change=self.head + 1)
        self.state.projects[edit.project_id] = row
        self.state.log.append(row)
        return ProjectVerdict(edit.project_id, True, None)

    def _append_batch(self, batch: Batch) -> BatchVerdict:
        chat = self.state.chats.get(batch.chat_id)
        if chat is None:
            return BatchVerdict(batch.chat_id, BatchFault.UNKNOWN, ())
        if chat.row.deleted:
            return BatchVerdict(batch.chat_id, BatchFault.DELETED, ())
        return BatchVerdict(batch.chat_id, None, tuple(self._append(chat, each) for each in batch.messages))

    def _append(self, chat: Chat, message: Message) -> Verdict:
        message_id = message.message_id
        if _text(message) == POISON_ITEM:
            return Verdict(message_id, VerdictStatus.REJECTED, None, "This message cannot be stored.")
        held = chat.held(message_id)
        if held is not None:
            same = (chat.erased[message_id] if held.deleted else body(held)) == body(message)
            status = VerdictStatus.DUPLICATE if same else VerdictStatus.CONFLICT
            return Verdict(message_id, status, held.sequence_num, None if same else "Other text has this id.")
        number = len(chat.messages) + 1
        row = MessageChange(
            self.head + 1,
            chat.row.chat_id,
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
        chat.messages.append(row)
        chat.numbers[message_id] = number
        self.state.log.append(row)
        return Verdict(message_id, VerdictStatus.INSERTED, number, None)

    def _erase(self, chat: Chat, message_id: MessageId) -> None:
        row = chat.held(message_id)
        if row is None or row.deleted:
            return
        chat.erased[message_id] = body(row)
        self._supersede(row)
        gone = replace(
            row, change=self.head + 1, content=(), annotations=None, deleted=True, revision=row.revision + 1
        )
        chat.messages[row.sequence_num - 1] = gone
        self.state.log.append(gone)

    def _write_context(self, chat: Chat, source: str, text: str, *, deleted: bool) -> None:
        self._supersede(chat.context.get(source))
        row = ContextChange(
            self.head + 1,
            chat.row.chat_id,
            source,
            "document",
            source,
            "ok",
            None,
            text,
            None,
            sha256(text.encode()).hexdigest(),
            len(text.encode()),
            deleted,
            BORN,
            BORN,
        )
        chat.context[source] = row
        self.state.log.append(row)

    def _supersede(self, row: Change | None) -> None:
        if row is not None:
            self.state.log[row.change - 1] = None


def body(message: Message | MessageChange) -> Body:
    """What decides between duplicate and conflict."""
    return message.role, message.content, message.annotations, message.turn_id


def head(chat: Chat) -> Head:
    """The chat's row in the anti-entropy check."""
    live = sum(not row.deleted for row in chat.messages)
    return Head(chat.row.chat_id, len(chat.messages), live, digest(chat))


def digest(chat: Chat) -> str:
    """Over all rows, tombstones included."""
    return digest_of((row.sequence_num, row.message_id, row.revision) for row in chat.messages)


def digest_of(rows: Iterable[tuple[int | None, str, int]]) -> str:
    """The xor of a fingerprint of each (number, id, revision)."""
    total = 0
    for row in rows:
        total ^= _fingerprint(*row)
    return f"{total:016x}"


@lru_cache(4096)
def _fingerprint(number: int | None, message_id: str, revision: int) -> int:
    text = f"{number}:{message_id}:{revision}"
    return int(md5(text.encode(), usedforsecurity=False).hexdigest()[:16], 16)


def _text(message: Message) -> str:
    return str(message.content[0]["text"])
