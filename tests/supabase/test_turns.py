"""Turns one call after another: what every call answers in every state of a turn, and what it leaves behind (I23)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.fakes import turns
from tests.fakes.cluster import Caller, Database, text
from tests.fakes.turns import Answer, begin, checkpoint, finish, let_expire, question

HOLDER, OTHER = turns.lease(), turns.lease()


@dataclass(frozen=True)
class Chat:
    """One chat of the caller, in which a turn may run."""

    database: Database
    caller: Caller
    chat_id: str

    def begin(self, turn: str = "turn", holder: str = HOLDER, **given: Any) -> Answer:
        return begin(self.caller, self.chat_id, turn, holder, **given)

    def checkpoint(self, turn: str = "turn", holder: str = HOLDER, **given: Any) -> Answer:
        return checkpoint(self.caller, self.chat_id, turn, holder, **given)

    def finish(self, turn: str = "turn", holder: str = HOLDER, **given: Any) -> Answer:
        return finish(self.caller, self.chat_id, turn, holder, **given)

    def expire(self) -> None:
        let_expire(self.database, self.chat_id)

    def pull(self) -> dict[str, Any]:
        return self.caller.pull(None, 0)

    def stored(self) -> list[tuple[Any, ...]]:
        """Rows (message_id, status, revision, words) in order."""
        rows = self.caller.rows(
            "select message_id, status, revision, content from public.messages "
            "where chat_id = %s order by sequence_num",
            self.chat_id,
        )
        return [(*row[:3], turns.words_of(row[3])) for row in rows]

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that devices can pull, so that a test can show that nothing changed."""
        return [
            self.caller.rows(f"select * from public.{table} order by change")
            for table in ("messages", "chats", "message_usage")
        ] + [self.caller.rows("select head from public.owner_heads")]


@pytest.fixture
def chat(database: Database, anna: Caller) -> Chat:
    return Chat(database, anna, anna.new_chat())


def test_question_and_reply_go_in_together_and_are_numbered_in_that_order(chat: Chat) -> None:
    chat.caller.append(chat.chat_id, [text("before")])
    answer = chat.begin(asked=question(), reply={"message_id": "reply", "annotations": {"model": "m"}})
    until = answer.pop("lease_until")
    assert answer == {
        "status": "begun", "turn_id": "turn", "message_status": "streaming", "reason": None,
        "user": {"message_id": "question", "sequence_num": 2, "status": "inserted"},
        "assistant": {"message_id": "reply", "sequence_num": 3, "status": "inserted"},
    }  # fmt: skip
    assert until.endswith("+00:00")
    rows = chat.caller.rows(
        "select message_id, role, content, annotations, turn_id, status from list_messages(%s, null, 2)",
        chat.chat_id,
    )
    asked = [{"type": "text", "text": "why?"}]
    assert rows == [
        ("reply", "assistant", [], {"model": "m"}, "turn", "streaming"),
        ("question", "user", asked, None, "turn", "complete"),
    ]
    assert chat.caller.count(chat.chat_id) == 3
    turns.assert_counters_are_right(chat.caller)


def test_a_question_is_answered_again_without_a_new_question(chat: Chat) -> None:
    chat.begin(asked=question())
    chat.finish()
    answer = chat.begin("again", reply="second")
    assert (answer["status"], answer["user"]) == ("begun", None)
    assert answer["assistant"] == {"message_id": "second", "sequence_num": 3, "status": "inserted"}


@pytest.mark.parametrize("turn_id", [None, "turn", "another turn"])
def test_a_question_that_was_synced_before_is_used_as_it_is(chat: Chat, turn_id: str | None) -> None:
    chat.caller.append(chat.chat_id, [question(turn_id=turn_id), text("later")])
    before = chat.stored()
    answer = chat.begin(asked=question())
    assert answer["user"] == {"message_id": "question", "sequence_num": 1, "status": "duplicate"}
    assert answer["assistant"]["sequence_num"] == 3
    assert chat.stored() == [*before, ("reply", "streaming", 1, "")]
    turns.assert_counters_are_right(chat.caller)


def begun(chat: Chat) -> None:
    chat.begin(asked=question())


def half_told(chat: Chat) -> None:
    begun(chat)
    chat.checkpoint(number=5, content="bec")


