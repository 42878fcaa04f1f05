"""What a device keeps in dictionaries: chats, messages and projects with what the server has not confirmed."""

from dataclasses import dataclass, field
from typing import Any

from storage.exchange import ChatChange, ChatEdit, Errand, MessageChange, ProjectChange, ProjectEdit
from storage.records import (
    AccountId,
    ChatId,
    Cursor,
    Message,
    MessageId,
    MessageStatus,
    ProjectId,
    Role,
    SyncState,
)

CHAT_FIELDS = ("title", "project_id", "model", "pinned", "archived", "deleted")
CREATION = frozenset(CHAT_FIELDS) - {"deleted"}
NEW_CHAT: dict[str, Any] = {
    "title": "",
    "project_id": None,
    "model": None,
    "pinned": False,
    "archived": False,
    "deleted": False,
}
PROJECT_FIELDS = ("name", "description", "status", "url_id", "deleted")
NEW_PROJECT: dict[str, Any] = {
    "name": "",
    "description": "",
    "status": "draft",
    "url_id": None,
    "deleted": False,
}


@dataclass(slots=True)
class LocalMessage:
    """One message. `theirs` is what the server was seen to hold under the id of words that it has not confirmed."""

    chat_id: ChatId
    message_id: MessageId
    order: int
    created_at: str
    content: tuple[Any, ...]
    role: Role = Role.USER
    state: SyncState = SyncState.PENDING
    number: int | None = None
    reason: str | None = None
    revision: int = 0
    generation: int = 0
    deleted: bool = False
    withdrawn: bool = False
    theirs: MessageChange | None = None

    @property
    def text(self) -> str:
        return self.content[0]["text"] if self.content else ""

    def message(self) -> Message:
        return Message(
            self.chat_id,
            self.message_id,
            self.number,
            self.role,
            self.content,
            None,
            None,
            MessageStatus.COMPLETE,
            self.state,
            self.reason,
            self.created_at,
            self.order,
        )

    def take(self, change: MessageChange, generation: int) -> None:
        """Become what the server holds; what was deleted here stays so."""
        self.state, self.number, self.reason = SyncState.SYNCED, change.sequence_num, None
        self.revision, self.generation = change.revision, generation
        self.deleted = self.deleted or change.deleted
        self.content = () if self.deleted else change.content
        self.theirs = None


@dataclass(slots=True)
class Edited:
    """A row of fields, of which some are not confirmed. `change` is the newest number that told of it."""

    fields: dict[str, Any]
    marked: set[str]
    revision: int = 1
    change: int = 0
    generation: int | None = None
    """The one in which the server last showed it; None: it does not know it."""
    refused: str | None = None
    shadow: ChatChange | ProjectChange | None = None

    def edit(self, name: str, value: Any) -> None:
        self.fields[name] = value
        self.mark((name,))

    def mark(self, names: Any) -> None:
        self.marked.update(names)
        self.revision += 1
        self.refused = None

    def confirm(
        self, edit: ChatEdit | ProjectEdit, refusal: str | None, generation: int, saved: int | None
    ) -> None:
        """The server's word on an edit, which it saved at change number `saved`, None where that is not told.

        What somebody else saved after it was held back while the edit waited, and wins now.
        """
        if refusal is None:
            self.generation = generation
        if self.revision != edit.revision:
            return
        self.refused = refusal
        if refusal is not None:
            return
        newer, self.shadow = self.shadow, None
        if newer is not None and saved is None:
            self.revision += 1
            return
        self.marked.clear()
        if newer is not None and saved is not None and newer.change > saved:
            for name in self.fields:
                self.fields[name] = getattr(newer, name)

    def take(self, change: ChatChange | ProjectChange, generation: int) -> None:
        """Every field without an edit here, unless newer news are known."""
        if self.generation == generation and change.change < self.change:
            return
        self.change, self.generation = change.change, generation
        self.shadow = change if self.marked else None
        for name in self.fields:
            if name not in self.marked:
                self.fields[name] = getattr(change, name)

    def unsent(self) -> dict[str, Any]:
        return {name: self.fields[name] for name in self.fields if name in self.marked}


@dataclass(slots=True)
class LocalChat:
    """A chat with its messages. `held` are the numbers that are here, tombstones and the server's side of conflicts too."""

    owner: AccountId
    row: Edited
    messages: dict[MessageId, LocalMessage] = field(default_factory=dict)
    held: dict[int, MessageId] = field(default_factory=dict)
    context: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    last: int = 0
    differed: int | None = None
    suspect: bool = False

    @property
    def deleted(self) -> bool:
        return bool(self.row.fields["deleted"])

    @property
    def missing(self) -> int:
        return self.last - len(self.held)

    def hold(self, number: int, message_id: MessageId) -> None:
        self.held[number] = message_id
        self.last = max(self.last, number)


@dataclass(slots=True)
class Side:
    """One account's side of a device."""

    cursor: Cursor = field(default_factory=Cursor)
    opened: bool = False
    generation: int = 0
    recovering: bool = False
    pulls: int = 0
    projects: dict[ProjectId, Edited] = field(default_factory=dict)
    usage: set[tuple[ChatId, MessageId]] = field(default_factory=set)
    snapshots: dict[ProjectId, str] = field(default_factory=dict)
    errands: list[Errand] = field(default_factory=list)
    refused_errands: list[tuple[Errand, str]] = field(default_factory=list)
