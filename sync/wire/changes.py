"""Pages of changes and of history, read into the store's records; kinds of later versions are passed over."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from storage.clock import rfc3339
from storage.exchange import (
    Change,
    ChangePage,
    ChatChange,
    ContextChange,
    HistoryPage,
    MessageChange,
    ProjectChange,
    SnapshotChange,
    UsageChange,
)
from storage.records import ChatId, Hole, MessageId, ProjectId
from sync.wire.bodies import parsed_object
from sync.wire.replies import unreadable
from sync.wire.rows import (
    MAX_NUMBER,
    ChatRow,
    ContextRow,
    Count,
    MessageRow,
    Number,
    ProjectRow,
    SnapshotRow,
    UsageRow,
)

Epoch = Annotated[str, Field(min_length=1)]


class _Pull(BaseModel):
    epoch: Epoch
    cursor: Count
    head: Count
    more: bool
    reset: bool
    changes: list[Any]


class _Covered(BaseModel):
    chat_id: str
    first: Number
    last: Number


class _History(BaseModel):
    epoch: Epoch
    changes: list[Any]
    covered: list[_Covered]


def change_page(body: bytes) -> ChangePage:
    """One pull. The cursor passes over changes of a kind unknown here."""
    page = _Pull.model_validate(parsed_object(body, "epoch"))
    return ChangePage(page.epoch, page.cursor, page.head, page.more, page.reset, records(page.changes))


def history_page(body: bytes) -> HistoryPage:
    """Messages out of holes."""
    page = _History.model_validate(parsed_object(body, "epoch"))
    covered = tuple(Hole(ChatId(hole.chat_id), hole.first, hole.last) for hole in page.covered)
    messages = tuple(each for each in records(page.changes) if isinstance(each, MessageChange))
    return HistoryPage(page.epoch, messages, covered)


def records(changes: Sequence[object]) -> tuple[Change, ...]:
    """The changes that this version knows, in their order."""
    return tuple(record for record in map(_record, changes) if record is not None)


def _record(item: object) -> Change | None:
    # By hand: a page holds thousands of these, and a model for each would take half as long as its row.
    if not isinstance(item, dict):
        raise unreadable()
    change, kind = item.get("change"), item.get("kind")
    if type(change) is not int or not 0 <= change <= MAX_NUMBER or not isinstance(kind, str):
        raise unreadable()
    reader = _READERS.get(kind)
    return reader(change, item.get("row")) if reader else None


def _chat(change: int, item: object) -> ChatChange:
    row = ChatRow.model_validate(item)
    return ChatChange(
        change=change,
        chat_id=ChatId(row.chat_id),
        title=row.title or "",
        project_id=row.project_id,
        model=row.model,
        pinned=row.pinned,
        archived=row.archived,
        deleted=row.deleted,
        created_at=moment(row.created_at),
        last_sequence_num=row.last_sequence_num,
        updated_at=moment(row.updated_at) if row.updated_at else "",
    )


def _project(change: int, item: object) -> ProjectChange:
    row = ProjectRow.model_validate(item)
    return ProjectChange(
        change=change,
        project_id=ProjectId(row.project_id),
        name=row.name or "",
        description=row.description or "",
        status=row.status,
        url_id=row.url_id,
        deleted=row.deleted,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
    )


def _message(change: int, item: object) -> MessageChange:
    row = MessageRow.model_validate(item)
    return MessageChange(
        change=change,
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
        created_at=moment(row.created_at),
    )


def _snapshot(change: int, item: object) -> SnapshotChange:
    row = SnapshotRow.model_validate(item)
    return SnapshotChange(
        change=change,
        project_id=ProjectId(row.project_id),
        content_hash=row.content_hash,
        octets=row.octets,
        revision=row.revision,
        updated_at=moment(row.updated_at),
    )


def _context(change: int, item: object) -> ContextChange:
    row = ContextRow.model_validate(item)
    return ContextChange(
        change=change,
        chat_id=ChatId(row.chat_id),
        source=row.source,
        kind=row.kind,
        name=row.name or "",
        status=row.status,
        reason=row.reason,
        body=row.body or "",
        source_hash=row.source_hash,
        content_hash=row.content_hash,
        octets=row.octets,
        deleted=row.deleted,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
    )


def _usage(change: int, item: object) -> UsageChange:
    row = UsageRow.model_validate(item)
    return UsageChange(
        change=change,
        chat_id=ChatId(row.chat_id),
        message_id=MessageId(row.message_id),
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        total_tokens=row.total_tokens,
        cost_micros=row.cost_micros,
        models=row.models,
        truncated=row.truncated,
        created_at=moment(row.created_at),
    )


_READERS: Final[Mapping[str, Callable[[int, object], Change]]] = {
    "chat": _chat,
    "project": _project,
    "message": _message,
    "snapshot": _snapshot,
    "context": _context,
    "usage": _usage,
}


def moment(text: str) -> str:
    """A time in the store's own form, so that a message reads the same on the device that wrote it."""
    # PostgreSQL's own writing, taken apart several times as fast as it is understood.
    if text.endswith("+00:00"):
        seconds, _, fraction = text[:-6].partition(".")
        if len(seconds) == 19 and (not fraction or fraction.isdecimal()):
            return f"{seconds}.{fraction[:3]:0<3}Z"
    try:
        return rfc3339(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text
