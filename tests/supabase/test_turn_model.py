"""Any order of calls on the turns of a chat: PostgreSQL answers and holds what a small model says (I23, I24)."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Final

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.fakes import turns
from tests.fakes.cluster import Caller, Database
from tests.fakes.turn_model import ModelChat
from tests.fakes.turns import Answer, begin, checkpoint, finish, let_expire, outcome, question

EXAMPLES, MANY = 40, 4_000
TURNS: Final = st.sampled_from(["one", "two"])
LEASES: Final = st.sampled_from([str(uuid.UUID(int=number)) for number in (1, 2)])
WORDS: Final = st.none() | st.sampled_from(["because", "it is so", ""])


class Chats(RuleBasedStateMachine):
    """Calls on one chat of a new caller. `database` and `caller` are set by the test."""

    database: Database
    caller: Caller

    def __init__(self) -> None:
        super().__init__()
        self.chat = self.caller.new_chat()
        self.model = ModelChat()
        self.ended: dict[str, str] = {}

    def _told(self, call: Callable[[], Answer]) -> tuple[str, str | None]:
        try:
            answer = call()
        except psycopg.Error as error:
            return (outcome(error), None)
        return (answer["status"], answer["message_status"])

    @rule(turn=TURNS, lease=LEASES)
    def begin(self, turn: str, lease: str) -> None:
        told = self._told(
            lambda: begin(self.caller, self.chat, turn, lease, question(f"q {turn}"), f"r {turn}")
        )
        assert told == self.model.begin(turn, lease)

    @rule(turn=TURNS, lease=LEASES, number=st.integers(1, 2), words=WORDS)
    def tell(self, turn: str, lease: str, number: int, words: str | None) -> None:
        told = self._told(lambda: checkpoint(self.caller, self.chat, turn, lease, number, words))
        assert told == self.model.tell(turn, lease, number, words)

    @rule(turn=TURNS, lease=LEASES, status=st.sampled_from(["complete", "error"]), words=WORDS)
    def finish(self, turn: str, lease: str, status: str, words: str | None) -> None:
        usage = {"total_tokens": 1}
        told = self._told(lambda: finish(self.caller, self.chat, turn, lease, status, words, usage=usage))
        assert told == self.model.finish(turn, lease, status, words)

    @rule()
    def fall_silent(self) -> None:
        let_expire(self.database, self.chat)
        if self.model.running is not None:
            self.model.turns[self.model.running].live = False

    @rule()
    def pull(self) -> None:
        self.caller.pull(None, 0)
        self.model.interrupt()

    @rule(turn=TURNS)
    def delete_the_reply(self, turn: str) -> None:
        with pytest.raises(psycopg.Error) if self.model.deleted else nullcontext():
            self.caller.rows("select * from delete_messages(%s, %s)", self.chat, f'["r {turn}"]')
        self.model.delete(turn)

    @rule(deleted=st.booleans())
    def delete_the_chat_or_restore_it(self, deleted: bool) -> None:
        self.caller.save({"chat_id": self.chat, "deleted": deleted})
        self.model.deleted = deleted

    @invariant()
    def the_server_holds_what_the_model_says(self) -> None:
        rows = self.caller.rows(
            "select turn_id, status, revision, content, exists (select from public.message_usage as usage "
            "where usage.chat_id = reply.chat_id and usage.message_id = reply.message_id) "
            "from public.messages as reply where chat_id = %s and role = 'assistant'",
            self.chat,
        )
        held = {row[0]: (row[1], row[2], turns.words_of(row[3]), row[4]) for row in rows}
        assert held == self.model.stored()
        for turn, (status, *_) in held.items():
            assert self.ended.get(turn, status) == status
            if status != "streaming":
                self.ended[turn] = status

    @invariant()
    def readers_see_an_expired_reply_as_interrupted(self) -> None:
        shown = self.caller.rows(
            "select turn_id, status from list_messages(%s) where role = 'assistant'", self.chat
        )
        assert dict(shown) == {
            name: turn.status if turn.live or turn.status != "streaming" else "interrupted"
            for name, turn in self.model.turns.items()
        }

    def teardown(self) -> None:
        turns.assert_counters_are_right(self.caller)


@pytest.fixture
def chats(database: Database) -> Iterator[type[Chats]]:
    with database.new_user().signed_in() as signed_in:

        class Here(Chats):
            caller = signed_in

        Here.database = database
        yield Here


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MANY, marks=pytest.mark.long)])
def test_any_order_of_calls_is_answered_as_the_model_says(chats: type[Chats], examples: int) -> None:
    run_state_machine_as_test(
        chats,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        ),
    )
