"""Forking a chat: a copy up to a message under ids of its own, made once however often it is asked for."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, text
from tests.fakes.turns import begin, checkpoint, finish, lease, question


def _id() -> str:
    return str(uuid.uuid4())


def _chat_of(caller: Caller, *message_ids: str) -> str:
    chat = caller.new_chat("Trip")
    caller.append(chat, [text(each, f"words of {each}") for each in message_ids])
    return chat


def _texts(caller: Caller, chat: str) -> list[tuple[Any, ...]]:
    return caller.rows(
        "select sequence_num, copied_from, content #>> '{0,text}', turn_id, revision, status from public.messages "
        "where chat_id = %s and deleted_at is null order by sequence_num",
        chat,
    )


def _copy(number: int, origin: str, status: str = "complete") -> tuple[Any, ...]:
    return (number, origin, f"words of {origin}", None, 1, status)


def test_a_fork_has_the_messages_up_to_a_number_and_remembers_where_they_came_from(anna: Caller) -> None:
    chat, fork = _chat_of(anna, "a", "b", "c"), _id()
    answer = anna.fork(chat, fork, 2)
    assert answer == {"status": "forked", "chat_id": fork, "copied": 2, "last_sequence_num": 2}
    assert _texts(anna, fork) == [_copy(1, "a"), _copy(2, "b")]
    assert anna.rows(
        "select title, forked_from_chat_id::text, forked_from_sequence_num, last_sequence_num, message_count, read_upto "
        "from public.chats where chat_id = %s",
        fork,
    ) == [("Trip", chat, 2, 2, 2, 2)]
    assert anna.append(fork, [text("mine")]) == [("mine", 3, "inserted", None)]
    assert anna.count(chat) == 3
    assert anna.rows("select * from public.count_mismatches") == []


def test_its_ids_are_new_in_every_fork(anna: Caller) -> None:
    chat, forks = _chat_of(anna, "a", "b"), [_id(), _id()]
    for fork in forks:
        anna.fork(chat, fork)
    ids = [{row[1] for row in anna.history(each)} for each in (chat, *forks)]
    assert len(set.union(*ids)) == 6


def test_asking_again_copies_nothing_more(anna: Caller) -> None:
    chat, fork = _chat_of(anna, "a", "b"), _id()
    first = anna.fork(chat, fork)
    anna.append(fork, [text("mine")])
    anna.append(chat, [text("c")])
    before = anna.pull(None, 0)
    for through in (None, 2):
        assert anna.fork(chat, fork, through) == first | {"status": "duplicate", "last_sequence_num": 3}
    assert anna.pull(None, 0) == before


def test_an_answer_that_was_lost_is_given_again_after_the_original_was_deleted(anna: Caller) -> None:
    chat, fork = _chat_of(anna, "a"), _id()
    anna.fork(chat, fork)
    anna.save({"chat_id": chat, "deleted": True})
    assert anna.fork(chat, fork)["status"] == "duplicate"
    with pytest.raises(psycopg.Error) as refused:
        anna.fork(chat, _id())
    assert refused.value.sqlstate == "PT410"


def test_an_id_that_is_another_chat_is_a_conflict_and_stays_as_it_is(anna: Caller) -> None:
    chat, other = _chat_of(anna, "a", "b"), _chat_of(anna, "x")
    fork = _id()
    anna.fork(chat, fork, 1)
    before = anna.pull(None, 0)
    for new, through in ((other, None), (chat, None), (fork, 2)):
        assert anna.fork(chat, new, through)["status"] == "conflict"
    assert anna.fork(other, fork)["status"] == "conflict"
    assert anna.pull(None, 0) == before


def test_deleted_messages_turns_and_the_wait_for_a_reply_are_left_out(anna: Caller) -> None:
    chat, fork, holder = _chat_of(anna, "a", "b"), _id(), lease()
    anna.delete(chat, ["a"])
    begin(anna, chat, "t", holder, question("q", "words of q"), "r")
    checkpoint(anna, chat, "t", holder, 1, "words of r")
    anna.fork(chat, fork)
    assert _texts(anna, fork) == [_copy(1, "b"), _copy(2, "q"), _copy(3, "r", "interrupted")]
    assert finish(anna, chat, "t", holder, content="words of r")["status"] == "finished"
    assert anna.rows("select status from list_messages(%s, null, 1)", fork) == [("interrupted",)]


def test_a_cleared_chat_is_forked_from_where_it_goes_on(anna: Caller) -> None:
    chat, fork = _chat_of(anna, "a", "b", "c"), _id()
    anna.clear(chat, 2)
    anna.fork(chat, fork, 3)
    assert _texts(anna, fork) == [_copy(1, "c")]


def test_an_empty_chat_has_an_empty_fork(anna: Caller) -> None:
    chat, fork = anna.new_chat(), _id()
    assert anna.fork(chat, fork) == {"status": "forked", "chat_id": fork, "copied": 0, "last_sequence_num": 0}
    assert anna.fork(chat, fork)["status"] == "duplicate"


def test_a_title_may_be_given(anna: Caller) -> None:
    chat, fork = _chat_of(anna, "a"), _id()
    anna.fork(chat, fork, None, "Another trip")
    assert anna.rows("select title from public.chats where chat_id = %s", fork) == [("Another trip",)]


def test_every_device_hears_of_the_fork_before_its_messages(anna: Caller) -> None:
    chat, fork = _chat_of(anna, "a", "b"), _id()
    seen = anna.pull(None, 0)
    anna.fork(chat, fork)
    heard = anna.pull(seen["epoch"], seen["cursor"])
    assert [(each["kind"], each["row"]["chat_id"]) for each in heard["changes"]] == [
        ("chat", fork),
        ("message", fork),
        ("message", fork),
    ]
    assert heard["cursor"] == heard["head"] == seen["head"] + 3


@pytest.mark.parametrize(
    ("through", "title", "code"),
    [(4, None, "PT400"), (-1, None, "PT400"), (2**63 - 1, None, "PT400"), (1, "x" * 1001, "PT400")],
)
def test_a_number_or_title_that_cannot_be_is_refused_and_makes_nothing(
    anna: Caller, through: int, title: str | None, code: str
) -> None:
    chat, fork = _chat_of(anna, "a", "b", "c"), _id()
    with pytest.raises(psycopg.Error) as refused:
        anna.fork(chat, fork, through, title)
    assert (refused.value.sqlstate, bool(refused.value.diag.message_hint)) == (code, True)
    assert anna.rows("select from public.chats where chat_id = %s", fork) == []


def test_null_ids_are_refused(anna: Caller) -> None:
    for chat, fork in ((None, _id()), (_chat_of(anna, "a"), None)):
        with pytest.raises(psycopg.Error) as refused:
            anna.fork(chat, fork)
        assert refused.value.sqlstate == "PT400"


def test_a_chat_of_somebody_else_is_not_there_and_his_id_is_free(anna: Caller, bert: Caller) -> None:
    secret, fork = _chat_of(bert, "a"), _id()
    with pytest.raises(psycopg.Error) as refused:
        anna.fork(secret, fork)
    assert refused.value.sqlstate == "PT404"
    assert anna.rows("select from public.chats") == []
    assert anna.fork(_chat_of(anna, "b"), secret)["status"] == "forked"
    assert _texts(bert, secret) == [(1, None, "words of a", None, 1, "complete")]


def test_too_much_is_refused_with_the_way_out(anna: Caller) -> None:
    chat, fork = anna.new_chat(), _id()
    for _ in range(101):
        anna.append(chat, [text() for _ in range(500)])
    with pytest.raises(psycopg.Error) as refused:
        anna.fork(chat, fork)
    assert refused.value.sqlstate == "PT413"
    assert "50,000" in (refused.value.diag.message_hint or "")
    assert anna.fork(chat, fork, 50_000)["copied"] == 50_000
    assert anna.fork(chat, fork, 50_000) == {
        "status": "duplicate",
        "chat_id": fork,
        "copied": 50_000,
        "last_sequence_num": 50_000,
    }


def test_two_chats_forked_into_each_other_at_once_make_one_fork_each_way_and_no_deadlock(
    database: Database,
) -> None:
    person = database.new_user()
    with person.signed_in() as caller:
        pairs = [(_chat_of(caller, "a", "b"), _id()) for _ in range(20)]

    def fork(order: int) -> list[str]:
        with person.signed_in() as caller:
            return [
                caller.fork(chat, new)["status"] + caller.append(chat, [text()])[0][2]
                for chat, new in sorted(pairs, key=lambda pair: pair[order])
            ]

    with ThreadPoolExecutor(2) as devices:
        answers = list(devices.map(fork, (0, 1)))
    assert sorted(chain(*answers)) == ["duplicateinserted"] * 20 + ["forkedinserted"] * 20
    with person.signed_in() as caller:
        assert caller.rows("select * from public.count_mismatches") == []
