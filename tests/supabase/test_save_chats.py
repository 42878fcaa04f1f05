"""Saving chats: only what is sent changes, and one bad chat never stops the others."""

import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, text

FIELDS = "title, project_id::text, model, pinned, archived, deleted"


def _stored(caller: Caller, chat: str) -> tuple[object, ...]:
    return tuple(caller.rows(f"select {FIELDS} from public.chats where chat_id = %s", chat)[0])


def test_the_first_save_makes_the_chat_and_later_ones_change_what_they_name(anna: Caller) -> None:
    chat, project = str(uuid.uuid4()), str(uuid.uuid4())
    assert anna.save({"chat_id": chat}) == [(uuid.UUID(chat), "saved", None)]
    assert _stored(anna, chat) == ("", None, None, False, False, False)
    anna.save({"chat_id": chat, "title": "Trains", "project_id": project, "model": "m", "pinned": True})
    anna.save({"chat_id": chat, "archived": True, "project_id": None, "from_the_future": 1})
    assert _stored(anna, chat) == ("Trains", None, "m", True, True, False)
    anna.save({"chat_id": chat, "deleted": True, "model": None, "title": ""})
    assert _stored(anna, chat) == ("", None, None, True, True, True)


def test_a_retry_takes_no_change_number(anna: Caller) -> None:
    chat = {"chat_id": str(uuid.uuid4()), "title": "x", "pinned": True}
    anna.save(chat)
    head = anna.pull(None, 0)["head"]
    assert anna.save(chat)[0][1] == "saved"
    assert anna.pull(None, 0)["head"] == head


def test_a_chat_twice_in_one_call_ends_as_the_last_one_says(anna: Caller) -> None:
    chat = str(uuid.uuid4())
    answer = anna.save({"chat_id": chat, "title": "a"}, {"chat_id": chat.upper(), "title": "b"})
    assert [row[1] for row in answer] == ["saved", "saved"]
    assert _stored(anna, chat)[0] == "b"


@pytest.mark.parametrize(
    "bad",
    [
        7,
        {},
        {"chat_id": None},
        {"chat_id": "not-a-uuid"},
        {"chat_id": 7},
        {"title": None},
        {"title": 7},
        {"title": "x" * 1001},
        {"project_id": "x"},
        {"project_id": {}},
        {"model": 7},
        {"model": "x" * 201},
        {"pinned": None},
        {"archived": "yes"},
        {"deleted": 1},
        {"marked_unread": None},
        {"marked_unread": "yes"},
        {"read_upto": None},
        {"read_upto": "1"},
        {"read_upto": -1},
        {"read_upto": 1.5},
        {"read_upto": 2**63},
        {"read_upto": 10**300},
    ],
    ids=str,
)
def test_one_bad_chat_is_rejected_with_a_reason_and_the_others_are_saved(anna: Caller, bad: Any) -> None:
    chats = [str(uuid.uuid4()) for _ in range(3)]
    if isinstance(bad, dict) and bad and "chat_id" not in bad:
        bad = {"chat_id": chats[1], **bad}
    answer = anna.save({"chat_id": chats[0]}, bad, {"chat_id": chats[2]})
    assert [row[1] for row in answer] == ["saved", "rejected", "saved"]
    assert answer[1][2].endswith(".")
    stored = {str(row[0]) for row in anna.rows("select chat_id from public.chats")}
    assert stored == {chats[0], chats[2]}


@pytest.mark.parametrize(
    ("chats", "code"),
    [
        ("'{}'", "PT400"),
        ("null", "PT400"),
        ("(select jsonb_agg(i) from generate_series(1, 501) as i)", "PT413"),
    ],
)
def test_a_call_that_is_no_list_or_too_long_is_refused(anna: Caller, chats: str, code: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        anna.rows(f"select save_chats({chats})")
    assert refused.value.sqlstate == code


@pytest.mark.parametrize(
    "fields", [{"title": "é" * 1000}, {"model": "x" * 200}, {"project_id": str(uuid.uuid4())}]
)
def test_the_longest_fields_are_saved(anna: Caller, fields: Mapping[str, str]) -> None:
    assert anna.save({"chat_id": str(uuid.uuid4()), **fields})[0][1] == "saved"


def _reading(caller: Caller, chat: str) -> tuple[object, ...]:
    return tuple(caller.rows("select read_upto, marked_unread from public.chats where chat_id = %s", chat)[0])


def test_the_device_that_read_the_furthest_wins_and_nobody_reads_past_the_end(anna: Caller) -> None:
    chat = anna.new_chat()
    assert _reading(anna, chat) == (0, False)
    anna.append(chat, [text() for _ in range(5)])
    for sent, stored in ((3, 3), (1, 3), (5.0, 5), (99, 5), (2**63 - 1, 5), (0, 5)):
        assert anna.save({"chat_id": chat, "read_upto": sent})[0][1] == "saved"
        assert _reading(anna, chat) == (stored, False)


def test_reading_is_a_change_but_no_edit(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text()])
    edited = anna.rows("select updated_at from public.chats")
    head = anna.pull(None, 0)["head"]
    for _ in range(2):
        anna.save({"chat_id": chat, "read_upto": 1, "marked_unread": True})
    assert anna.pull(None, 0)["head"] == head + 1
    assert anna.rows("select updated_at from public.chats") == edited
    anna.save({"chat_id": chat, "marked_unread": False, "title": "x"})
    assert _reading(anna, chat) == (1, False)
    assert anna.rows("select updated_at from public.chats") > edited


def test_nobody_sets_what_the_server_keeps(anna: Caller) -> None:
    chat = anna.new_chat()
    own = "last_sequence_num, message_count, digest, change, forked_from_chat_id, forked_from_sequence_num, owner_id"
    before = anna.rows(f"select {own} from public.chats")
    kept = dict.fromkeys(own.split(", "), 7)
    assert anna.save({"chat_id": chat, **kept})[0][1] == "saved"
    assert anna.rows(f"select {own} from public.chats") == before
