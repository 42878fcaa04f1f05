"""Reading a chat page by page from its newest message (I16)."""

import pytest

from tests.fakes.cluster import Caller, text


def test_older_pages_of_120_messages_show_every_message_once(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text(f"m{number}") for number in range(1, 121)])
    seen: list[int] = []
    before = None
    while page := anna.history(chat, before):
        assert len(page) <= 50
        seen += [row[0] for row in page]
        before = page[-1][0]
    assert seen == list(range(120, 0, -1))


def test_pages_stay_whole_while_others_append(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text() for _ in range(60)])
    first = anna.history(chat, limit=40)
    anna.append(chat, [text() for _ in range(30)])
    second = anna.history(chat, before=first[-1][0], limit=40)
    assert [row[0] for row in first + second] == list(range(60, 0, -1))


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 1), (-5, 1), (1, 1), (200, 200), (100_000, 200), (None, 50)]
)
def test_the_page_size_stays_between_1_and_200(anna: Caller, asked: int, given: int) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text() for _ in range(210)])
    assert len(anna.history(chat, limit=asked)) == given


def test_the_defaults_are_the_newest_fifty(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text() for _ in range(60)])
    rows = anna.rows("select sequence_num from list_messages(p_chat_id => %s)", chat)
    assert [row[0] for row in rows] == list(range(60, 10, -1))


@pytest.mark.parametrize(
    "query", ["select from list_messages(null)", "select from list_messages(gen_random_uuid(), 1)"]
)
def test_what_is_not_there_has_no_messages(anna: Caller, query: str) -> None:
    assert anna.rows(query) == []


def test_counting_tells_how_many_messages_a_chat_has(anna: Caller) -> None:
    chat = anna.new_chat()
    assert anna.count(chat) == 0
    anna.append(chat, [text() for _ in range(3)])
    assert anna.count(chat) == 3
