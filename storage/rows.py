"""Rows to records and back."""

import json
from collections.abc import Iterable
from typing import Any, Final

from storage.checksums import fits
from storage.records import Chat, ChatId, Message, MessageId, MessageStatus, Part, Role, SyncState

MESSAGE: Final = (
    "chat_id, message_id, sequence_num, role, content, annotations, turn_id, status, sync_state, sync_error, "
    "created_at, checksum, local_order"
)
CHAT: Final = (
    "c.chat_id, c.account_id, c.title, c.project_id, c.model, c.pinned, c.archived, c.deleted_at, d.text, "
    "c.created_at, c.updated_at, c.pending, c.rejected, c.sync_error, c.missing, c.last_num"
)
_UNREADABLE: Final[Part] = {"type": "status", "code": "error", "text": "This message cannot be read."}


def encode(value: object) -> str:
    """JSON as the store keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def message(row: tuple[Any, ...]) -> Message:
    """From the columns of MESSAGE."""
    (
        chat_id,
        message_id,
        number,
        role,
        content,
        annotations,
        turn_id,
        status,
        state,
        error,
        at,
        kept,
        order,
    ) = row
    whole = fits(kept, message_id, role, content, annotations)
    return Message(
        ChatId(chat_id),
        MessageId(message_id),
        number,
        Role(role),
        _parts(content) if whole else (_UNREADABLE,),
        _annotations(annotations) if whole else None,
        turn_id,
        MessageStatus(status),
        SyncState(state),
        error,
        at,
        order,
    )


def is_readable(row: tuple[Any, ...]) -> bool:
    """Whether a row with the columns of MESSAGE is what was written. Another one must never reach the server."""
    _, message_id, _, role, content, annotations, *_, kept, _ = row
    return fits(kept, message_id, role, content, annotations) and _parts(content) != (_UNREADABLE,)


def messages(rows: Iterable[tuple[Any, ...]]) -> tuple[Message, ...]:
    """From rows with the columns of MESSAGE."""
    return tuple(message(row) for row in rows)


def chat(row: tuple[Any, ...]) -> Chat:
    """From the columns of CHAT, of chats `c` and drafts `d`."""
    (chat_id, account_id, title, project_id, model, pinned, archived, deleted_at, draft, *rest) = row
    created_at, updated_at, pending, rejected, sync_error, missing, last_num = rest
    return Chat(
        chat_id,
        account_id,
        title,
        project_id,
        model,
        bool(pinned),
        bool(archived),
        deleted_at is not None,
        draft or "",
        created_at,
        updated_at,
        pending,
        rejected,
        sync_error,
        missing,
        last_num,
    )


def _parts(content: str) -> tuple[Part, ...]:
    # What another program wrote here must not hide the rest of the page.
    try:
        parts = json.loads(content)
    except ValueError:
        return (_UNREADABLE,)
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return (_UNREADABLE,)
    return tuple(parts)


def _annotations(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
