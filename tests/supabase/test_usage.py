"""What replies cost: at most one bill a message, written with the end of its turn and pulled by every device (I24)."""

import uuid
from typing import Any

import pytest

from tests.fakes import turns
from tests.fakes.cluster import Caller, Database
from tests.fakes.turns import Turn, finish, let_expire

FULL = {
    "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 35, "cost_micros": 1234,
    "models": {"large": {"prompt_tokens": 10}}, "truncated": True,
}  # fmt: skip
STORED = (
    "select prompt_tokens, completion_tokens, total_tokens, cost_micros, models, truncated "
    "from public.message_usage order by change"
)


@pytest.fixture
def turn(anna: Caller) -> Turn:
    running = Turn(anna.new_chat())
    running.begin(anna)
    return running


def end(caller: Caller, turn: Turn, usage: object, status: str = "complete") -> dict[str, Any]:
    return finish(caller, turn.chat, turn.name, turn.lease, status, usage=usage)


@pytest.mark.parametrize(
    ("usage", "stored"),
    [
        (FULL, (10, 20, 35, 1234, {"large": {"prompt_tokens": 10}}, True)),
        ({}, (0, 0, 0, 0, None, False)),
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4, 7, 0, None, False)),
        ({"prompt_tokens": 3.0, "total_tokens": None, "models": None}, (3, 0, 3, 0, None, False)),
        ({"cost_micros": 10**15, "unknown": "field"}, (0, 0, 0, 10**15, None, False)),
    ],
)
def test_usage_is_stored_as_it_was_sent_and_what_is_not_said_is_nothing(
    anna: Caller, turn: Turn, usage: object, stored: tuple[object, ...]
) -> None:
    assert end(anna, turn, usage)["status"] == "finished"
    assert anna.rows(STORED) == [stored]
    turns.assert_counters_are_right(anna)


@pytest.mark.parametrize("status", ["complete", "interrupted", "error"])
def test_every_end_may_have_its_bill(anna: Caller, turn: Turn, status: str) -> None:
    end(anna, turn, FULL, status)
    assert len(anna.rows(STORED)) == 1


def test_a_turn_without_usage_has_no_bill(anna: Caller, turn: Turn) -> None:
    end(anna, turn, None)
    assert anna.rows(STORED) == []


@pytest.mark.parametrize(
    "usage",
    [
        7, [], "free", True, {"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"prompt_tokens": "3"},
        {"cost_micros": 10**15 + 1}, {"total_tokens": 10**40}, {"completion_tokens": []}, {"truncated": 1},
        {"models": "x" * 70_000}, {"models": [[[]]] * 30_000},
    ],
)  # fmt: skip
def test_unusable_usage_is_refused_with_a_reason_and_the_turn_still_runs(
    anna: Caller, turn: Turn, usage: object
) -> None:
    answer = end(anna, turn, usage)
    assert (answer["status"], answer["message_status"]) == ("rejected", "streaming")
    assert answer["reason"]
    assert anna.rows(STORED) == []
    assert end(anna, turn, FULL)["status"] == "finished"


def test_a_bill_is_written_once_however_often_the_end_is_told(anna: Caller, turn: Turn) -> None:
    for _ in range(3):
        end(anna, turn, FULL)
    end(anna, turn, {"cost_micros": 9})
    end(anna, turn, FULL, "error")
    assert anna.rows("select count(*), sum(cost_micros) from public.message_usage") == [(1, 1234)]


def test_a_turn_that_ended_without_its_holder_bills_nothing(
    database: Database, anna: Caller, turn: Turn
) -> None:
    let_expire(database, turn.chat)
    anna.pull(None, 0)
    assert end(anna, turn, FULL)["status"] == "lost"
    assert anna.rows(STORED) == []


def test_devices_pull_the_bill_after_the_reply(anna: Caller, turn: Turn) -> None:
    seen = anna.pull(None, 0)
    end(anna, turn, FULL)
    answer = anna.pull(seen["epoch"], seen["cursor"])
    reply, bill = answer["changes"]
    assert (reply["kind"], reply["row"]["status"]) == ("message", "complete")
    assert bill["kind"] == "usage"
    assert bill["row"].pop("created_at").endswith("+00:00")
    assert bill["row"] == FULL | {"chat_id": turn.chat, "message_id": turn.reply}
    assert answer["cursor"] == answer["head"] == bill["change"] == reply["change"] + 1


def test_what_was_spent_stays_spent_when_the_reply_is_deleted(anna: Caller, turn: Turn) -> None:
    end(anna, turn, FULL)
    anna.rows("select * from delete_messages(%s, %s)", turn.chat, f'["{turn.reply}"]')
    assert len(anna.rows(STORED)) == 1
    turns.assert_counters_are_right(anna)


def test_nobody_reads_the_bills_of_others(anna: Caller, bert: Caller, turn: Turn) -> None:
    end(anna, turn, FULL)
    for table in ("message_usage", "turn_leases"):
        assert bert.rows(f"select * from public.{table}") == []
        assert len(anna.rows(f"select * from public.{table}")) == 1


def test_a_deleted_account_leaves_no_bills(database: Database) -> None:
    leaver = database.new_user()
    with leaver.signed_in() as caller:
        running = Turn(caller.new_chat(), f"turn {uuid.uuid4()}")
        running.begin(caller)
        running.finish(caller)
    with database.connect() as admin:
        admin.execute("delete from auth.users where id = %s", [leaver.user_id])
        for table in ("message_usage", "turn_leases"):
            left = admin.execute(
                f"select count(*) from public.{table} where owner_id = %s".encode(), [leaver.user_id]
            )
            assert left.fetchone() == (0,)
