"""Rows to records and back."""

import json
from collections.abc import Iterable, Sequence
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
UNREADABLE: Final[tuple[Part, ...]] = (
    {"type": "status", "code": "error", "text": "This message cannot be read."},
)
"""Stands for content that is not what was written. It must never reach a server."""


# Damage may have left any value in a column.
_ROLES: Final = {role.value: role for role in Role}
_STATUSES: Final = {status.value: status for status in MessageStatus}
_STATES: Final = {state.value: state for state in SyncState}


def encode(value: object) -> str:
    """JSON as the store keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def marks(values: Sequence[object]) -> str:
    """A placeholder for each value."""
    return ", ".join("?" * len(values))


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
    whole = fits(kept, message_id, role, content, annotations) and role in _ROLES and status in _STATUSES
    return Message(
        ChatId(chat_id),
        MessageId(message_id),
        number,
        _ROLES.get(role, Role.USER),
        _parts(content) if whole else UNREADABLE,
        _annotations(annotations) if whole else None,
        turn_id,
        _STATUSES.get(status, MessageStatus.ERROR),
        _STATES.get(state, SyncState.SYNCED),
        error,
        at,
        order,
    )


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
        return UNREADABLE
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return UNREADABLE
    return tuple(parts)


def _annotations(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
