"""Deleting and clearing: tombstones that keep their number, reach every device and never come back (I12, I26)."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, refusal, text
from tests.fakes.turns import begin, finish, lease, question

NO_SUCH = "There is no such message."


def _chat_of(caller: Caller, *message_ids: str, **fields: object) -> str:
    chat = caller.new_chat()
    caller.append(chat, [text(each, f"words of {each}", **fields) for each in message_ids])
    return chat


def _stored(caller: Caller, chat: str) -> list[tuple[Any, ...]]:
    return caller.rows(
        "select message_id, sequence_num, content, annotations, revision, change, deleted_at is not null "
        "from public.messages where chat_id = %s order by sequence_num",
        chat,
    )


def _all_counters_are_right(caller: Caller) -> bool:
    return caller.rows("select * from public.count_mismatches") == []


def test_a_deleted_message_keeps_its_number_and_nothing_of_its_text(anna: Caller) -> None:
    chat = _chat_of(anna, "a", "b", "c", annotations={"stars": 5})
    assert anna.delete(chat, ["b"]) == [("b", 2, "deleted", None)]
    assert anna.count(chat) == 2
    assert anna.history(chat) == [(3, "c"), (2, "b"), (1, "a")]
    [_, (_, number, content, annotations, revision, _, gone), _] = _stored(anna, chat)
    assert (number, content, annotations, revision, gone) == (2, [], None, 2, True)
    assert anna.append(chat, [text("d")]) == [("d", 4, "inserted", None)]
    assert _all_counters_are_right(anna)


def test_every_device_hears_of_it(anna: Caller) -> None:
    chat = _chat_of(anna, "a", "b", "c")
    seen = anna.pull(None, 0)
    anna.delete(chat, ["c", "a"])
    heard = anna.pull(seen["epoch"], seen["cursor"])
    rows = [each["row"] for each in heard["changes"]]
    assert [(each["message_id"], each["content"], bool(each["deleted_at"])) for each in rows] == [
        ("c", [], True),
        ("a", [], True),
    ]
    assert heard["cursor"] == heard["head"] == seen["head"] + 2


def test_the_chats_digest_and_count_move_with_it(anna: Caller) -> None:
    chat = _chat_of(anna, "a", "b")
    heads = anna.rows("select message_count, digest from chat_heads()")
    anna.delete(chat, ["a"])
    [(count, digest)] = anna.rows("select message_count, digest from chat_heads()")
    assert count == 1
    assert digest != heads[0][1]
    assert _all_counters_are_right(anna)


def test_deleting_again_answers_the_same_and_changes_nothing(anna: Caller) -> None:
    chat = _chat_of(anna, "a", "b")
    answer = anna.delete(chat, ["a"])
    stored, head = _stored(anna, chat), anna.pull(None, 0)["head"]
    assert anna.delete(chat, ["a"]) == answer
    assert (_stored(anna, chat), anna.pull(None, 0)["head"]) == (stored, head)


def test_each_id_gets_its_verdict_in_request_order(anna: Caller) -> None:
    chat = _chat_of(anna, "a", "b")
    assert anna.delete(chat, ["x", "b", 7, None, {"id": "a"}, "a", "b", ""]) == [
        ("x", None, "rejected", NO_SUCH),
        ("b", 2, "deleted", None),
        (None, None, "rejected", NO_SUCH),
        (None, None, "rejected", NO_SUCH),
        (None, None, "rejected", NO_SUCH),
        ("a", 1, "deleted", None),
        ("b", 2, "deleted", None),
        ("", None, "rejected", NO_SUCH),
    ]
    assert anna.count(chat) == 0
    assert _all_counters_are_right(anna)


def test_what_was_deleted_and_sent_again_stays_deleted(anna: Caller) -> None:
    chat = _chat_of(anna, "a")
    anna.delete(chat, ["a"])
    stored = _stored(anna, chat)
    assert [
        row[:3] for row in anna.append(chat, [text("a", "words of a"), text("a", "others"), text("b")])
    ] == [
        ("a", 1, "duplicate"),
        ("a", 1, "conflict"),
        ("b", 2, "inserted"),
    ]
    assert _stored(anna, chat)[:1] == stored
    assert anna.count(chat) == 1


def test_a_reply_that_was_streaming_ends_interrupted_and_its_writer_loses_the_turn(anna: Caller) -> None:
    chat, holder = anna.new_chat(), lease()
    begin(anna, chat, "t", holder, question())
    assert anna.delete(chat, ["reply"])[0][1:3] == (2, "deleted")
    assert finish(anna, chat, "t", holder)["status"] == "lost"
    assert anna.rows("select status, content from list_messages(%s, null, 1)", chat) == [("interrupted", [])]
    assert _all_counters_are_right(anna)


def test_the_same_ids_of_somebody_else_are_not_touched(anna: Caller, bert: Caller) -> None:
    chat = _chat_of(anna, "a")
    bert.save({"chat_id": chat})
    bert.append(chat, [text("a"), text("b")])
    assert anna.delete(chat, ["a", "b"]) == [("a", 1, "deleted", None), ("b", None, "rejected", NO_SUCH)]
    assert (anna.count(chat), bert.count(chat)) == (0, 2)
    assert anna.clear(chat, 9) == {"deleted": 0, "more": False}
    assert bert.count(chat) == 2


REFUSED: dict[str, tuple[Callable[[Caller, str], object], str]] = {
    "no list of ids": (lambda caller, chat: caller.rows("select delete_messages(%s, '{}')", chat), "PT400"),
    "null for the ids": (lambda caller, chat: caller.rows("select delete_messages(%s, null)", chat), "PT400"),
    "null for the chat": (lambda caller, chat: caller.rows("select delete_messages(null, '[]')"), "PT400"),
    "501 ids": (lambda caller, chat: caller.delete(chat, ["a"] * 501), "PT413"),
    "an unknown chat": (lambda caller, chat: caller.delete(str(uuid.uuid4()), ["a"]), "PT404"),
    "clearing up to nothing": (lambda caller, chat: caller.clear(chat, None), "PT400"),
    "clearing no chat": (lambda caller, chat: caller.rows("select clear_chat(null, 1)"), "PT400"),
    "clearing an unknown chat": (lambda caller, chat: caller.clear(str(uuid.uuid4()), 1), "PT404"),
}


@pytest.mark.parametrize(("call", "code"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_call_is_refused_with_a_hint_and_deletes_nothing(
    anna: Caller, call: Callable[[Caller, str], object], code: str
) -> None:
    chat = _chat_of(anna, "a")
    with pytest.raises(psycopg.Error) as refused:
        call(anna, chat)
    assert refused.value.sqlstate == code
    assert refused.value.diag.message_hint
    assert anna.count(chat) == 1


def test_nothing_is_deleted_in_a_deleted_chat(anna: Caller) -> None:
    chat = _chat_of(anna, "a")
    anna.save({"chat_id": chat, "deleted": True})
    for call in (lambda: anna.delete(chat, ["a"]), lambda: anna.clear(chat, 1)):
        with pytest.raises(psycopg.Error) as refused:
            call()
        assert refused.value.sqlstate == "PT410"
    anna.save({"chat_id": chat, "deleted": False})
    assert anna.count(chat) == 1


def test_clearing_deletes_up_to_a_number_and_not_behind_it(anna: Caller) -> None:
    chat = _chat_of(anna, "a", "b", "c", "d")
    anna.delete(chat, ["b"])
    assert anna.clear(chat, 3) == {"deleted": 2, "more": False}
    assert anna.clear(chat, 3) == {"deleted": 0, "more": False}
    assert anna.clear(chat, -1) == {"deleted": 0, "more": False}
    assert [row[6] for row in _stored(anna, chat)] == [True, True, True, False]
    assert anna.append(chat, [text("e")]) == [("e", 5, "inserted", None)]
    assert anna.clear(chat, 2**63 - 1) == {"deleted": 2, "more": False}
    assert _all_counters_are_right(anna)


def test_a_long_chat_is_cleared_in_calls_of_bounded_length(anna: Caller) -> None:
    chat = anna.new_chat()
    for _ in range(24):
        anna.append(chat, [text() for _ in range(500)])
    assert anna.clear(chat, 11_000) == {"deleted": 5000, "more": True}
    anna.append(chat, [text("late")])
    assert anna.clear(chat, 11_000) == {"deleted": 5000, "more": True}
    assert anna.clear(chat, 11_000) == {"deleted": 1000, "more": False}
    assert anna.count(chat) == 1001
    assert _all_counters_are_right(anna)


def _pretend_to_be_large(database: Database, chat: str, mebibytes: int) -> None:
    with database.connect() as admin:
        admin.execute("update public.messages set octets = %s where chat_id = %s", [mebibytes * 2**20, chat])


def test_a_chat_of_large_messages_is_cleared_in_calls_of_bounded_size(
    database: Database, anna: Caller
) -> None:
    chat = _chat_of(anna, "a", "b", "c", "d", "e")
    anna.delete(chat, ["b"])
    _pretend_to_be_large(database, chat, 30)
    assert anna.clear(chat, 5) == {"deleted": 2, "more": True}
    assert anna.clear(chat, 4) == {"deleted": 1, "more": False}
    assert anna.clear(chat, 5) == {"deleted": 1, "more": False}
    assert anna.count(chat) == 0
    _pretend_to_be_large(database, chat, 0)
    anna.append(chat, [text("f")])
    _pretend_to_be_large(database, chat, 100)
    assert anna.clear(chat, 6) == {"deleted": 1, "more": False}
    assert _all_counters_are_right(anna)


def test_a_call_that_deletes_too_much_at_once_deletes_nothing_and_half_of_it_goes(
    database: Database, anna: Caller
) -> None:
    chat = _chat_of(anna, "a", "b", "c")
    _pretend_to_be_large(database, chat, 50)
    assert refusal(lambda: anna.delete(chat, ["a", "b", "c"])) == "PT413"
    assert anna.count(chat) == 3
    assert [row[2] for row in anna.delete(chat, ["a", "b", "a", "b", "a"])] == ["deleted"] * 5
    assert [row[2] for row in anna.delete(chat, ["a", "b", "c"])] == ["deleted"] * 3


def test_no_number_is_given_again_and_nothing_cleared_comes_back_on_two_devices(database: Database) -> None:
    """One device clears while the other, which lost all its answers, sends everything again and goes on writing."""
    person = database.new_user()
    with person.signed_in() as first, person.signed_in() as second:
        chat = first.new_chat()
        sent = [text(f"m{number}") for number in range(300)]
        numbers = {row[0]: row[1] for row in second.append(chat, sent)}

        def clear() -> None:
            while first.clear(chat, 300)["more"]:
                pass

        def write() -> None:
            for start in range(0, 300, 10):
                again = second.append(chat, [*sent[start : start + 10], text(f"new{start}")])
                assert {row[2] for row in again[:-1]} == {"duplicate"}
                assert [row[1] for row in again[:-1]] == [numbers[row[0]] for row in again[:-1]]
                numbers[again[-1][0]] = again[-1][1]

        with ThreadPoolExecutor(2) as devices:
            for running in [devices.submit(write), devices.submit(clear)]:
                running.result()
        assert sorted(numbers.values()) == list(range(1, 331))
        assert first.count(chat) == 30
        assert {row[0] for row in _stored(first, chat) if not row[6]} == {
            f"new{n}" for n in range(0, 300, 10)
        }
        assert second.append(chat, sent[:1])[0][2] == "duplicate"
        assert first.count(chat) == 30
        assert _all_counters_are_right(first)
