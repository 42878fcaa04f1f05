"""What is sent, as the server's functions take it: only the fields that changed, and message ids from this device."""

from typing import Any, Final, NamedTuple

from storage.exchange import Batch, ChatEdit, Errand, ErrandKind, Parcel, ProjectEdit
from storage.records import Message
from sync.protocol import Rpc


class _Order(NamedTuple):
    function: Rpc
    subject: str


ORDERS: Final = {
    ErrandKind.DELETE_MESSAGES: _Order(Rpc.DELETE_MESSAGES, "p_chat_id"),
    ErrandKind.CLEAR_CHAT: _Order(Rpc.CLEAR_CHAT, "p_chat_id"),
    ErrandKind.PIN_CONTEXT: _Order(Rpc.PIN_CONTEXT, "p_chat_id"),
    ErrandKind.UNPIN_CONTEXT: _Order(Rpc.UNPIN_CONTEXT, "p_chat_id"),
    ErrandKind.SAVE_SNAPSHOT: _Order(Rpc.SAVE_SNAPSHOT, "p_project_id"),
}
"""The function that runs an errand, and the argument that its subject is."""


def push_arguments(parcel: Parcel) -> dict[str, Any]:
    """A parcel as `push_changes` takes it."""
    return {
        "p_projects": [project_json(edit) for edit in parcel.projects],
        "p_chats": [chat_json(edit) for edit in parcel.edits],
        "p_batches": [{"chat_id": batch.chat_id, "messages": batch_json(batch)} for batch in parcel.batches],
    }


def errand_arguments(errand: Errand) -> dict[str, Any]:
    """An errand's subject and body as its function takes them; the body has the function's own names, with their p_."""
    return {ORDERS[errand.kind].subject: errand.subject, **errand.body}


def project_json(edit: ProjectEdit) -> dict[str, Any]:
    """A project as `save_projects` takes it."""
    return {"project_id": edit.project_id, **edit.fields}


def chat_json(edit: ChatEdit) -> dict[str, Any]:
    """A chat as `save_chats` takes it."""
    return {"chat_id": edit.chat_id, **edit.fields}


def batch_json(batch: Batch) -> list[dict[str, Any]]:
    """Messages as `append_messages` takes them."""
    return [_message_json(message) for message in batch.messages]


def _message_json(message: Message) -> dict[str, Any]:
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
