"""Appending: numbers, verdicts, and what is refused (I5 to I9, I28)."""

import json
import uuid
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, text

MEBIBYTE = 1024 * 1024


def test_messages_get_the_numbers_one_to_n_in_request_order(anna: Caller) -> None:
    chat = anna.new_chat()
    assert anna.append(chat, [text("b"), text("a")]) == [
        ("b", 1, "inserted", None),
        ("a", 2, "inserted", None),
    ]
    assert anna.append(chat, [text("c")]) == [("c", 3, "inserted", None)]
    assert anna.history(chat) == [(3, "c"), (2, "a"), (1, "b")]


def test_a_retry_answers_with_the_same_numbers_and_stores_nothing(anna: Caller) -> None:
    chat = anna.new_chat()
    sent = [text("a"), text("b", words="two")]
    anna.append(chat, sent)
    assert anna.append(chat, [*sent, text("c")]) == [
        ("a", 1, "duplicate", None),
        ("b", 2, "duplicate", None),
        ("c", 3, "inserted", None),
    ]
    assert anna.count(chat) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"content": "other words"},
        {"role": "assistant"},
        {"annotations": {"stars": 1}},
        {"turn_id": "t1"},
        {"content": [{"type": "text", "text": "hello", "lang": "en"}]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_same_id_with_another_body_is_a_conflict_and_the_rest_goes_in(
    anna: Caller, other: dict[str, object]
) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text("a")])
    before = anna.rows("select * from list_messages(%s)", chat)
    answer = anna.append(chat, [text("a") | other, text("b")])
    assert [row[:3] for row in answer] == [("a", 1, "conflict"), ("b", 2, "inserted")]
    assert answer[0][3]
    assert anna.rows("select * from list_messages(%s, 2)", chat) == before


@pytest.mark.parametrize(
    "again",
    [
        {"content": [{"text": "hello", "type": "text"}]},
        {"annotations": None, "turn_id": None},
        {"created_at": "1999-01-01T00:00:00Z"},
        {"from_the_future": {"x": 1}},
    ],
    ids=lambda again: next(iter(again)),
)
def test_the_same_body_in_other_clothes_is_a_duplicate(anna: Caller, again: dict[str, object]) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text("a")])
    assert anna.append(chat, [text("a") | again]) == [("a", 1, "duplicate", None)]


def test_an_id_twice_in_one_call_is_stored_once(anna: Caller) -> None:
    chat = anna.new_chat()
    answer = anna.append(chat, [text("a"), text("a"), text("a", words="other"), text("b")])
    assert [row[:3] for row in answer] == [
        ("a", 1, "inserted"),
        ("a", 1, "duplicate"),
        ("a", 1, "conflict"),
        ("b", 2, "inserted"),
    ]


def test_messages_that_are_new_go_in_beside_those_that_are_not(anna: Caller) -> None:
    chat = anna.new_chat()
    known = [text(f"m{number}") for number in range(0, 20, 3)]
    anna.append(chat, known)
    answer = anna.append(chat, [text(f"m{number}") for number in range(20)])
    fresh = [row for row in answer if row[2] == "inserted"]
    assert [row[2] for row in answer] == [("inserted", "duplicate")[number % 3 == 0] for number in range(20)]
    assert [row[1] for row in fresh] == list(range(8, 21))
    assert anna.count(chat) == 20
    assert anna.pull(None, 0)["head"] == 21
    assert anna.rows("select from public.count_mismatches") == []


def test_a_turn_has_one_message_of_each_role_and_refuses_another(anna: Caller) -> None:
    chat = anna.new_chat()
    asked, replied = text("q", turn_id="t"), text("r", turn_id="t", role="assistant")
    assert [row[2] for row in anna.append(chat, [asked, replied])] == ["inserted", "inserted"]
    answer = anna.append(chat, [replied, text("r2", turn_id="t", role="assistant"), text("n", turn_id="t2")])
    assert [row[:3] for row in answer] == [
        ("r", 2, "duplicate"),
        ("r2", None, "rejected"),
        ("n", 3, "inserted"),
    ]
    assert answer[1][3] == "The turn has another message of this role already."
    assert anna.append(anna.new_chat(), [asked])[0][2] == "inserted"


