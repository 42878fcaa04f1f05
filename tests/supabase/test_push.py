"""push_changes: everything that a device has to send in one call, and which changes were its own (I5 to I9)."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Database, refusal, text

Answer = dict[str, Any]


def _id() -> str:
    return str(uuid.uuid4())


def _verdicts(answer: Answer, batch: int = 0) -> list[tuple[Any, ...]]:
    """(message_id, number, status) of each message of a batch."""
    keys = ("message_id", "sequence_num", "status")
    return [tuple(each[key] for key in keys) for each in answer["batches"][batch]["verdicts"]]


def _faults(answer: Answer) -> list[str | None]:
    return [each["fault"] for each in answer["batches"]]


def test_projects_chats_and_messages_go_in_one_call_and_are_answered_in_their_order(anna: Caller) -> None:
    chats, projects = sorted([_id(), _id()], reverse=True), sorted([_id(), _id()], reverse=True)
    answer = anna.push(
        [
            {"chat_id": each, "title": f"T{place}", "project_id": projects[0]}
            for place, each in enumerate(chats)
        ],
        {chats[1]: [text("a"), text("b")], chats[0]: [text("c")]},
        [{"project_id": each, "name": "P"} for each in projects],
    )
    assert (answer["before"], answer["head"]) == (0, 7)
    assert answer["projects"] == [
        {"project_id": each, "status": "saved", "reason": None} for each in projects
    ]
    assert answer["chats"] == [{"chat_id": each, "status": "saved", "reason": None} for each in chats]
    assert [each["chat_id"] for each in answer["batches"]] == [chats[1], chats[0]]
    assert _faults(answer) == [None, None]
    assert _verdicts(answer) == [("a", 1, "inserted"), ("b", 2, "inserted")]
    assert _verdicts(answer, 1) == [("c", 1, "inserted")]
    pulled = anna.pull(None, 0)
    assert [(each["change"], each["kind"]) for each in pulled["changes"]] == [
        (1, "project"), (2, "project"), (3, "chat"), (4, "chat"), (5, "message"), (6, "message"), (7, "message"),
    ]  # fmt: skip
    assert answer["changes"] == pulled["changes"][:4]
    assert answer["epoch"] == pulled["epoch"]


def test_the_span_holds_this_calls_changes_and_nobody_elses(anna: Caller) -> None:
    chat = anna.new_chat()
    first = anna.pull(None, 0)
    answer = anna.push([{"chat_id": chat, "title": "New"}], {chat: [text("a"), text(""), text("b")]})
    assert (answer["before"], answer["head"]) == (first["head"], first["head"] + 3)
    anna.append(chat, [text("c")])
    later = anna.pull(first["epoch"], answer["head"])["changes"]
    assert [each["row"]["message_id"] for each in later] == ["c"]


def test_the_same_push_after_a_lost_answer_says_the_same_and_changes_nothing(anna: Caller) -> None:
    chat, project = _id(), _id()
    sent: tuple[Any, ...] = (
        [{"chat_id": chat, "title": "T"}],
        {chat: [text("a"), text("b")]},
        [{"project_id": project, "name": "P", "url_id": "p"}],
    )
    first, again = anna.push(*sent), anna.push(*sent)
    assert again["before"] == again["head"] == first["head"]
    assert {name: again[name] for name in ("projects", "chats", "changes")} == {
        name: first[name] for name in ("projects", "chats", "changes")
    }
    assert _verdicts(again) == [("a", 1, "duplicate"), ("b", 2, "duplicate")]
    more = anna.push((), {chat: [text("b"), text("c"), text("c"), text("a", "other"), text("d")]})
    assert _verdicts(more) == [
        ("b", 2, "duplicate"), ("c", 3, "inserted"), ("c", 3, "duplicate"), ("a", 1, "conflict"), ("d", 4, "inserted"),
    ]  # fmt: skip
    assert more["head"] == more["before"] + 2


def test_a_batch_that_collides_leaves_the_others_as_they_are(anna: Caller) -> None:
    chats = [anna.new_chat() for _ in range(3)]
    anna.append(chats[1], [text("a"), text("b")])
    answer = anna.push((), {chat: [text("x"), text("b"), text("", ""), text("y")] for chat in chats})
    fresh = [("x", 1, "inserted"), ("b", 2, "inserted"), ("", None, "rejected"), ("y", 3, "inserted")]
    assert _verdicts(answer, 0) == _verdicts(answer, 2) == fresh
    assert _verdicts(answer, 1) == [
        ("x", 3, "inserted"), ("b", 2, "duplicate"), ("", None, "rejected"), ("y", 4, "inserted"),
    ]  # fmt: skip
    assert [anna.history(chat)[0] for chat in chats] == [(3, "y"), (4, "y"), (3, "y")]
    assert anna.rows("select from public.count_mismatches") == []


def test_a_refused_chat_leaves_no_row_and_its_messages_stay_out(anna: Caller) -> None:
    good, bad, nameless = _id(), _id(), {"chat_id": "x"}
    answer = anna.push(
        [{"chat_id": good}, {"chat_id": bad, "title": 7}, nameless, 5], {bad: [text()], good: [text()]}
    )
    assert [(each["chat_id"], each["status"]) for each in answer["chats"]] == [
        (good, "saved"), (bad, "rejected"), (None, "rejected"), (None, "rejected"),
    ]  # fmt: skip
    assert all(each["reason"].endswith(".") for each in answer["chats"][1:])
    assert _faults(answer) == ["unknown", None]
    assert anna.rows("select chat_id::text from public.chats") == [(good,)]
    assert anna.push([{"chat_id": bad, "title": "7"}], {bad: [text("a")]})["batches"][0]["fault"] is None


def test_a_refused_edit_of_a_chat_that_is_there_does_not_hold_up_its_messages(anna: Caller) -> None:
    chat = anna.new_chat("Before")
    answer = anna.push([{"chat_id": chat, "title": None}], {chat: [text("a")]})
    assert (answer["chats"][0]["status"], answer["changes"]) == ("rejected", [])
    assert _verdicts(answer) == [("a", 1, "inserted")]


def test_chats_that_take_no_messages_fault_their_batch_only(anna: Caller, bert: Caller) -> None:
    mine, gone, theirs = anna.new_chat(), anna.new_chat(), bert.new_chat()
    anna.save({"chat_id": gone, "deleted": True})
    answer = anna.push((), {gone: [text()], theirs: [text()], _id(): [text()], mine: [text()]})
    assert _faults(answer) == ["deleted", "unknown", "unknown", None]
    assert [len(each["verdicts"]) for each in answer["batches"]] == [0, 0, 0, 1]
    assert bert.count(theirs) == 0
    assert (
        anna.push([{"chat_id": gone, "deleted": False}], {gone: [text("a")]})["batches"][0]["fault"] is None
    )
    assert _faults(anna.push([{"chat_id": mine, "deleted": True}], {mine: [text()]})) == ["deleted"]
    assert anna.count(mine) == 1


def test_an_address_that_is_taken_refuses_that_project_alone_and_leaves_no_row(anna: Caller) -> None:
    holder, late, other = _id(), _id(), _id()
    answer = anna.push(
        projects=[
            {"project_id": holder, "url_id": "home"}, {"project_id": late, "url_id": "home"}, {"project_id": other},
        ]
    )  # fmt: skip
    assert [each["status"] for each in answer["projects"]] == ["saved", "rejected", "saved"]
    assert "address" in answer["projects"][1]["reason"]
    assert [each["row"]["project_id"] for each in answer["changes"]] == [holder, other]
    assert anna.rows("select count(*) from public.projects") == [(2,)]


def test_a_deleted_message_is_known_and_never_comes_back(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text("a"), text("b")])
    anna.delete(chat, ["a"])
    answer = anna.push((), {chat: [text("a"), text("a", "other"), text("c")]})
    assert _verdicts(answer) == [("a", 1, "duplicate"), ("a", 1, "conflict"), ("c", 3, "inserted")]
    assert anna.count(chat) == 2


def test_a_turn_has_one_message_of_a_role_across_pushes_and_within_one(anna: Caller) -> None:
    chat, other = anna.new_chat(), anna.new_chat()
    turn = {"turn_id": "t"}
    answer = anna.push((), {chat: [text("a", **turn), text("b", **turn)], other: [text("c", **turn)]})
    assert _verdicts(answer) == [("a", 1, "inserted"), ("b", None, "rejected")]
    assert _verdicts(answer, 1) == [("c", 1, "inserted")]
    assert _verdicts(anna.push((), {chat: [text("d", **turn)]})) == [("d", None, "rejected")]


def test_nothing_to_send_is_a_push_too(anna: Caller) -> None:
    answer = anna.push()
    assert answer == {
        "epoch": anna.pull(None, 0)["epoch"],
        "before": 0,
        "head": 0,
        "projects": [],
        "chats": [],
        "batches": [],
        "changes": [],
    }
    chat = anna.new_chat()
    assert _faults(anna.push((), {chat: []})) == [None]


REFUSED: dict[str, tuple[str, Callable[[str], tuple[object, object, object]]]] = {
    "a chat twice among the batches": (
        "PT400",
        lambda chat: ([], [], [{"chat_id": each, "messages": []} for each in (chat, chat.upper())]),
    ),
    "a chat twice among the chats": ("PT400", lambda chat: ([], [{"chat_id": chat}] * 2, [])),
    "a project twice": ("PT400", lambda chat: ([{"project_id": chat}] * 2, [], [])),
    "no list": ("PT400", lambda chat: ([], {}, [])),
    "null": ("PT400", lambda chat: (None, [], [])),
    "a batch without a chat": ("PT400", lambda chat: ([], [], [{"messages": []}])),
    "a batch of a chat without an id": ("PT400", lambda chat: ([], [], [{"chat_id": "x", "messages": []}])),
    "a batch without messages": ("PT400", lambda chat: ([], [], [{"chat_id": chat}])),
    "a batch of one message": ("PT400", lambda chat: ([], [], [{"chat_id": chat, "messages": text()}])),
    "a batch that is none": ("PT400", lambda chat: ([], [], [[chat]])),
    "a number of 401 digits": ("PT400", lambda chat: ([], [{"chat_id": chat, "x": [10**401 + 1] * 99}], [])),
    "501 projects": ("PT413", lambda chat: ([{"project_id": _id()} for _ in range(501)], [], [])),
    "501 chats": ("PT413", lambda chat: ([], [{"chat_id": _id()} for _ in range(501)], [])),
    "501 batches": ("PT413", lambda chat: ([], [], [{"chat_id": _id(), "messages": []} for _ in range(501)])),
    "1,001 messages": (
        "PT413",
        lambda chat: ([], [], [{"chat_id": _id(), "messages": [{}] * each} for each in (501, 500)]),
    ),
    "over 4 MiB in two lists": (
        "PT413",
        lambda chat: ([{"x": "x" * 2_100_000}], [{"x": "x" * 2_100_000}], []),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_push_of_the_wrong_shape_or_size_is_refused_as_a_whole(anna: Caller, case: str) -> None:
    code, request = REFUSED[case]
    chat = _id()
    lists = [json.dumps(each) if each is not None else None for each in request(chat)]
    call = "select push_changes(%s, %s, %s)"
    assert refusal(lambda: anna.rows(call, *lists)) == code
    assert anna.rows("select from public.chats") == anna.rows("select from public.projects") == []


def test_1000_messages_over_500_chats_are_within_the_limits(anna: Caller) -> None:
    chats = [_id() for _ in range(500)]
    answer = anna.push([{"chat_id": each} for each in chats], {each: [text(), text()] for each in chats})
    assert answer["head"] == 1500
    assert {each["status"] for batch in answer["batches"] for each in batch["verdicts"]} == {"inserted"}
    assert anna.rows("select from public.count_mismatches") == []


def test_somebody_without_an_account_is_told_to_sign_in(database: Database) -> None:
    with database.as_user(_id()) as nobody:
        assert refusal(nobody.push) == "PT401"


def test_a_push_with_messages_counts_as_one_append(anna: Caller) -> None:
    chats = [_id(), _id()]
    anna.push([{"chat_id": each} for each in chats])
    assert anna.rows("select from public.append_metrics") == []
    anna.push((), {chats[0]: [text("a"), text("")], chats[1]: [text(), text()], _id(): [text()]})
    anna.push((), {chats[0]: [text("a"), text("a", "other")]})
    figures = "calls, messages, inserted, duplicates, conflicts, rejected, largest_batch"
    assert anna.rows(f"select {figures} from public.append_metrics") == [(2, 6, 3, 1, 1, 1, 4)]
