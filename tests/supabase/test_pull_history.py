"""pull_history: messages by their numbers, from the newest down, in answers of bounded size (I16)."""

import json
import uuid
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Database, refusal, text
from tests.fakes.turns import begin, lease, let_expire, question


def _id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def chat(anna: Caller) -> str:
    """A chat of ten messages, the third deleted."""
    chat = anna.new_chat()
    anna.append(chat, [text(f"m{n}") for n in range(1, 11)])
    anna.delete(chat, ["m3"])
    return chat


def _numbers(answer: dict[str, Any]) -> list[int]:
    return [each["row"]["sequence_num"] for each in answer["changes"]]


def _covered(answer: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(each["chat_id"], each["first"], each["last"]) for each in answer["covered"]]


def test_holes_are_filled_in_order_and_each_from_its_last_number_down(anna: Caller, chat: str) -> None:
    other = anna.new_chat()
    anna.append(other, [text(), text()])
    answer = anna.fill((chat, 6, 8), (other, 1, 2), (chat, 2, 4))
    assert _numbers(answer) == [8, 7, 6, 2, 1, 4, 3, 2]
    assert _covered(answer) == [(chat, 6, 8), (other, 1, 2), (chat, 2, 4)]


def test_rows_are_those_of_a_pull_tombstones_included(anna: Caller, chat: str) -> None:
    pulled = anna.pull(None, 0)
    answer = anna.fill((chat, 1, 10))
    assert answer["epoch"] == pulled["epoch"]
    messages = {each["row"]["sequence_num"]: each for each in pulled["changes"] if each["kind"] == "message"}
    assert answer["changes"] == [messages[number] for number in range(10, 0, -1)]
    assert answer["changes"][7]["row"]["deleted_at"] is not None


@pytest.mark.parametrize("limit", [1, 3, 4, 9, 1000])
def test_calls_of_every_limit_bring_every_number_once(anna: Caller, chat: str, limit: int) -> None:
    holes = [(chat, 7, 10), (_id(), 1, 5), (chat, 1, 5)]
    brought: list[int] = []
    while holes:
        answer = anna.fill(*holes, limit=limit)
        assert 1 <= len(answer["changes"]) <= limit
        brought += _numbers(answer)
        covered = _covered(answer)
        left = [
            (name, first, covered[place][1] - 1)
            for place, (name, first, _) in enumerate(holes[: len(covered)])
        ]
        holes = [each for each in left if each[1] <= each[2]] + holes[len(covered) :]
    assert brought == [10, 9, 8, 7, 5, 4, 3, 2, 1]


def test_an_answer_stays_near_4_mib_but_always_has_a_row(anna: Caller) -> None:
    chat = anna.new_chat()
    for _ in range(3):
        anna.append(chat, [text(words="x" * 900_000) for _ in range(2)])
    answer = anna.fill((chat, 6, 6), (chat, 1, 5))
    assert (_numbers(answer), _covered(answer)) == ([6, 5, 4, 3], [(chat, 6, 6), (chat, 3, 5)])
    assert _numbers(anna.fill((chat, 1, 6), limit=1)) == [6]


def test_what_the_caller_does_not_have_is_covered_without_rows(anna: Caller, bert: Caller, chat: str) -> None:
    theirs = bert.new_chat()
    bert.append(theirs, [text()])
    answer = anna.fill((theirs, 1, 9), (_id(), 0, 2), (chat, 11, 2**62), (chat, 9, 8), (chat, 10, 10))
    assert _numbers(answer) == [10]
    assert len(answer["covered"]) == 5
    assert anna.fill() == {"epoch": answer["epoch"], "changes": [], "covered": []}


def test_a_hole_after_the_answer_is_full_is_covered_only_if_nothing_is_in_it(anna: Caller, chat: str) -> None:
    answer = anna.fill((chat, 9, 10), (_id(), 1, 9), (chat, 1, 2), (_id(), 1, 1), limit=2)
    assert (_numbers(answer), len(answer["covered"])) == ([10, 9], 2)


def test_a_deleted_chat_keeps_its_history(anna: Caller, chat: str) -> None:
    anna.save({"chat_id": chat, "deleted": True})
    assert _numbers(anna.fill((chat, 4, 5))) == [5, 4]


def test_a_reply_whose_writer_fell_silent_comes_as_interrupted(database: Database, anna: Caller) -> None:
    chat = anna.new_chat()
    begin(anna, chat, lease(), lease(), question(lease()), lease())
    let_expire(database, chat)
    assert anna.fill((chat, 2, 2))["changes"][0]["row"]["status"] == "interrupted"


REFUSED: dict[str, tuple[str, object]] = {
    "null": ("PT400", None),
    "no list": ("PT400", {}),
    "a list of lists": ("PT400", [[]]),
    "no chat": ("PT400", [{"first": 1, "last": 2}]),
    "a chat without an id": ("PT400", [{"chat_id": "x", "first": 1, "last": 2}]),
    "no last number": ("PT400", [{"chat_id": _id(), "first": 1}]),
    "a number below nothing": ("PT400", [{"chat_id": _id(), "first": -1, "last": 2}]),
    "a number that is text": ("PT400", [{"chat_id": _id(), "first": "1", "last": 2}]),
    "a number beyond bigint": ("PT400", [{"chat_id": _id(), "first": 1, "last": 2**63}]),
    "201 holes": ("PT413", [{"chat_id": _id(), "first": 1, "last": 2}] * 201),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_are_no_holes_is_refused(anna: Caller, case: str) -> None:
    code, holes = REFUSED[case]
    sent = None if holes is None else json.dumps(holes)
    assert refusal(lambda: anna.rows("select pull_history(%s)", sent)) == code


@pytest.mark.parametrize("limit", [0, -1, None, 2**31 - 1])
def test_a_limit_out_of_range_still_makes_progress(anna: Caller, chat: str, limit: int | None) -> None:
    assert _numbers(anna.fill((chat, 1, 10), limit=limit))[0] == 10
