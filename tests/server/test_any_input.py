"""Every function of the catalogue over HTTP with what nobody should send: a documented error, a hint, no effect."""

import json
import uuid
from collections.abc import Iterator

import pytest

from tests.fakes.bad_input import HOSTILE, hostile_values
from tests.fakes.served import Person, Served
from tests.fakes.target import Answer, Target, body, target


@pytest.fixture(scope="module")
def anna(served: Served) -> Iterator[Target]:
    with target(served) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def bert(served: Served) -> Iterator[Target]:
    with target(served) as fresh:
        yield fresh


def test_any_json_in_the_place_of_any_argument_is_answered(anna: Target) -> None:
    for function in anna.api.values():
        fitting = anna.example(function.name)
        for parameter in function.parameters:
            values = hostile_values(parameter.name) if parameter.kind == "jsonb" else HOSTILE.items()
            for label, raw in values:
                if len(raw) > 1_000_000 and label not in HOSTILE:
                    continue
                anna.fire(function.name, body(fitting | {parameter.name: raw}))
    assert anna.faults() == []
    assert anna.ask("GET", "/health").status == 200


@pytest.mark.parametrize(
    "raw",
    ["null", "[]", "7", '"x"', "{", '{"p_chat_id": ', "NaN", "\ufeff{}", "{}{}", "{} ", "<html>", "p_chat_id=1", "{'a': 1}", "\0", "[" * 20_000,
     b"\xff\xfe", b'{"p_chat_id": "\xff"}', b'{"p_chat_id": "\xed\xa0\x80"}', "{}".encode("utf-16")],
)  # fmt: skip
def test_a_body_that_is_no_object_of_arguments_is_answered(anna: Target, raw: bytes | str) -> None:
    for function in anna.api.values():
        fits = function.writes and raw in ("{}", "{} ")
        answer = anna.fire(function.name, raw)
        assert fits or not answer.good or all(each.optional for each in function.parameters)


def test_arguments_that_are_missing_unknown_or_doubled_are_answered(anna: Target) -> None:
    for name, function in anna.api.items():
        fitting = anna.example(name)
        for parameter in function.parameters:
            rest = {key: raw for key, raw in fitting.items() if key != parameter.name}
            answer = anna.fire(name, body(rest))
            assert parameter.optional or answer.code == "PGRST202"
            doubled = body(fitting).removesuffix("}") + f', "{parameter.name}": []}}'
            anna.fire(name, doubled)
        for other in ("p_owner_id", "owner_id", "P_CHAT_ID", "", "p_chat_id\0", "x" * 100_000):
            answer = anna.fire(name, body(fitting | {other: "1"}))
            assert answer.code in ("PGRST202", "22P05")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv", "application/octet-stream", "application/jsonp", "x"],
)  # fmt: skip
def test_other_content_types_are_refused(anna: Target, content_type: str) -> None:
    for name in anna.api:
        answer = anna.fire(name, body(anna.example(name)), **{"Content-Type": content_type})
        assert (answer.status, answer.code) == (415, "PGRST107")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken_by_any_of_its_names(served: Served, content_type: str) -> None:
    with target(served) as fresh:
        answer = fresh.fire(
            "count_messages", body(fresh.example("count_messages")), **{"Content-Type": content_type}
        )
        assert answer.status == 200


def test_a_strangers_ids_are_like_ids_that_nobody_has(anna: Target, bert: Target) -> None:
    before = bert.rows()
    absent = "11111111-1111-4111-8111-111111111111"
    for name in anna.api:
        theirs = body(bert.example(name))
        for chat in bert.known.chats:
            foreign = theirs.replace(bert.known.chats[0], chat)
            nobodys = foreign
            for each in (*bert.known.chats, *bert.known.projects):
                nobodys = nobodys.replace(each, absent)
            answers = [anna.fire(name, each) for each in (foreign, nobodys)]
            if not answers[0].good:
                assert answers[0].json() == answers[1].json()
    assert bert.rows() == before


