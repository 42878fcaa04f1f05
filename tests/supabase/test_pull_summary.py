"""pull_summary: every chat, project and document before the first message, and how a device goes on from there."""

import uuid
from typing import Any

import pytest

from tests.fakes.belongings import furnish
from tests.fakes.cluster import Caller, Database, text
from tests.fakes.turns import begin, lease, let_expire, question

Answer = dict[str, Any]


def _without_messages(answer: Answer) -> list[dict[str, Any]]:
    return [each for each in answer["changes"] if each["kind"] != "message"]


def _change(each: dict[str, Any]) -> tuple[int, str]:
    """A change without what an append moves in its chat's row, of which only the append's own changes tell."""
    moved = {"last_sequence_num", "updated_at"} if each["kind"] == "chat" else set()
    return each["change"], repr({name: value for name, value in each["row"].items() if name not in moved})


@pytest.fixture
def owner(anna: Caller) -> Caller:
    """Somebody with rows of every kind."""
    furnish(anna.connection)
    return anna


def test_a_summary_is_a_pull_without_messages(owner: Caller) -> None:
    pulled, summary = owner.pull(None, 0, 5000), owner.summary(None, 0, 5000)
    kinds = {each["kind"] for each in summary["changes"]}
    assert kinds == {"chat", "project", "snapshot", "context", "usage"}
    assert summary == pulled | {
        "changes": _without_messages(pulled),
        "cursor": _without_messages(pulled)[-1]["change"],
    }
    chats = {each["row"]["chat_id"]: each["row"] for each in summary["changes"] if each["kind"] == "chat"}
    assert {chat: row["last_sequence_num"] for chat, row in chats.items()} == dict(
        owner.rows("select chat_id::text, last_sequence_num from public.chats")
    )


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_give_every_row_once(owner: Caller, limit: int) -> None:
    answer = owner.summary(None, 0, limit)
    changes = list(answer["changes"])
    while answer["more"]:
        assert len(answer["changes"]) == limit
        answer = owner.summary(answer["epoch"], answer["cursor"], limit)
        assert not answer["reset"]
        changes += answer["changes"]
    assert changes == _without_messages(owner.pull(None, 0, 5000))


def test_messages_alone_are_nothing_to_summarise(anna: Caller) -> None:
    chat = anna.new_chat()
    first = anna.summary(None, 0)
    anna.append(chat, [text() for _ in range(3)])
    answer = anna.summary(first["epoch"], first["cursor"])
    assert answer == first | {"head": 4, "reset": False, "changes": []}


def test_another_epoch_or_a_cursor_ahead_of_the_head_starts_from_nothing(anna: Caller) -> None:
    anna.new_chat()
    epoch = anna.summary(None, 0)["epoch"]
    for given, cursor in ((None, 1), (str(uuid.uuid4()), 1), (epoch, 2)):
        answer = anna.summary(given, cursor)
        assert (answer["reset"], answer["cursor"], len(answer["changes"])) == (True, 1, 1)
    assert anna.summary(epoch, None)["reset"] is False


def test_an_answer_stays_near_4_mib(anna: Caller) -> None:
    long = "\U0001f600" * 1000
    for _ in range(3):
        anna.save(*({"chat_id": str(uuid.uuid4()), "title": long} for _ in range(400)))
    answer = anna.summary(None, 0, 5000)
    assert answer["more"]
    assert 800 < len(answer["changes"]) < 1000


def test_replies_whose_writers_fell_silent_are_interrupted_by_a_summary_too(
    database: Database, anna: Caller
) -> None:
    chat = anna.new_chat()
    begin(anna, chat, lease(), lease(), question(lease()), lease())
    head = anna.summary(None, 0)["head"]
    let_expire(database, chat)
    assert anna.summary(None, 0)["head"] == head + 1
    assert anna.rows("select status from public.messages where sequence_num = 2") == [("interrupted",)]


def test_a_new_device_that_opens_on_summaries_and_history_holds_what_one_holds_that_pulled_all(
    owner: Caller,
) -> None:
    """Others go on writing between its pages; changes after its first head come by pulling on."""
    chat = owner.new_chat("Busy")
    held: dict[tuple[Any, ...], dict[str, Any]] = {}

    def hold(changes: list[dict[str, Any]]) -> None:
        for each in changes:
            row = each["row"]
            names = [row.get(name) for name in ("chat_id", "message_id", "source", "project_id")]
            key = (each["kind"], *(names[:3] if row.get("chat_id") else names))
            if key not in held or held[key]["change"] < each["change"]:
                held[key] = each

    answer = owner.summary(None, 0, 2)
    epoch, head = answer["epoch"], answer["head"]
    hold(answer["changes"])
    while answer["more"]:
        owner.push((), {chat: [text()]})
        answer = owner.summary(epoch, answer["cursor"], 2)
        hold(answer["changes"])
    lasts = {key[1]: each["row"]["last_sequence_num"] for key, each in held.items() if key[0] == "chat"}
    for name, last in lasts.items():
        owner.push((), {chat: [text()]})
        while last:
            filled = owner.fill((name, 1, last), limit=2)
            hold(filled["changes"])
            last = filled["covered"][-1]["first"] - 1
    answer = owner.pull(epoch, head, 5000)
    hold(answer["changes"])
    whole = owner.pull(None, 0, 5000)["changes"]
    assert sorted(map(_change, held.values())) == sorted(map(_change, whole))
