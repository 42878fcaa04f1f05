"""What a server of this version must offer: its functions, each with a call that has no effect, and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SCHEMA_VERSION: Final = "20261121160900"
"""The newest migration when this version of Homing was made."""

NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
"""The id of a chat, project or person that is nobody's."""

ROWS: Final = "rows"
NUMBER: Final = "a number"
OBJECT: Final = "an object"
NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Probe:
    """A call that changes nothing, with every argument by name, and the answer to it: a shape or an SQLSTATE."""

    function: str
    arguments: Mapping[str, Any]
    answer: str


_TURN: Final = {"p_chat_id": NOWHERE, "p_turn_id": "doctor", "p_lease_id": NOWHERE}

PROBES: Final = (
    Probe("save_chats", {"p_chats": []}, ROWS),
    Probe("save_projects", {"p_projects": []}, ROWS),
    Probe("append_messages", {"p_chat_id": NOWHERE, "p_messages": []}, "PT404"),
    Probe("list_messages", {"p_chat_id": NOWHERE, "p_before": None, "p_limit": 1}, ROWS),
    Probe("count_messages", {"p_chat_id": NOWHERE}, NUMBER),
    Probe("delete_messages", {"p_chat_id": NOWHERE, "p_message_ids": []}, "PT404"),
    Probe("clear_chat", {"p_chat_id": NOWHERE, "p_through": 1}, "PT404"),
    Probe(
        "fork_chat",
        {"p_chat_id": NOWHERE, "p_new_chat_id": NOWHERE, "p_through": None, "p_title": None},
        "PT4",
    ),
    Probe("pull_changes", {"p_epoch": None, "p_cursor": 0, "p_limit": 1}, OBJECT),
    Probe("pull_summary", {"p_epoch": None, "p_cursor": 0, "p_limit": 1}, OBJECT),
    Probe("pull_history", {"p_holes": [], "p_limit": 1}, OBJECT),
    Probe("push_changes", {"p_projects": [], "p_chats": [], "p_batches": []}, OBJECT),
    Probe("chat_heads", {"p_after": None, "p_limit": 1}, ROWS),
    Probe(
        "begin_turn",
        {**_TURN, "p_user": None, "p_assistant": {"message_id": "doctor"}, "p_lease_seconds": 1},
        "PT404",
    ),
    Probe(
        "checkpoint_turn",
        {**_TURN, "p_checkpoint": 1, "p_content": None, "p_annotations": None},
        "PT404",
    ),
    Probe(
        "finish_turn",
        {**_TURN, "p_status": "complete", "p_content": [], "p_annotations": None, "p_usage": None},
        "PT404",
    ),
    Probe("save_snapshot", {"p_project_id": NOWHERE, "p_snapshot": None, "p_expected_hash": None}, "PT4"),
    Probe("get_snapshot", {"p_project_id": NOWHERE}, "PT404"),
    Probe("pin_context", {"p_chat_id": NOWHERE, "p_resources": []}, "PT404"),
    Probe("unpin_context", {"p_chat_id": NOWHERE, "p_sources": []}, "PT404"),
    Probe("server_check", {}, ROWS),
)

TABLES: Final = (
    "append_counters",
    "chat_context",
    "chats",
    "message_usage",
    "messages",
    "owner_heads",
    "project_snapshots",
    "projects",
    "turn_leases",
)
"""Every one has a column `owner_id`."""


def shape(data: object) -> str:
    """What kind of answer this is."""
    if data is None:
        return NOTHING
    if isinstance(data, list):
        return ROWS
    return NUMBER if isinstance(data, int) and not isinstance(data, bool) else OBJECT