def test_a_deleted_chat_takes_nothing(anna: Target) -> None:
    ids = {"p_chat_id": json.dumps(anna.known.chats[2]), "p_new_chat_id": json.dumps(str(uuid.uuid4()))}
    for name, function in anna.api.items():
        if not function.writes or not any(each.name == "p_chat_id" for each in function.parameters):
            continue
        fitting = anna.example(name)
        answer = anna.fire(name, body(fitting | {key: raw for key, raw in ids.items() if key in fitting}))
        assert answer.status in (404, 410), (name, answer.text)


def test_the_signed_out_are_told_to_sign_in(anna: Target, served: Served) -> None:
    for name in anna.api:
        answer = anna.fire(name, body(anna.example(name)), **served.headers())
        assert (answer.status, answer.code) == (401, "42501")


def test_ids_that_come_twice_in_a_batch_get_a_verdict_each(anna: Target) -> None:
    for name in anna.api:
        fitting = anna.example(name)
        lists = {key: raw for key, raw in fitting.items() if raw.startswith("[")}
        if not lists:
            continue
        doubled = {key: json.dumps(json.loads(raw) * 2) for key, raw in lists.items()}
        answer = anna.fire(name, body(fitting | doubled))
        if name == "push_changes":
            assert (answer.status, answer.code) == (400, "PT400"), "a list names each chat and project once"
            continue
        assert answer.status == 200
        rows = answer.json()["covered"] if name == "pull_history" else answer.json()
        assert len(rows) == len(json.loads(next(iter(doubled.values()))))
    assert anna.faults() == []


def test_bodies_of_ten_megabytes_and_batches_of_501_are_too_large(anna: Target) -> None:
    for name in anna.api:
        fitting = anna.example(name)
        lists = [key for key, raw in fitting.items() if raw.startswith("[")]
        for key in lists:
            item = json.loads(fitting[key])[0]
            answer = anna.fire(name, body(fitting | {key: json.dumps([item] * 501)}))
            assert (answer.status, answer.code) == (413, "PT413")
        if name != "save_snapshot":
            answer = anna.fire(name, body(fitting).removesuffix("}") + " " * 10_000_000 + "}")
            assert (answer.status, answer.code) == (413, "PT413")


def test_a_waiting_lock_ends_in_an_error_that_says_try_again(anna: Target, served: Served) -> None:
    before = anna.rows()
    with served.database() as db, db.transaction():
        db.execute("select from public.chats where owner_id = %s for update", [anna.person.user_id])
        answer = anna.ask("POST", "/rest/v1/rpc/save_chats", body(anna.example("save_chats")))
    assert (answer.status, answer.code) == (500, "55P03")
    assert "try again" in answer.json()["hint"]
    assert anna.rows() == before


@pytest.mark.parametrize(
    "code", ["40001", "40P01", "55P03", "57014", "53300", "XX000", "22012", "23505", "P0001"]
)
def test_every_error_of_postgresql_has_a_hint(served: Served, code: str) -> None:
    person: Person = served.sign_up()
    error = person.rpc("test_raise_bare", p_code=code).json()
    assert error["code"] == code
    assert error["hint"]


_PLANTED = {
    "an undocumented code": "raise exception using errcode = 'PT418', message = 'm', hint = 'h'",
    "a mistake": "raise exception using errcode = 'XX000', message = 'm', hint = 'h'",
}


@pytest.mark.parametrize("fault", _PLANTED)
def test_the_range_sees_a_planted_error(anna: Target, fault: str) -> None:
    anna.admin.execute(
        f"create or replace function public.test_planted(p jsonb) returns jsonb language plpgsql"
        f" as $$ begin {_PLANTED[fault]}; end $$".encode()
    )
    answers = iter(lambda: anna.fire("test_planted", '{"p": 1}').code, None)
    with pytest.raises(AssertionError):
        next(code for code in answers if code != "PGRST202")


def test_the_range_sees_an_effect_of_a_refused_call(anna: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = anna.ask

    def meddle(*request: str, **headers: str) -> Answer:
        anna.admin.execute(
            "update public.chats set title = title || '.' where owner_id = %s", [anna.person.user_id]
        )
        return ask(*request, **headers)

    monkeypatch.setattr(anna, "ask", meddle)
    with pytest.raises(AssertionError, match="had an effect"):
        anna.fire("save_chats", "null")