def test_a_turn_that_comes_twice_in_one_call_refuses_the_second(anna: Caller) -> None:
    chat = anna.new_chat()
    answer = anna.append(chat, [text("a", turn_id="t"), text("b", turn_id="t"), text("c")])
    assert [row[:3] for row in answer] == [
        ("a", 1, "inserted"),
        ("b", None, "rejected"),
        ("c", 2, "inserted"),
    ]
    assert anna.rows("select from public.count_mismatches") == []


def test_a_deleted_message_still_holds_its_place_in_the_turn(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text("a", turn_id="t")])
    anna.delete(chat, ["a"])
    assert anna.append(chat, [text("a", turn_id="t"), text("b", turn_id="t")]) == [
        ("a", 1, "duplicate", None),
        ("b", None, "rejected", "The turn has another message of this role already."),
    ]


def _nested(levels: int) -> object:
    return json.loads('{"x":' * levels + "1" + "}" * levels)


BAD: dict[str, object] = {
    "no object": 7,
    "null": None,
    "no id": {"role": "user", "content": "x"},
    "id is a number": text() | {"message_id": 7},
    "empty id": text(""),
    "id too long": text("x" * 129),
    "no role": {"message_id": "a", "content": "x"},
    "unknown role": text(role="root"),
    "role is an object": text(role={"user": 1}),
    "no content": {"message_id": "a", "role": "user"},
    "null content": text(content=None),
    "content is a number": text(content=1),
    "content is an object": text(content={"type": "text"}),
    "empty content": text(content=[]),
    "empty string": text(content=""),
    "part is a string": text(content=["x"]),
    "part is a list": text(content=[[]]),
    "too large": text(words="x" * MEBIBYTE + "x"),
    "too large in many parts": text(content=[{"type": "text", "text": "x" * 20}] * 25_000),
    "too deep": text(content=[{"type": "data", "x": _nested(63)}]),
    "annotations too large": text(annotations="x" * MEBIBYTE),
    "annotations too deep": text(annotations=_nested(65)),
    "turn is a number": text(turn_id=1),
    "turn too long": text(turn_id="x" * 129),
    "time is a number": text(created_at=1),
    "time without offset": text(created_at="2026-11-21T10:00:00"),
    "time that never was": text(created_at="2026-02-30T10:00:00Z"),
    "time is infinite": text(created_at="infinity"),
    "time before the first year": text(created_at="0001-01-01T00:00:00+14:00"),
    "time after the last year": text(created_at="9999-12-31T23:59:59-14:00"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_message_is_rejected_with_a_reason_and_the_others_go_in(anna: Caller, bad: object) -> None:
    chat = anna.new_chat()
    answer = anna.append(chat, [text("before"), bad, text("after")])
    assert [row[1:3] for row in answer] == [(1, "inserted"), (None, "rejected"), (2, "inserted")]
    assert answer[1][3].endswith(".")
    assert anna.history(chat) == [(2, "after"), (1, "before")]


GOOD: dict[str, dict[str, object]] = {
    "longest id": text("é" * 128),
    "largest content": text(content=[{"type": "text", "text": "x" * (MEBIBYTE - 26 - 3)}]),
    "largest in many parts": text(content=[{"type": "text", "text": "x" * 10}] * 27_500),
    "deepest content": text(content=[{"type": "data", "x": _nested(62)}]),
    "unknown part": text(content=[{"type": "hologram", "rays": [1, 2.5, None]}]),
    "part without a type": text(content=[{"words": "x"}]),
    "annotations of any kind": text(annotations=[1, {"x": None}]),
    "early time": text(created_at="1970-01-01T00:00:00.123456+14:00"),
    "first time": text(created_at="0001-01-01T00:00:00Z"),
    "last time": text(created_at="9999-12-31T23:59:59.999Z"),
    "system role": text(role="system"),
}


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_what_the_contract_allows_round_trips(anna: Caller, good: dict[str, object]) -> None:
    chat = anna.new_chat()
    sent = good | {"turn_id": "t"}
    assert anna.append(chat, [sent]) == [(good["message_id"], 1, "inserted", None)]
    [(role, content, annotations, turn, status, deleted)] = anna.rows(
        "select role, content, annotations, turn_id, status, deleted_at from list_messages(%s)", chat
    )
    as_parts = (
        [{"type": "text", "text": good["content"]}] if isinstance(good["content"], str) else good["content"]
    )
    assert (role, content, annotations) == (good["role"], as_parts, good.get("annotations"))
    assert (turn, status, deleted) == ("t", "complete", None)
    assert anna.append(chat, [sent]) == [(good["message_id"], 1, "duplicate", None)]


def test_an_empty_call_answers_with_nothing(anna: Caller) -> None:
    assert anna.append(anna.new_chat(), []) == []


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([text() for _ in range(501)], "PT413"),
        ([text(words="x" * 900_000) for _ in range(5)], "PT413"),
        ({"message_id": "a"}, "PT400"),
        ("text", "PT400"),
        (None, "PT400"),
    ],
    ids=["501 messages", "over 4 MiB", "an object", "a string", "JSON null"],
)
def test_a_call_that_is_malformed_or_too_large_changes_nothing(
    anna: Caller, messages: Any, code: str
) -> None:
    chat = anna.new_chat()
    with pytest.raises(psycopg.Error) as refused:
        anna.append(chat, messages)
    assert refused.value.sqlstate == code
    assert refused.value.diag.message_hint
    assert anna.count(chat) == 0


