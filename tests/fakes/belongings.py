"""Gives somebody rows of every kind, by the API functions that exist in a database of any age."""

import uuid
from typing import Any

import psycopg

from tests.fakes.bad_input import Known
from tests.fakes.functions import functions


def furnish(connection: psycopg.Connection, words: str = "words") -> Known:
    """Chats, messages, tombstones, turns that ended and that run, a fork, a project, a snapshot, a pinned document.

    The connection is that of a signed-in person, and the words are in every row that can hold some. Calls whose function does not exist yet are left out.
    """
    api = functions(connection)

    def call(name: str, **arguments: object) -> list[tuple[Any, ...]]:
        return api[name].run(connection, arguments) if name in api else []

    chat, gone, fork, project = (str(uuid.uuid4()) for _ in range(4))
    ended, running, lease = f"ended {chat}", f"running {chat}", str(uuid.uuid4())
    ids = tuple(f"{name} {chat}" for name in ("question", "reply", "extra", "asked", "told", "asks", "tells"))
    question, reply, extra, asked, told, asks, tells = ids

    call("save_projects", p_projects=[{"project_id": project, "name": words, "status": "draft"}])
    call("save_chats", p_chats=[{"chat_id": chat, "title": words, "project_id": project}, {"chat_id": gone}])
    for each in (chat, gone):
        call(
            "append_messages",
            p_chat_id=each,
            p_messages=[_said(words, question), _said(words, reply), _said(words, extra)],
        )
    call("delete_messages", p_chat_id=chat, p_message_ids=[extra])
    call("clear_chat", p_chat_id=gone, p_through=1)
    turn = {"p_chat_id": chat, "p_turn_id": ended, "p_lease_id": lease}
    call("begin_turn", **turn, p_user=_said(words, asked), p_assistant={"message_id": told})
    call("checkpoint_turn", **turn, p_checkpoint=1, p_content=words)
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost_micros": 4}
    call("finish_turn", **turn, p_status="complete", p_content=words, p_usage=usage)
    turn |= {"p_turn_id": running}
    call("begin_turn", **turn, p_user=_said(words, asks), p_assistant={"message_id": tells})
    call("fork_chat", p_chat_id=chat, p_new_chat_id=fork, p_through=2)
    document = {"kind": "instruction_file", "name": words, "status": "ok", "body": words}
    resources = [{"source": "AGENTS.md"} | document, {"source": "OLD.md"} | document]
    call("pin_context", p_chat_id=chat, p_resources=resources)
    call("unpin_context", p_chat_id=chat, p_sources=["OLD.md"])
    saved = call("save_snapshot", p_project_id=project, p_snapshot={"files": {"a.txt": {"content": words}}})
    call("save_chats", p_chats=[{"chat_id": gone, "deleted": True}, {"chat_id": chat, "read_upto": 2}])
    return Known(
        chats=(chat, fork, gone),
        messages=ids,
        turns=(ended, running),
        leases=(lease,),
        projects=(project,),
        sources=("AGENTS.md", "OLD.md"),
        hashes=tuple(row[0]["content_hash"] for row in saved),
    )


def example(name: str, known: Known) -> Any:
    """A value for a parameter that names what is known. KeyError for a parameter nobody thought of: add it here."""
    chat, _, gone = known.chats
    reply = {"message_id": f"new {chat}", "annotations": {"stars": 1}}
    return {
        "p_chat_id": chat,
        "p_new_chat_id": gone,
        "p_project_id": known.projects[0],
        "p_turn_id": known.turns[1],
        "p_lease_id": known.leases[0],
        "p_chats": [{"chat_id": chat, "title": "Mine", "project_id": known.projects[0]}],
        "p_projects": [{"project_id": known.projects[0], "name": "Mine"}],
        "p_messages": [_said("other words", known.messages[0]) | {"turn_id": known.turns[0]}],
        "p_batches": [
            {"chat_id": chat, "messages": [_said("more words", f"pushed {chat}")]},
            {"chat_id": gone, "messages": [_said("more words", "too late")]},
        ],
        "p_holes": [{"chat_id": chat, "first": 1, "last": 3}],
        "p_message_ids": list(known.messages[:2]),
        "p_resources": [
            {"source": known.sources[0], "kind": "skill", "name": "x", "status": "ok", "body": "x"}
        ],
        "p_sources": list(known.sources),
        "p_snapshot": {"files": {"a.txt": {"content": "mine"}}},
        "p_user": _said("asked", f"asked {chat}"),
        "p_assistant": reply,
        "p_checkpoint": 7,
        "p_content": "more words",
        "p_status": "complete",
        "p_through": 1,
        "p_before": 2,
        "p_limit": 10,
        "p_after": None,
        "p_epoch": None,
        "p_cursor": 0,
        "p_annotations": None,
        "p_usage": {"total_tokens": 7},
        "p_title": "Mine",
        "p_lease_seconds": 60,
        "p_expected_hash": None,
    }[name]


def _said(words: str, message_id: str) -> dict[str, object]:
    return {"message_id": message_id, "role": "user", "content": words}