def expired(chat: Chat) -> None:
    half_told(chat)
    chat.expire()


def interrupted(chat: Chat) -> None:
    expired(chat)
    chat.pull()


def complete(chat: Chat) -> None:
    half_told(chat)
    chat.finish()


def failed(chat: Chat) -> None:
    half_told(chat)
    chat.finish(status="error", content=None)


def finished_late(chat: Chat) -> None:
    expired(chat)
    chat.finish()


def elsewhere(chat: Chat) -> None:
    begun(chat)
    chat.finish()
    chat.begin("other", OTHER, asked=question("q2"), reply="r2")


Call = Callable[[Chat], Answer]


def begin_again(chat: Chat) -> Answer:
    return chat.begin(asked=question())


def begin_elsewhere(chat: Chat) -> Answer:
    return chat.begin(holder=OTHER, asked=question())


def begin_another(chat: Chat) -> Answer:
    return chat.begin("next", OTHER, asked=question("q3"), reply="r3")


def beat(chat: Chat) -> Answer:
    return chat.checkpoint()


def beat_of_another(chat: Chat) -> Answer:
    return chat.checkpoint(holder=OTHER)


def tell_more(chat: Chat) -> Answer:
    return chat.checkpoint(number=6, content="becau")


def tell_late(chat: Chat) -> Answer:
    return chat.checkpoint(number=5, content="b")


def complete_it(chat: Chat) -> Answer:
    return chat.finish()


def complete_otherwise(chat: Chat) -> Answer:
    return chat.finish(content="something else")


def complete_as_another(chat: Chat) -> Answer:
    return chat.finish(holder=OTHER)


CALLS: tuple[Call, ...] = (
    begin_again, begin_elsewhere, begin_another, beat, beat_of_another, tell_more, tell_late, complete_it,
    complete_otherwise, complete_as_another,
)  # fmt: skip

# One row a state, one column a call, in the order of CALLS: the answer's status and, after it, the message's.
ANSWERS = {
    begun: "begun:streaming running:streaming busy:streaming stored:streaming lost:streaming "
    "stored:streaming stored:streaming finished:complete finished:complete lost:streaming",
    half_told: "begun:streaming running:streaming busy:streaming stored:streaming lost:streaming "
    "stored:streaming duplicate:streaming finished:complete finished:complete lost:streaming",
    expired: "ended:interrupted ended:interrupted begun:streaming lost:streaming lost:streaming "
    "lost:streaming lost:streaming finished:interrupted finished:interrupted lost:streaming",
    interrupted: "ended:interrupted ended:interrupted begun:streaming lost:interrupted lost:interrupted "
    "lost:interrupted lost:interrupted lost:interrupted lost:interrupted lost:interrupted",
    complete: "ended:complete ended:complete begun:streaming lost:complete lost:complete "
    "lost:complete lost:complete duplicate:complete lost:complete lost:complete",
    failed: "ended:error ended:error begun:streaming lost:error lost:error "
    "lost:error lost:error lost:error lost:error lost:error",
    finished_late: "ended:interrupted ended:interrupted begun:streaming lost:interrupted lost:interrupted "
    "lost:interrupted lost:interrupted duplicate:interrupted lost:interrupted lost:interrupted",
    elsewhere: "ended:complete ended:complete busy:streaming lost:complete lost:complete "
    "lost:complete lost:complete duplicate:complete lost:complete lost:complete",
}
_ROWS = [
    pytest.param(state, call, answer, id=f"{state.__name__}-{call.__name__}")
    for state, answers in ANSWERS.items()
    for call, answer in zip(CALLS, answers.split(), strict=True)
]
_CHANGES_NOTHING = {"running", "busy", "ended", "lost", "duplicate"}
_RECONCILES = {begin_again, begin_elsewhere, begin_another}


@pytest.mark.parametrize(("reach", "call", "expected"), _ROWS)
def test_every_call_has_its_answer_in_every_state(
    chat: Chat, reach: Callable[[Chat], None], call: Call, expected: str
) -> None:
    reach(chat)
    before = chat.everything()
    answer = call(chat)
    assert f"{answer['status']}:{answer['message_status']}" == expected
    if answer["status"] in _CHANGES_NOTHING and not (reach is expired and call in _RECONCILES):
        assert chat.everything() == before
    turns.assert_counters_are_right(chat.caller)