def test_500_messages_go_in_one_call(anna: Caller) -> None:
    chat = anna.new_chat()
    answer = anna.append(chat, [text() for _ in range(500)])
    assert [row[1] for row in answer] == list(range(1, 501))


def test_null_arguments_are_refused_by_name(anna: Caller) -> None:
    for query in ("select append_messages(null, '[]')", "select append_messages(gen_random_uuid(), null)"):
        with pytest.raises(psycopg.Error) as refused:
            anna.rows(query)
        assert refused.value.sqlstate == "PT400"


def test_a_chat_that_does_not_exist_is_404_and_a_deleted_one_410_until_restored(anna: Caller) -> None:
    with pytest.raises(psycopg.Error) as refused:
        anna.append(str(uuid.uuid4()), [text()])
    assert refused.value.sqlstate == "PT404"
    chat = anna.new_chat()
    anna.save({"chat_id": chat, "deleted": True})
    with pytest.raises(psycopg.Error) as refused:
        anna.append(chat, [text()])
    assert refused.value.sqlstate == "PT410"
    anna.save({"chat_id": chat, "deleted": False})
    assert anna.append(chat, [text("a")]) == [("a", 1, "inserted", None)]


def test_numbers_are_never_given_twice_even_when_rows_are_gone(database: Database, anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text("a"), text("b")])
    with database.connect() as admin:
        admin.execute("delete from public.messages where chat_id = %s", [chat])
    assert anna.append(chat, [text("c")]) == [("c", 3, "inserted", None)]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize(
    "call", ["append_messages(gen_random_uuid(), '[]')", "save_chats('[]')", "push_changes('[]', '[]', '[]')"]
)
def test_writes_refuse_every_isolation_level_but_read_committed(anna: Caller, level: str, call: str) -> None:
    anna.connection.execute(f"begin isolation level {level}".encode())
    with pytest.raises(psycopg.Error) as refused:
        anna.rows(f"select {call}")
    assert refused.value.sqlstate == "PT400"
    anna.connection.execute("rollback")
