"""The server's verdicts, parsed at the border into the store's records; what they hold beyond that is ignored."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from storage.exchange import (
    Batch,
    BatchFault,
    BatchVerdict,
    ChatChange,
    ChatEdit,
    ChatVerdict,
    Errand,
    ErrandKind,
    ErrandVerdict,
    Head,
    Parcel,
    ProjectChange,
    ProjectEdit,
    ProjectVerdict,
    Receipt,
    Span,
    Verdict,
    VerdictStatus,
)
from storage.records import ChatId, MessageId, ProjectId
from sync.wire.bodies import parsed_object, parsed_rows
from sync.wire.changes import Epoch, records
from sync.wire.replies import unreadable
from sync.wire.rows import MAX_NUMBER, Count

Saving = Literal["saved", "rejected"]
Row = TypeVar("Row")


class _ChatVerdictRow(BaseModel):
    chat_id: str
    status: Saving
    reason: str | None = None


class _ProjectVerdictRow(BaseModel):
    project_id: str
    status: Saving
    reason: str | None = None


class _BatchRow(BaseModel):
    chat_id: str
    fault: BatchFault | None = None
    verdicts: list[Any] = []


class _Push(BaseModel):
    epoch: Epoch
    before: Count
    head: Count
    projects: list[_ProjectVerdictRow]
    chats: list[_ChatVerdictRow]
    batches: list[_BatchRow]
    changes: list[Any]


class _HeadRow(BaseModel):
    chat_id: str
    last_sequence_num: Count
    message_count: Count
    digest: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class _ErrandRow(BaseModel):
    status: str
    reason: str | None = None


class _Cleared(BaseModel):
    more: bool


_CHAT_VERDICTS: Final = TypeAdapter(list[_ChatVerdictRow])
_PROJECT_VERDICTS: Final = TypeAdapter(list[_ProjectVerdictRow])
_HEADS: Final = TypeAdapter(list[_HeadRow])
_ERRAND_ROWS: Final = TypeAdapter(list[_ErrandRow])
_STATUSES: Final = {status.value: status for status in VerdictStatus}

REFUSING: Final = frozenset({"rejected", "conflict"})
"""What a row of an errand's answer says when nothing was done."""


def verdicts(body: bytes, batch: Batch) -> tuple[Verdict, ...]:
    """Exactly one verdict for each message of the batch, in its order, or UpdateNeeded."""
    return _verdicts(parsed_rows(body), batch)


def chat_verdicts(body: bytes, edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
    """Exactly one verdict for each edited chat, in their order, or UpdateNeeded."""
    return _chat_verdicts(_CHAT_VERDICTS.validate_python(parsed_rows(body)), edits)


def project_verdicts(body: bytes, edits: Sequence[ProjectEdit]) -> tuple[ProjectVerdict, ...]:
    """Exactly one verdict for each edited project, in their order, or UpdateNeeded."""
    return _project_verdicts(_PROJECT_VERDICTS.validate_python(parsed_rows(body)), edits)


def receipt(body: bytes, parcel: Parcel) -> Receipt:
    """Exactly one verdict for everything in the parcel, in its order, or UpdateNeeded."""
    push = _Push.model_validate(parsed_object(body, "epoch"))
    if push.head < push.before:
        raise unreadable()
    batches = _each([(row.chat_id, row) for row in push.batches], [batch.chat_id for batch in parcel.batches])
    changes = records(push.changes)
    return Receipt(
        projects=_project_verdicts(push.projects, parcel.projects),
        chats=_chat_verdicts(push.chats, parcel.edits),
        batches=tuple(_batch_verdict(row, batch) for row, batch in zip(batches, parcel.batches, strict=True)),
        changes=tuple(each for each in changes if isinstance(each, ChatChange | ProjectChange)),
        span=Span(push.epoch, push.before, push.head),
    )


def heads(body: bytes) -> tuple[Head, ...]:
    """A page of heads, in the server's order."""
    rows = _HEADS.validate_python(parsed_rows(body))
    return tuple(
        Head(ChatId(row.chat_id), row.last_sequence_num, row.message_count, row.digest) for row in rows
    )


def errand_verdict(body: bytes, errand: Errand) -> ErrandVerdict:
    """What became of an errand; of several items the first that was refused gives the reason."""
    match errand.kind:
        case ErrandKind.CLEAR_CHAT:
            return ErrandVerdict(True, None, _Cleared.model_validate(parsed_object(body, "more")).more)
        case ErrandKind.SAVE_SNAPSHOT:
            return _errand_verdict([_ErrandRow.model_validate(parsed_object(body, "status"))])
        case ErrandKind.DELETE_MESSAGES | ErrandKind.UNPIN_CONTEXT:
            # Only what the server never had is refused: it is not there, as was asked for.
            _ERRAND_ROWS.validate_python(parsed_rows(body))
            return ErrandVerdict(True, None)
        case ErrandKind.PIN_CONTEXT:
            return _errand_verdict(_ERRAND_ROWS.validate_python(parsed_rows(body)))


def _errand_verdict(rows: Sequence[_ErrandRow]) -> ErrandVerdict:
    refused = next((row for row in rows if row.status in REFUSING), None)
    return ErrandVerdict(True, None) if refused is None else ErrandVerdict(False, refused.reason)


def _verdicts(rows: Sequence[object], batch: Batch) -> tuple[Verdict, ...]:
    found = [_verdict(row) for row in rows]
    asked = [message.message_id for message in batch.messages]
    return tuple(_each([(each.message_id, each) for each in found], asked))


def _verdict(row: object) -> Verdict:
    # By hand: a receipt holds a thousand of these, and models for them would take more time than all the rest of it.
    if not isinstance(row, dict):
        raise unreadable()
    message_id, number, reason = row.get("message_id"), row.get("sequence_num"), row.get("reason")
    status = _status(row.get("status"))
    if number is None:
        fits = status is VerdictStatus.REJECTED
    else:
        fits = type(number) is int and 1 <= number <= MAX_NUMBER
    if not (fits and isinstance(message_id, str) and isinstance(reason, str | None)):
        raise unreadable()
    return Verdict(MessageId(message_id), status, number, reason)


def _status(word: object) -> VerdictStatus:
    status = _STATUSES.get(word) if isinstance(word, str) else None
    if status is None:
        raise unreadable()
    return status


def _chat_verdicts(rows: Sequence[_ChatVerdictRow], edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
    ordered = _each([(row.chat_id, row) for row in rows], [edit.chat_id for edit in edits])
    return tuple(ChatVerdict(ChatId(row.chat_id), row.status == "saved", row.reason) for row in ordered)


def _project_verdicts(
    rows: Sequence[_ProjectVerdictRow], edits: Sequence[ProjectEdit]
) -> tuple[ProjectVerdict, ...]:
    ordered = _each([(row.project_id, row) for row in rows], [edit.project_id for edit in edits])
    return tuple(
        ProjectVerdict(ProjectId(row.project_id), row.status == "saved", row.reason) for row in ordered
    )


def _batch_verdict(row: _BatchRow, batch: Batch) -> BatchVerdict:
    if row.fault is not None:
        return BatchVerdict(batch.chat_id, row.fault, ())
    return BatchVerdict(batch.chat_id, None, _verdicts(row.verdicts, batch))


def _each(answered: Sequence[tuple[str, Row]], asked: Sequence[str]) -> list[Row]:
    """Exactly one row for each that was asked for, in that order."""
    by_id = dict(answered)
    if len(answered) != len(by_id) or len(asked) != len(by_id) or set(by_id) != set(asked):
        raise unreadable()
    return [by_id[each] for each in asked]
