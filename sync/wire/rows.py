"""The server's rows, one model for each kind of change; fields of later versions are passed over."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from storage.records import MessageStatus, Part, Role

MAX_NUMBER: Final = 2**63 - 1

Count = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


class ChatRow(BaseModel):
    """A chat. Older servers leave out how far its messages go."""

    chat_id: str
    title: str | None = None
    project_id: str | None = None
    model: str | None = None
    pinned: bool = False
    archived: bool = False
    deleted: bool = False
    created_at: str
    updated_at: str = ""
    last_sequence_num: Count = 0


class ProjectRow(BaseModel):
    """A project."""

    project_id: str
    name: str | None = None
    description: str | None = None
    status: str = "draft"
    url_id: str | None = None
    deleted: bool = False
    created_at: str
    updated_at: str


class MessageRow(BaseModel):
    """A message; a deleted one has no content."""

    chat_id: str
    message_id: str
    sequence_num: Number
    role: Role
    content: list[Part] | None = None
    annotations: Any | None = None
    turn_id: str | None = None
    status: MessageStatus = MessageStatus.COMPLETE
    revision: int = 0
    created_at: str
    deleted_at: str | None = None


class SnapshotRow(BaseModel):
    """A project's saved files without the files."""

    project_id: str
    content_hash: str
    octets: Count
    revision: Count = 0
    updated_at: str


class ContextRow(BaseModel):
    """A resource pinned to a chat."""

    chat_id: str
    source: str
    kind: str
    name: str | None = None
    status: str = "ok"
    reason: str | None = None
    body: str | None = None
    source_hash: str | None = None
    content_hash: str
    octets: Count
    deleted: bool = False
    created_at: str
    updated_at: str


class UsageRow(BaseModel):
    """What a reply cost."""

    chat_id: str
    message_id: str
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0
    cost_micros: Count | None = None
    models: Any | None = None
    truncated: bool = False
    created_at: str