def test_a_busy_chat_names_the_turn_that_runs(chat: Chat) -> None:
    first = chat.begin(asked=question())
    answer = chat.begin("next", OTHER, asked=question("q2"), reply="r2")
    assert answer["turn_id"] == "turn"
    assert answer["lease_until"] == first["lease_until"]
    assert answer["assistant"]["message_id"] == "reply"
    assert answer["reason"]


def test_an_expired_turn_makes_room_for_the_next(chat: Chat) -> None:
    expired(chat)
    chat.begin("next", OTHER, asked=question("q2"), reply="r2")
    assert chat.stored() == [
        ("question", "complete", 1, "why?"),
        ("reply", "interrupted", 3, "bec"),
        ("q2", "complete", 1, "why?"),
        ("r2", "streaming", 1, ""),
    ]


def test_a_retry_of_the_beginning_renews_the_lease(chat: Chat) -> None:
    first = chat.begin(asked=question(), seconds=30)
    again = chat.begin(asked=question(), seconds=30)
    assert again["lease_until"] > first["lease_until"]
    assert again["user"]["status"] == again["assistant"]["status"] == "duplicate"


def test_a_heartbeat_gives_other_devices_nothing_to_pull(chat: Chat) -> None:
    first = chat.begin(asked=question())
    before = chat.everything()
    answer = chat.checkpoint()
    assert answer["lease_until"] > first["lease_until"]
    assert answer["revision"] == 1
    assert chat.everything() == before


@pytest.mark.parametrize(
    ("asked", "given"), [(1, 1), (0, 1), (-5, 1), (None, 60), (600, 600), (2**31 - 1, 600)]
)
def test_a_lease_lasts_from_a_second_to_ten_minutes(chat: Chat, asked: int | None, given: int) -> None:
    chat.begin(asked=question(), seconds=asked)
    left = chat.caller.rows(
        "select extract(epoch from lease_until - clock_timestamp())::float from public.turn_leases"
    )
    assert given - 5 < left[0][0] <= given


def test_only_a_greater_checkpoint_replaces_the_text(chat: Chat) -> None:
    chat.begin(asked=question())
    for number, words in ((2, "be"), (1, "b"), (2, "xx"), (7, "because")):
        chat.checkpoint(number=number, content=words)
    assert chat.stored()[1] == ("reply", "streaming", 3, "because")
    turns.assert_counters_are_right(chat.caller)


def test_what_a_call_leaves_out_stays(chat: Chat) -> None:
    chat.begin(asked=question(), reply={"message_id": "reply", "annotations": {"model": "m"}})
    chat.checkpoint(number=1, content="bec")
    chat.checkpoint(number=2, annotations={"model": "n"})
    assert chat.finish(status="interrupted", content=None)["message_status"] == "interrupted"
    kept = chat.caller.rows("select content, annotations from public.messages where message_id = 'reply'")
    assert kept == [([{"type": "text", "text": "bec"}], {"model": "n"})]


@pytest.mark.parametrize("content", ["", [], None])
def test_a_reply_that_failed_before_its_first_word_is_empty(chat: Chat, content: object) -> None:
    chat.begin(asked=question())
    assert chat.finish(status="error", content=content)["status"] == "finished"
    assert chat.stored()[1] == ("reply", "error", 2, "")


def test_an_expired_reply_reads_as_interrupted_before_anybody_made_it_so(chat: Chat) -> None:
    chat.begin(asked=question())
    shown = "select status from list_messages(%s, null, 1)"
    assert chat.caller.rows(shown, chat.chat_id) == [("streaming",)]
    chat.expire()
    assert chat.caller.rows(shown, chat.chat_id) == [("interrupted",)]
    assert chat.stored()[1][1] == "streaming"


def test_a_pull_interrupts_what_expired_and_brings_it(chat: Chat) -> None:
    half_told(chat)
    seen = chat.pull()
    chat.expire()
    answer = chat.caller.pull(seen["epoch"], seen["cursor"])
    (row,) = (each["row"] for each in answer["changes"])
    assert (row["message_id"], row["status"], row["revision"]) == ("reply", "interrupted", 3)
    assert answer["cursor"] == answer["head"] == seen["head"] + 1
    turns.assert_counters_are_right(chat.caller)


