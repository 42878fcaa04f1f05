"""Input that a server must answer with a verdict or a documented error: raw JSON, and strategies for every parameter."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

DOCUMENTED: Final = frozenset({"PT400", "PT404", "PT409", "PT410", "PT413"})
"""What the functions raise for what a signed-in caller did wrong; each has a hint."""

POSTGRES_OWN: Final = frozenset({"22P02", "22P05", "22003", "22008", "22007", "54001"})
"""What PostgreSQL says of values that it cannot read, before a function sees them."""


@dataclass(frozen=True)
class Known:
    """Ids that exist in the database under attack, so that some calls come past the first check."""

    chats: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    hashes: tuple[str, ...] = field(default=("0" * 64,))


HOSTILE: Final[Mapping[str, str]] = {
    "null": "null",
    "a number": "7",
    "a boolean": "true",
    "a string": '"words"',
    "an empty string": '""',
    "an empty object": "{}",
    "an empty list": "[]",
    "a list of lists": "[[[]]]",
    "a list of nulls": "[null, null]",
    "NUL": r'"a\u0000b"',
    "a lone surrogate": r'"\ud800"',
    "a surrogate pair turned round": r'"\udc00\ud800"',
    "NaN": "NaN",
    "infinity": "-Infinity",
    "a number beyond numeric": "1e200000",
    "a number near zero": "-1e-200000",
    "a number beyond bigint": "9" * 40,
    "lists 20,000 deep": "[" * 20_000 + "]" * 20_000,
    "objects 20,000 deep": '{"x":' * 20_000 + "1" + "}" * 20_000,
    "lists 5,000 deep": "[" * 5_000 + "]" * 5_000,
    "numbers that swell to a gigabyte": "[" + ",".join(["1e-16000"] * 70_000) + "]",
    "10 MB of text": '"' + "x" * 10_000_000 + '"',
    "501 objects": "[" + ",".join(["{}"] * 501) + "]",
    "501 ids": "[" + ",".join(f'"{n}"' for n in range(501)) + "]",
    "duplicate keys": '{"message_id": "a", "message_id": "b", "chat_id": 1, "chat_id": 2}',
    "no JSON": "{'a': 1}",
    "half of JSON": '{"a": ',
    "nothing": "",
}
"""JSON texts to put in place of a value. Some are no JSON, some JSON that PostgreSQL refuses."""

_ITEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "p_messages": ("message_id", "role", "content", "annotations", "turn_id", "created_at"),
    "p_chats": ("chat_id", "title", "project_id", "model", "pinned", "deleted", "read_upto", "marked_unread"),
    "p_projects": ("project_id", "name", "description", "status", "url_id", "deleted"),
    "p_resources": ("source", "kind", "name", "body", "status", "reason"),
    "p_batches": ("chat_id", "messages"),
    "p_holes": ("chat_id", "first", "last"),
}
_OBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "p_snapshot": ("files", "summary"),
    "p_user": _ITEMS["p_messages"],
    "p_assistant": ("message_id", "annotations"),
    "p_usage": ("prompt_tokens", "completion_tokens", "total_tokens", "cost_micros", "models", "truncated"),
}


def hostile_values(name: str) -> Iterator[tuple[str, str]]:
    """Labels and JSON texts for a jsonb parameter: each hostile value as a whole, in a list, and as each field."""
    fields = _ITEMS.get(name, ()) or _OBJECTS.get(name, ())
    for label, raw in HOSTILE.items():
        large = len(raw) > 500_000
        yield label, raw
        if not large:
            yield f"[{label}]", f"[{raw}]"
        # The large ones cost too much to be put everywhere.
        for each in fields[:1] if large else fields:
            item = f"{{{json.dumps(each)}: {raw}}}"
            yield f"{each}: {label}", f"[{item}]" if name in _ITEMS else item


ANY_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ANY_JSON: Final[Strategy] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT
    | st.sampled_from(["a\0b", "\ud800", "x" * 200, "1e400"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)
_BY_KIND: Final[Mapping[str, Strategy]] = {
    "uuid": st.none() | st.uuids().map(str),
    "bigint": st.none() | st.integers(-2, 12) | st.sampled_from([-(2**63), 2**63 - 1]),
    "integer": st.none() | st.integers(-2, 12) | st.sampled_from([-(2**31), 2**31 - 1]),
    "boolean": st.none() | st.booleans(),
    "text": st.none() | ANY_TEXT | st.sampled_from(["streaming", "x" * 5_000]),
}
_NEW: Final = "00000000-0000-4000-8000-000000000000"
_NEWER: Final = "ffffffff-ffff-4fff-bfff-ffffffffffff"
_TIMES: Final = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
_PARTS: Final = st.lists(
    st.fixed_dictionaries({"type": ANY_TEXT}, optional={"text": ANY_TEXT | ANY_JSON}), max_size=3
)
_CONTENT: Final = ANY_TEXT | _PARTS


def argument(name: str, kind: str, known: Known) -> Strategy:
    """Values for one parameter: mostly what it asks for, sometimes anything that JSON can say.

    A value for jsonb is what `json.loads` gives; one for another type is None, a bool, an int or a str.
    """
    if kind == "jsonb":
        return _mostly(_jsonb(name, known), ANY_JSON)
    if name in (ids := _ids(known)):
        return _mostly(st.sampled_from(ids[name] or (None,)), _BY_KIND[kind])
    if name == "p_status":
        return _mostly(st.sampled_from(["complete", "interrupted", "error"]), _BY_KIND[kind])
    return _BY_KIND[kind]


def _mostly(common: Strategy, rare: Strategy) -> Strategy:
    # one_of drops repeated branches, so the weight is in a number.
    return st.sampled_from(range(8)).flatmap(lambda place: rare if place == 7 else common)


def _ids(known: Known) -> dict[str, tuple[str | None, ...]]:
    return {
        "p_chat_id": (*known.chats, *known.chats[:2] * 3),
        "p_new_chat_id": (*known.chats, _NEW, _NEWER),
        "p_project_id": known.projects,
        "p_turn_id": (*known.turns, "t"),
        "p_lease_id": known.leases,
        "p_expected_hash": (*known.hashes, None),
    }


def _jsonb(name: str, known: Known) -> Strategy:
    message_id = _mostly(st.sampled_from([*known.messages, "a", "b", "c"]), ANY_TEXT)
    turn_id = st.none() | st.sampled_from([*known.turns, "t"])
    chat_id = _mostly(st.sampled_from([*known.chats, _NEW]), st.uuids().map(str))
    project_id = _mostly(st.sampled_from([*known.projects, _NEW]), st.uuids().map(str))
    source = _mostly(st.sampled_from([*known.sources, "AGENTS.md", "SKILL.md"]), ANY_TEXT)
    count = st.integers(-1, 10) | st.sampled_from([2**31, 2**63 - 1])
    flag = st.booleans()
    message = _object(
        {
            "message_id": message_id,
            "role": st.sampled_from(["user", "assistant", "system"]),
            "content": _CONTENT,
        },
        {"annotations": ANY_JSON, "turn_id": turn_id, "created_at": _TIMES},
    )
    kinds = ["instruction_file", "skill", "document", "mcp_config", "mcp_server", "plugin"]
    statuses = ["ok", "oversize", "unreadable", "invalid", "excluded"]
    shapes: dict[str, Strategy] = {
        "p_messages": _list(message),
        "p_chats": _list(
            _object(
                {"chat_id": chat_id},
                {"title": ANY_TEXT, "project_id": project_id, "model": ANY_TEXT, "read_upto": count}
                | dict.fromkeys(("pinned", "archived", "deleted", "marked_unread"), flag),
            )
        ),
        "p_projects": _list(
            _object(
                {"project_id": project_id},
                {"name": ANY_TEXT, "description": ANY_TEXT, "url_id": st.none() | ANY_TEXT, "deleted": flag}
                | {"status": st.sampled_from(["draft", "published", "archived", "lost"])},
            )
        ),
        "p_batches": st.lists(_object({"chat_id": chat_id, "messages": _list(message)}, {}), max_size=4),
        "p_holes": st.lists(_object({"chat_id": chat_id, "first": count, "last": count}, {}), max_size=4),
        "p_message_ids": _list(message_id),
        "p_sources": _list(source),
        "p_resources": _list(
            _object(
                {"source": source, "kind": st.sampled_from(kinds)},
                {"name": ANY_TEXT, "body": ANY_TEXT, "status": st.sampled_from(statuses), "reason": ANY_TEXT},
            )
        ),
        "p_snapshot": _object(
            {"files": st.dictionaries(ANY_TEXT, ANY_TEXT | ANY_JSON, max_size=3)},
            {"summary": ANY_TEXT | ANY_JSON},
        ),
        "p_user": st.none() | message,
        "p_assistant": _object({"message_id": message_id}, {"annotations": ANY_JSON}),
        "p_content": st.none() | _CONTENT,
        "p_usage": _object(
            {},
            dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens", "cost_micros"), count)
            | {"models": ANY_JSON, "truncated": flag},
        ),
    }
    return shapes.get(name, ANY_JSON)


def _object(required: Mapping[str, Strategy], optional: Mapping[str, Strategy]) -> Strategy:
    """Objects that are well formed, or have any JSON in the place of one field."""
    formed = st.fixed_dictionaries(dict(required), optional=dict(optional))
    spoiled = st.dictionaries(st.sampled_from(sorted({*required, *optional})), ANY_JSON, max_size=1)
    return _mostly(formed, st.tuples(formed, spoiled).map(lambda pair: pair[0] | pair[1]))


def _list(item: Strategy) -> Strategy:
    return st.lists(_mostly(item, ANY_JSON), max_size=5)
