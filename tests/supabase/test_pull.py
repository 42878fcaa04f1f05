"""Pulling changes by cursor, epochs and resets (I10 to I12)."""

import uuid
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Database, text


def _all_changes(caller: Caller, limit: int = 500) -> list[dict[str, Any]]:
    answer = caller.pull(None, 0, limit)
    changes = list(answer["changes"])
    while answer["more"]:
        answer = caller.pull(answer["epoch"], answer["cursor"], limit)
        assert not answer["reset"]
        changes += answer["changes"]
    assert answer["cursor"] == answer["head"]
    return changes


def test_a_new_owner_has_an_epoch_and_no_changes(anna: Caller) -> None:
    answer = anna.pull(None, 0)
    assert answer == {
        "epoch": answer["epoch"], "cursor": 0, "head": 0, "more": False, "reset": True, "changes": [],
    }  # fmt: skip
    assert anna.pull(answer["epoch"], 0) == answer | {"reset": False}


def test_rows_come_in_change_order_with_the_fields_of_the_contract(anna: Caller) -> None:
    chat = anna.new_chat("Trains")
    anna.append(chat, [text("a", annotations={"x": 1}, turn_id="t", created_at="2026-11-21T10:00:00+02:00")])
    anna.save({"chat_id": chat, "pinned": True})
    answer = anna.pull(None, 0)
    assert [(each["change"], each["kind"]) for each in answer["changes"]] == [(2, "message"), (3, "chat")]
    message, changed = (each["row"] for each in answer["changes"])
    assert message == {
        "chat_id": chat, "message_id": "a", "sequence_num": 1, "role": "user",
        "content": [{"type": "text", "text": "hello"}], "annotations": {"x": 1}, "turn_id": "t",
        "status": "complete", "revision": 1, "created_at": "2026-11-21T08:00:00+00:00", "deleted_at": None,
        "copied_from": None,
    }  # fmt: skip
    assert changed.pop("created_at").endswith("+00:00")
    assert changed.pop("updated_at").endswith("+00:00")
    assert changed == {
        "chat_id": chat, "title": "Trains", "project_id": None, "model": None,
        "pinned": True, "archived": False, "deleted": False, "last_sequence_num": 1,
        "read_upto": 0, "marked_unread": False, "forked_from_chat_id": None, "forked_from_sequence_num": None,
    }  # fmt: skip


@pytest.mark.parametrize("limit", [1, 7, 500, 5000])
def test_pages_of_every_size_give_every_row_once(anna: Caller, limit: int) -> None:
    chats = [anna.new_chat() for _ in range(3)]
    for round_number in range(4):
        for chat in chats:
            anna.append(chat, [text(f"{round_number}{n}") for n in range(5)])
    changes = _all_changes(anna, limit)
    numbers = [each["change"] for each in changes]
    assert numbers == sorted(set(numbers))
    messages = [
        (each["row"]["chat_id"], each["row"]["sequence_num"]) for each in changes if each["kind"] == "message"
    ]
    assert sorted(messages) == sorted((chat, number) for chat in chats for number in range(1, 21))


def test_the_cursor_is_the_last_change_of_the_answer_never_the_head(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text() for _ in range(10)])
    answer = anna.pull(None, 0, 4)
    assert (answer["cursor"], answer["head"], answer["more"]) == (4, 11, True)
    assert anna.pull(answer["epoch"], 11) == answer | {
        "cursor": 11,
        "more": False,
        "reset": False,
        "changes": [],
    }


def test_an_answer_stays_near_4_mib_but_always_has_a_row(anna: Caller) -> None:
    chat = anna.new_chat()
    for _ in range(3):
        anna.append(chat, [text(words="x" * 900_000) for _ in range(2)])
    answer = anna.pull(None, 0)
    assert (len(answer["changes"]), answer["more"]) == (5, True)
    assert len(_all_changes(anna)) == 7


@pytest.mark.parametrize("limit", [0, -1, None])
def test_a_limit_out_of_range_still_makes_progress(anna: Caller, limit: int) -> None:
    anna.new_chat()
    assert anna.pull(None, 0, limit)["cursor"] == 1


def test_another_epoch_or_a_cursor_ahead_of_the_head_starts_from_nothing(anna: Caller) -> None:
    anna.new_chat()
    epoch = anna.pull(None, 0)["epoch"]
    for given, cursor in ((None, 1), (str(uuid.uuid4()), 1), (epoch, 2), (epoch, 2**62)):
        answer = anna.pull(given, cursor)
        assert (answer["reset"], answer["epoch"], answer["cursor"], len(answer["changes"])) == (
            True,
            epoch,
            1,
            1,
        )
    assert anna.pull(epoch, None)["reset"] is False
    assert anna.pull(epoch, -3)["cursor"] == 1


def test_the_restore_runbook_begins_an_epoch_for_everybody(
    database: Database, anna: Caller, bert: Caller
) -> None:
    before = {caller: caller.pull(None, 0)["epoch"] for caller in (anna, bert)}
    with database.connect() as admin:
        admin.execute("select homing.begin_epoch()")
    for caller, epoch in before.items():
        assert caller.pull(epoch, 0)["reset"] is True
        assert caller.pull(None, 0)["epoch"] != epoch
