"""The server's answers, parsed at the border into the store's records; what they hold beyond that is ignored."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, TypeAdapter

from storage.clock import rfc3339
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
from storage.records import ChatId, Message, MessageId, MessageStatus, Part, Role
from sync.errors import Unreachable
from sync.wire.replies import unreadable

MAX_CHANGE = 2**63 - 1

Count = Annotated[int, Field(ge=0, le=MAX_CHANGE)]


class _VerdictRow(BaseModel):
    message_id: str
    status: VerdictStatus
    sequence_num: Annotated[int, Field(ge=1, le=MAX_CHANGE)] | None = None
    reason: str | None = None


class _ChatVerdictRow(BaseModel):
    chat_id: str
    status: Literal["saved", "rejected"]
    reason: str | None = None


class _ChatRow(BaseModel):
    chat_id: str
    title: str | None = None
    project_id: str | None = None
    model: str | None = None
    pinned: bool = False
    archived: bool = False
    deleted: bool = False
    created_at: str


class _MessageRow(BaseModel):
    chat_id: str
    message_id: str
    sequence_num: Annotated[int, Field(ge=1, le=MAX_CHANGE)]
    role: Role
    content: list[Part] | None = None
    annotations: Any | None = None
    turn_id: str | None = None
    status: MessageStatus = MessageStatus.COMPLETE
    revision: int = 0
    created_at: str
    deleted_at: str | None = None


class _Chat(BaseModel):
    change: Count
    row: _ChatRow


class _Message(BaseModel):
    change: Count
    row: _MessageRow


class _Later(BaseModel):
    """A kind of change that a later version knows."""

    change: Count


def _kind(change: object) -> str:
    kind = change.get("kind") if isinstance(change, dict) else None
    return kind if kind in ("chat", "message") else "later"


_Change = Annotated[
    Annotated[_Chat, Tag("chat")] | Annotated[_Message, Tag("message")] | Annotated[_Later, Tag("later")],
    Discriminator(_kind),
]


class _Changes(BaseModel):
    epoch: Annotated[str, Field(min_length=1)]
    cursor: Count
    head: Count
    more: bool
    reset: bool
    changes: list[_Change]


_VERDICTS: TypeAdapter[list[_VerdictRow]] = TypeAdapter(list[_VerdictRow])
_CHAT_VERDICTS: TypeAdapter[list[_ChatVerdictRow]] = TypeAdapter(list[_ChatVerdictRow])
_CHANGES: TypeAdapter[_Changes] = TypeAdapter(_Changes)


def message_json(message: Message) -> dict[str, Any]:
    """A message as `append_messages` takes it."""
    row: dict[str, Any] = {
        "message_id": message.message_id,
        "role": message.role.value,
        "content": message.content,
        "created_at": message.created_at,
    }
    if message.annotations is not None:
        row["annotations"] = message.annotations
    if message.turn_id is not None:
        row["turn_id"] = message.turn_id
    return row


def verdicts(answer: object, batch: Batch) -> tuple[Verdict, ...]:
    """Exactly one verdict for each message of the batch, in its order, or UpdateNeeded."""
    rows = _VERDICTS.validate_python(_json(answer))
    if any(row.sequence_num is None and row.status is not VerdictStatus.REJECTED for row in rows):
        raise unreadable()
    by_id = {row.message_id: row for row in rows}
    _require_each(by_id, len(rows), [message.message_id for message in batch.messages])
    return tuple(_verdict(by_id[message.message_id]) for message in batch.messages)


def chat_verdicts(answer: object, edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
    """Exactly one verdict for each edited chat, in their order, or UpdateNeeded."""
    rows = _CHAT_VERDICTS.validate_python(_json(answer))
    by_id = {row.chat_id: row for row in rows}
    _require_each(by_id, len(rows), [edit.chat_id for edit in edits])
    return tuple(_chat_verdict(by_id[edit.chat_id]) for edit in edits)


def change_page(answer: object) -> ChangePage:
    """One pull. Changes of a kind unknown here are left out, and the cursor passes over them."""
    page = _CHANGES.validate_python(_json(answer))
    return ChangePage(
        epoch=page.epoch,
        cursor=page.cursor,
        head=page.head,
        more=page.more,
        reset=page.reset,
        changes=tuple(_record(change) for change in page.changes if not isinstance(change, _Later)),
    )


def _verdict(row: _VerdictRow) -> Verdict:
    return Verdict(MessageId(row.message_id), row.status, row.sequence_num, row.reason)


def _chat_verdict(row: _ChatVerdictRow) -> ChatVerdict:
    return ChatVerdict(ChatId(row.chat_id), row.status == "saved", row.reason)


def _record(change: _Chat | _Message) -> ChatChange | MessageChange:
    return _chat_change(change) if isinstance(change, _Chat) else _message_change(change)


def _chat_change(change: _Chat) -> ChatChange:
    row = change.row
    return ChatChange(
        change=change.change,
        chat_id=ChatId(row.chat_id),
        title=row.title or "",
        project_id=row.project_id,
        model=row.model,
        pinned=row.pinned,
        archived=row.archived,
        deleted=row.deleted,
        created_at=_moment(row.created_at),
    )


def _message_change(change: _Message) -> MessageChange:
    row = change.row
    return MessageChange(
        change=change.change,
        chat_id=ChatId(row.chat_id),
        message_id=MessageId(row.message_id),
        sequence_num=row.sequence_num,
        role=row.role,
        content=tuple(row.content or ()),
        annotations=row.annotations,
        turn_id=row.turn_id,
        status=row.status,
        revision=row.revision,
        deleted=row.deleted_at is not None,
        created_at=_moment(row.created_at),
    )


def _moment(text: str) -> str:
    """A time in the store's own form, so that a message reads the same on the device that wrote it."""
    try:
        return rfc3339(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


def _json(answer: object) -> object:
    """The official client hands over a body that is no JSON as text."""
    if isinstance(answer, str):
        raise Unreachable("The server's answer is cut off: Homing tries again by itself.")
    return answer


def _require_each(answered: Mapping[str, object], rows: int, asked: Sequence[str]) -> None:
    if rows != len(answered) or set(answered) != set(asked):
        raise unreadable()
