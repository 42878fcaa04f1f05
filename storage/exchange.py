"""What travels between the store and the server: work on its way out, verdicts and changes on their way in."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from storage.records import ChatId, Cursor, Hole, Message, MessageId, MessageStatus, Part, ProjectId, Role


class VerdictStatus(StrEnum):
    """The server's word on one message of an append."""

    INSERTED = "inserted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"


class BatchFault(StrEnum):
    """Why a whole batch was not appended."""

    UNKNOWN = "unknown"
    DELETED = "deleted"


class ErrandKind(StrEnum):
    """What an errand asks of the server, one function each."""

    DELETE_MESSAGES = "delete-messages"
    CLEAR_CHAT = "clear-chat"
    PIN_CONTEXT = "pin-context"
    UNPIN_CONTEXT = "unpin-context"
    SAVE_SNAPSHOT = "save-snapshot"


@dataclass(frozen=True, slots=True)
class ChatEdit:
    """Fields of a chat that the server has not confirmed. `revision` tells whether a newer edit came meanwhile."""

    chat_id: ChatId
    revision: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProjectEdit:
    """Fields of a project that the server has not confirmed, as in `ChatEdit`."""

    project_id: ProjectId
    revision: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Pending messages of one chat, in author order."""

    chat_id: ChatId
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one push carries: projects, then chats, then messages of those and other chats, each chat at most once."""

    projects: tuple[ProjectEdit, ...]
    edits: tuple[ChatEdit, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class Errand:
    """A small order to the server that is no message and no field: repeated until it is answered, in `number` order.

    `subject` is the chat, for a snapshot the project; `body` holds the function's other arguments.
    """

    number: int
    kind: ErrandKind
    subject: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParcelWork:
    """What an account has to push and to ask, where its next pull starts, and whether its history is opened."""

    parcel: Parcel
    errand: Errand | None
    cursor: Cursor
    opened: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of an append's answer. A rejected message has no number; the reason is for people."""

    message_id: MessageId
    status: VerdictStatus
    sequence_num: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ChatVerdict:
    """One row of the answer to saving chats: accepted, or refused with a reason for people."""

    chat_id: ChatId
    accepted: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class ProjectVerdict:
    """One row of the answer to saving projects."""

    project_id: ProjectId
    accepted: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class BatchVerdict:
    """The server's word on one chat's messages: one verdict each in order, or none and a fault."""

    chat_id: ChatId
    fault: BatchFault | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class ErrandVerdict:
    """The server's word on an errand. Not accepted: the reason is for people. `more`: ask the same once more."""

    accepted: bool
    reason: str | None
    more: bool = False


@dataclass(frozen=True, slots=True)
class ChatChange:
    """A chat as the server holds it, at change number `change`.

    `last_sequence_num` and `updated_at`, when the server last took something of it, are 0 and empty where it does not
    say them.
    """

    change: int
    chat_id: ChatId
    title: str
    project_id: str | None
    model: str | None
    pinned: bool
    archived: bool
    deleted: bool
    created_at: str
    last_sequence_num: int = 0
    updated_at: str = ""


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """A project as the server holds it, at change number `change`."""

    change: int
    project_id: ProjectId
    name: str
    description: str
    status: str
    url_id: str | None
    deleted: bool
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class MessageChange:
    """A message as the server holds it, at change number `change`."""

    change: int
    chat_id: ChatId
    message_id: MessageId
    sequence_num: int
    role: Role
    content: tuple[Part, ...]
    annotations: Any | None
    turn_id: str | None
    status: MessageStatus
    revision: int
    deleted: bool
    created_at: str


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """What is known of a project's saved files without the files: their hash (hex sha256), size and revision."""

    change: int
    project_id: ProjectId
    content_hash: str
    octets: int
    revision: int
    updated_at: str


@dataclass(frozen=True, slots=True)
class ContextChange:
    """A resource pinned to a chat as the server holds it; a deleted one has no body."""

    change: int
    chat_id: ChatId
    source: str
    kind: str
    name: str
    status: str
    reason: str | None
    body: str
    source_hash: str | None
    content_hash: str
    octets: int
    deleted: bool
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class UsageChange:
    """What one reply cost: tokens, and money in millionths. `models` is the breakdown by model."""

    change: int
    chat_id: ChatId
    message_id: MessageId
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int | None
    models: Any
    truncated: bool
    created_at: str


Change: TypeAlias = ChatChange | ProjectChange | MessageChange | SnapshotChange | ContextChange | UsageChange


@dataclass(frozen=True, slots=True)
class Span:
    """Changes `before` < n <= `head` of an epoch, all of them made by one push and by nobody else."""

    epoch: str
    before: int
    head: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a parcel, in its order. `changes` are the saved chats and projects as the server now holds them.

    `span` is None where the server cannot say it; the next pull then brings everything back.
    """

    projects: tuple[ProjectVerdict, ...]
    chats: tuple[ChatVerdict, ...]
    batches: tuple[BatchVerdict, ...]
    changes: tuple[ChatChange | ProjectChange, ...]
    span: Span | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One answer of a pull. With `reset` the changes start from nothing, in a new epoch."""

    epoch: str
    cursor: int
    head: int
    more: bool
    reset: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages out of holes. `covered` says which numbers the answer is whole for, also where no row is left."""

    epoch: str
    messages: tuple[MessageChange, ...]
    covered: tuple[Hole, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """One chat on the server: its last number, its live messages, and the digest over all of them (16 hex digits)."""

    chat_id: ChatId
    last_sequence_num: int
    message_count: int
    digest: str
