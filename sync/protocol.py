"""The wire's names and limits, shared by the client's engine and the one-machine server."""

from enum import StrEnum
from typing import Final


class Rpc(StrEnum):
    """The functions that a client calls as `POST /rest/v1/rpc/<name>`."""

    SAVE_PROJECTS = "save_projects"
    SAVE_CHATS = "save_chats"
    APPEND_MESSAGES = "append_messages"
    LIST_MESSAGES = "list_messages"
    COUNT_MESSAGES = "count_messages"
    PULL_CHANGES = "pull_changes"
    CHAT_HEADS = "chat_heads"
    PUSH_CHANGES = "push_changes"
    PULL_SUMMARY = "pull_summary"
    PULL_HISTORY = "pull_history"
    DELETE_MESSAGES = "delete_messages"
    CLEAR_CHAT = "clear_chat"
    PIN_CONTEXT = "pin_context"
    UNPIN_CONTEXT = "unpin_context"
    SAVE_SNAPSHOT = "save_snapshot"
    GET_SNAPSHOT = "get_snapshot"


APPEND_MAX_MESSAGES: Final = 500
APPEND_MAX_BYTES: Final = 4 * 1024 * 1024

PUSH_MAX_PROJECTS: Final = 500
PUSH_MAX_CHATS: Final = 500
PUSH_MAX_BATCHES: Final = 500
PUSH_MAX_MESSAGES: Final = 1_000
"""Messages of all batches together. A push's whole request has the limit of an append, in PostgreSQL's own writing."""

# What a client puts into one push: hosted projects name no body limit, so it stays well under a megabyte.
PUSH_MAX_BYTES: Final = 900_000

MESSAGE_MAX_BYTES: Final = 1024 * 1024
MESSAGE_MAX_NESTING: Final = 64
PULL_MAX_CHANGES: Final = 5_000
HISTORY_MAX_HOLES: Final = 200
HISTORY_MAX_MESSAGES: Final = 1_000
LIST_MAX_MESSAGES: Final = 200

# Hosted projects cut the answer of a table-returning function here without a word.
MAX_ROWS: Final = 1_000

# A function's message travels with the JSON around it, hence more than APPEND_MAX_BYTES.
REQUEST_MAX_BYTES: Final = 8 * 1024 * 1024

POKE_EVENT: Final = "changed"
"""The broadcast event whose payload is `{"head": n}`, at most one per transaction."""


def poke_topic(user_id: str) -> str:
    """The private realtime topic on which a user's devices hear of changes."""
    return f"user:{user_id}"