def test_a_pull_leaves_living_turns_alone(chat: Chat) -> None:
    half_told(chat)
    before = chat.everything()
    chat.pull()
    assert chat.everything() == before


@pytest.mark.parametrize("mode", ["repeatable read", "serializable", "read committed read only"])
def test_a_reader_that_cannot_write_is_answered_and_interrupts_nothing(chat: Chat, mode: str) -> None:
    expired(chat)
    chat.caller.connection.execute(f"begin isolation level {mode}".encode())
    assert chat.pull()["changes"]
    chat.caller.connection.execute("commit")
    assert chat.stored()[1][1] == "streaming"


def test_deleting_a_streaming_reply_ends_its_turn(chat: Chat) -> None:
    half_told(chat)
    chat.caller.rows("select * from delete_messages(%s, %s)", chat.chat_id, '["reply"]')
    before = chat.everything()
    assert chat.finish()["status"] == "lost"
    assert chat.checkpoint(number=9, content="back")["status"] == "lost"
    assert chat.begin(asked=question())["status"] == "ended"
    assert chat.everything() == before
    assert chat.stored()[1][1:] == ("interrupted", 3, "")
    assert begin_another(chat)["status"] == "begun"


@pytest.mark.parametrize("end", [complete_it, Chat.pull])
def test_a_turn_ends_in_a_deleted_chat_too(chat: Chat, end: Callable[[Chat], object]) -> None:
    """The chat may be restored: then its reply must be there, and nothing may stream for ever."""
    half_told(chat)
    chat.caller.save({"chat_id": chat.chat_id, "deleted": True})
    assert chat.checkpoint(number=6, content="becau")["status"] == "stored"
    if end is Chat.pull:
        chat.expire()
    end(chat)
    chat.caller.save({"chat_id": chat.chat_id, "deleted": False})
    wanted = ("interrupted", "becau") if end is Chat.pull else ("complete", "because")
    assert chat.stored()[1][1::2] == wanted
    turns.assert_counters_are_right(chat.caller)


def test_no_turn_begins_in_a_deleted_chat(chat: Chat) -> None:
    chat.caller.save({"chat_id": chat.chat_id, "deleted": True})
    with pytest.raises(psycopg.Error) as refused:
        chat.begin(asked=question())
    assert turns.outcome(refused.value) == "PT410"


@pytest.mark.parametrize("call", [begin_again, beat, tell_more, complete_it])
def test_a_strangers_turn_is_as_good_as_none(
    database: Database, chat: Chat, bert: Caller, call: Call
) -> None:
    half_told(chat)
    before = chat.everything()
    theirs = Chat(database, bert, chat.chat_id)
    absent = Chat(database, bert, "00000000-0000-4000-8000-000000000000")
    told = []
    for each in (theirs, absent):
        with pytest.raises(psycopg.Error) as refused:
            call(each)
        told.append((turns.outcome(refused.value), refused.value.diag.message_primary))
    assert told[0] == told[1]
    assert told[0][0] == "PT404"
    assert chat.everything() == before


@pytest.mark.parametrize("call", [beat, tell_more, complete_it])
def test_a_turn_that_nobody_began_is_not_found(chat: Chat, call: Call) -> None:
    with pytest.raises(psycopg.Error) as refused:
        call(chat)
    assert turns.outcome(refused.value) == "PT404"


def test_a_turn_answered_by_an_appended_reply_has_ended(chat: Chat) -> None:
    chat.caller.append(chat.chat_id, [text("told", role="assistant", turn_id="turn")])
    answer = chat.begin(asked=question())
    assert (answer["status"], answer["message_status"]) == ("ended", "complete")
    assert answer["assistant"]["message_id"] == "told"
    assert answer["user"] is None


PART = {"type": "text", "text": "x"}
TOO_LARGE = "x" * 1_100_000


