"""Whatever JSON comes in: a verdict for each item or a documented error, and no half effects."""

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.cluster import Caller, Database

ANY_TEXT = st.text(max_size=20)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": ANY_TEXT}, optional={"text": ANY_JSON, "x": ANY_JSON}), max_size=3
)
MESSAGE = st.fixed_dictionaries(
    {
        "message_id": st.sampled_from(["a", "b", "c"]) | ANY_JSON,
        "role": st.sampled_from(["user", "assistant", "system"]) | ANY_JSON,
        "content": ANY_TEXT | PARTS | ANY_JSON,
    },
    optional={
        "annotations": ANY_JSON,
        "turn_id": ANY_TEXT | ANY_JSON,
        "created_at": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | ANY_JSON,
    },
)
CHAT = st.fixed_dictionaries(
    {"chat_id": st.uuids().map(str) | ANY_JSON},
    optional={
        field: ANY_JSON | st.booleans() | ANY_TEXT
        for field in ("title", "project_id", "model", "pinned", "archived", "deleted", "other")
    },
)
# PostgreSQL's own answer to text that its jsonb cannot hold: the call as a whole, before the function sees it.
UNTRANSLATABLE = {"22P02", "22P05", "22003"}

FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _answer(caller: Caller, call: str, *arguments: object) -> list[tuple[Any, ...]] | None:
    """The rows, or None when the call was refused with one of the documented codes."""
    try:
        return caller.rows(f"select * from {call}", *arguments)
    except psycopg.Error as error:
        code = error.sqlstate
    assert code in {"PT400", *UNTRANSLATABLE}
    return None


@FUZZ
@given(messages=st.lists(MESSAGE | ANY_JSON, max_size=6) | ANY_JSON)
def test_append_answers_every_item_and_numbers_what_it_took(anna: Caller, messages: Any) -> None:
    chat = anna.new_chat()
    answer = _answer(anna, "append_messages(%s, %s)", chat, json.dumps(messages))
    if answer is None:
        assert anna.count(chat) == 0
        return
    assert len(answer) == len(messages)
    inserted = [row[1] for row in answer if row[2] == "inserted"]
    assert inserted == list(range(1, len(inserted) + 1))
    for _, number, status, reason in answer:
        assert status in {"inserted", "duplicate", "conflict", "rejected"}
        assert (number is None) == (status == "rejected")
        assert (reason is None) == (status in {"inserted", "duplicate"})
    assert anna.count(chat) == len(inserted)
    again = anna.rows("select * from append_messages(%s, %s)", chat, json.dumps(messages))
    assert [row[:2] for row in again] == [row[:2] for row in answer]
    assert "inserted" not in {row[2] for row in again}


@FUZZ
@given(chats=st.lists(CHAT | ANY_JSON, max_size=5) | ANY_JSON)
def test_save_answers_every_item_and_a_retry_the_same(anna: Caller, chats: Any) -> None:
    answer = _answer(anna, "save_chats(%s)", json.dumps(chats))
    if answer is None:
        return
    assert len(answer) == len(chats)
    assert all((status == "saved") == (reason is None) for _, status, reason in answer)
    assert _answer(anna, "save_chats(%s)", json.dumps(chats)) == answer


@FUZZ
@given(
    epoch=st.none() | st.uuids().map(str),
    cursor=st.none() | st.integers(-(2**63), 2**63 - 1),
    limit=st.none() | st.integers(-(2**31), 2**31 - 1),
)
def test_pull_answers_any_cursor(anna: Caller, epoch: str | None, cursor: int | None, limit: Any) -> None:
    answer = anna.pull(epoch, cursor, limit)
    assert answer["reset"] is True
    assert answer["cursor"] <= answer["head"]


@pytest.mark.parametrize("before", [None, 0, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("limit", [None, -(2**31), 2**31 - 1])
def test_list_answers_any_place(database: Database, anna: Caller, before: int | None, limit: Any) -> None:
    assert anna.history(anna.new_chat(), before, limit) == []
