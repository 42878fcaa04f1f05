"""The records that the store hands out and takes in: frozen values, no behaviour but what their fields say."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NewType, TypeAlias

ChatId = NewType("ChatId", str)
MessageId = NewType("MessageId", str)
ProjectId = NewType("ProjectId", str)
AccountId = NewType("AccountId", str)

LOCAL_ACCOUNT: Final = AccountId("local")
"""Owner of everything written while signed out, until an account adopts it."""

Part: TypeAlias = dict[str, Any]
"""One element of a message's content array, in the shape of the contract; unknown fields stay in it untouched."""


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class MessageStatus(StrEnum):
    """How far the text of a message has come."""

    COMPLETE = "complete"
    STREAMING = "streaming"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class SyncState(StrEnum):
    """Where a message lives. In-flight is never stored: after a crash it would be a lie."""

    PENDING = "pending"
    SYNCED = "synced"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Account:
    """A login on one server, as this computer remembers it; its tokens are kept elsewhere.

    `signed_in`: the session has not come to its end, as far as is known. `gone`: its server knows the account no more.
    """

    account_id: AccountId
    url: str
    publishable_key: str
    email: str
    user_id: str
    signed_in: bool
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Chat:
    """One row of the chat list. Times are RFC 3339 in UTC."""

    chat_id: ChatId
    account_id: AccountId
    title: str
    project_id: str | None
    model: str | None
    pinned: bool
    archived: bool
    deleted: bool
    draft: str
    created_at: str
    updated_at: str
    pending: int
    rejected: int
    sync_error: str | None
    missing: int = 0
    """Messages that exist on the server and are not held here."""
    last_num: int = 0
    """The highest number known to exist on the server."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `local_order` is this device's commit order; it sorts what has no number yet."""

    chat_id: ChatId
    message_id: MessageId
    sequence_num: int | None
    role: Role
    content: tuple[Part, ...]
    annotations: Any | None
    turn_id: str | None
    status: MessageStatus
    sync_state: SyncState
    sync_error: str | None
    created_at: str
    local_order: int


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a chat's order `(sequence_num nulls last, local_order)`."""

    sequence_num: int | None
    local_order: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers `first` to `last` of a chat, both included, that exist on the server and are not held here."""

    chat_id: ChatId
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Page:
    """Messages newest first. `older` is where the next page starts, None when nothing older is held here.

    `gap` is the hole right below the last message, or below the position asked for when no message is left: `older`
    is None then, and the same question brings more once the hole is filled. What is held below the hole starts at
    `Position(gap.first, 0)`.
    """

    messages: tuple[Message, ...]
    older: Position | None
    gap: Hole | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far this device has applied an account's changes. A device that never pulled has no epoch."""

    epoch: str | None = None
    change: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages of an account by sync state; `oldest_pending_at` is RFC 3339 or None.

    `conflicts`: of the rejected ones those whose id belongs to another text on the server.
    """

    pending: int
    rejected: int
    oldest_pending_at: str | None
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Touched:
    """What a committed transaction changed, so that views refresh just that."""

    chats: frozenset[ChatId] = frozenset()
    messages: frozenset[ChatId] = frozenset()
    accounts: bool = False
    projects: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """A group of chats. `status` is draft, published or archived; times are RFC 3339 in UTC."""

    project_id: ProjectId
    account_id: AccountId
    name: str
    description: str
    status: str
    url_id: str | None
    deleted: bool
    created_at: str
    updated_at: str
    sync_error: str | None