@pytest.mark.parametrize(
    ("asked", "reply", "reason"),
    [
        (question(role="assistant"), "reply", "role user"),
        (question(turn_id="other"), "reply", "another turn"),
        (question("reply"), "reply", "same id"),
        (question(words=""), "reply", "empty"),
        (question(words=TOO_LARGE), "reply", "1 MiB"),
        (question(created_at="yesterday"), "reply", "time"),
        ({}, "reply", "no usable id"),
        (question(), "", "no usable id"),
        (question(), "x" * 129, "no usable id"),
        (question(), {"message_id": 7}, "no usable id"),
        (question(), {"message_id": "reply", "annotations": TOO_LARGE}, "1 MiB"),
        (None, {"message_id": "reply", "annotations": TOO_LARGE}, "1 MiB"),
        (question(), "taken", "taken"),
        (question("taken", "other words"), "reply", "Another text"),
        (question("gone"), "reply", "was deleted"),
        (question("second"), "reply", "another question"),
    ],
)
def test_messages_that_cannot_begin_a_turn_are_rejected_and_leave_nothing(
    chat: Chat, asked: object, reply: object, reason: str
) -> None:
    chat.caller.append(chat.chat_id, [text("taken"), question("gone"), question("first", turn_id="turn")])
    chat.caller.rows("select * from delete_messages(%s, %s)", chat.chat_id, '["gone"]')
    before = chat.everything()
    answer = chat.begin(asked=asked, reply=reply)
    assert answer["status"] == "rejected"
    assert reason in answer["reason"]
    assert chat.everything() == before
    assert chat.begin("next", asked=question("q2"), reply="r2")["status"] == "begun"


@pytest.mark.parametrize("content", [[1], {"type": "text"}, 7, TOO_LARGE, [{"x": [[]]}, None]])
def test_an_unacceptable_reply_is_refused_and_leaves_the_turn_running(chat: Chat, content: object) -> None:
    half_told(chat)
    before = chat.everything()
    answer = chat.finish(content=content)
    assert (answer["status"], answer["message_status"]) == ("rejected", "streaming")
    assert answer["reason"]
    with pytest.raises(psycopg.Error) as refused:
        chat.checkpoint(number=9, content=content)
    assert turns.outcome(refused.value) == "PT400"
    assert chat.everything() == before
    assert chat.finish()["status"] == "finished"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("begin_turn(%(id)s, null, %(id)s, null, '{}')", "PT400"),
        ("begin_turn(%(id)s, '', %(id)s, null, '{}')", "PT400"),
        ("begin_turn(%(id)s, repeat('x', 129), %(id)s, null, '{}')", "PT400"),
        ("begin_turn(%(id)s, 't', null, null, '{}')", "PT400"),
        ("begin_turn(null, 't', %(id)s, null, '{}')", "PT400"),
        ("begin_turn(%(id)s, 't', %(id)s, null, null)", "PT400"),
        ("begin_turn(%(id)s, 't', %(id)s, null, 'null')", "PT400"),
        ("begin_turn(%(id)s, 't', %(id)s, '[]', '{}')", "PT400"),
        ("begin_turn(%(id)s, 't', %(id)s, null, %(large)s)", "PT413"),
        ("begin_turn(%(id)s, 't', %(id)s, %(large)s, '{}')", "PT413"),
        ("checkpoint_turn(%(id)s, 't', null, 1)", "PT400"),
        ("checkpoint_turn(%(id)s, 't', %(id)s, null, '[]')", "PT400"),
        ("checkpoint_turn(%(id)s, 't', %(id)s, 1, %(large)s)", "PT413"),
        ("finish_turn(%(id)s, 't', %(id)s, null, '[]')", "PT400"),
        ("finish_turn(%(id)s, 't', %(id)s, 'streaming', '[]')", "PT400"),
        ("finish_turn(%(id)s, 't', %(id)s, 'error', %(large)s)", "PT413"),
    ],
)
def test_a_call_of_the_wrong_shape_is_refused_as_a_whole(chat: Chat, call: str, code: str) -> None:
    given = {"id": chat.chat_id, "large": json.dumps({"message_id": "x" * 5_000_000})}
    with pytest.raises(psycopg.Error) as refused:
        chat.caller.connection.execute(f"select {call}".encode(), given)
    assert turns.outcome(refused.value) == code


def test_no_path_ends_a_reply_twice_or_lets_it_stream_again(database: Database, chat: Chat) -> None:
    complete(chat)
    with database.connect() as admin:
        for status in ("streaming", "error"):
            with pytest.raises(psycopg.Error) as refused:
                admin.execute(
                    "update public.messages set status = %s where chat_id = %s and message_id = 'reply'",
                    [status, chat.chat_id],
                )
            assert turns.outcome(refused.value) == "PT409"
