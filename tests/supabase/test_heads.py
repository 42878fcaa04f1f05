"""The heads of chats: what a device compares with what it holds, in pages (I14)."""

import hashlib
import uuid
from functools import reduce
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Database, text

NIL = uuid.UUID(int=0)
MANY = """
insert into public.chats (owner_id, chat_id, deleted, change)
select owner_id, gen_random_uuid(), n % 5 = 0, head + n from public.owner_heads, generate_series(1, %(chats)s) as n
where owner_id = %(owner)s;
update public.owner_heads set head = head + %(chats)s where owner_id = %(owner)s;
"""


def _page(caller: Caller, after: uuid.UUID | None, limit: int | None = 1000) -> list[tuple[Any, ...]]:
    return caller.rows("select * from chat_heads(%s, %s)", after, limit)


def _all(caller: Caller, limit: int) -> list[tuple[Any, ...]]:
    pages = [_page(caller, None, limit)]
    while len(pages[-1]) == limit:
        pages.append(_page(caller, pages[-1][-1][0], limit))
    return [row for page in pages for row in page]


def test_heads_agree_with_a_digest_that_a_device_computes_from_its_rows(anna: Caller) -> None:
    chats = {anna.new_chat(): 0, anna.new_chat(): 3, anna.new_chat(): 40}
    for chat, count in chats.items():
        anna.append(chat, [text() for _ in range(count)])
        anna.append(chat, [text("é")] * 2)
    heads = {str(row[0]): tuple(row[1:]) for row in anna.rows("select * from chat_heads()")}
    for chat, count in chats.items():
        marks = [f"{number}:{message_id}:1" for number, message_id in anna.history(chat, limit=200)]
        digests = [int(hashlib.md5(mark.encode()).hexdigest()[:16], 16) for mark in marks]
        expected = reduce(lambda one, other: one ^ other, digests, 0)
        assert heads[chat] == (count + 1, count + 1, f"{expected:016x}")


@pytest.fixture
def many(database: Database, anna: Caller) -> list[uuid.UUID]:
    """2,500 chats, every fifth of them deleted, in the order of their ids."""
    anna.new_chat()
    owner = anna.rows("select auth.uid()")[0][0]
    with database.connect() as admin:
        admin.execute(MANY.replace("%(chats)s", "2499").replace("%(owner)s", f"'{owner}'").encode())
    return [row[0] for row in anna.rows("select chat_id from public.chats order by chat_id")]


@pytest.mark.parametrize("limit", [1000, 999, 500, 7])
def test_pages_hold_every_chat_once_in_order(anna: Caller, many: list[uuid.UUID], limit: int) -> None:
    assert len(many) == 2500
    assert [row[0] for row in _all(anna, limit)] == many


def test_a_page_never_holds_more_than_a_gateway_lets_through(anna: Caller, many: list[uuid.UUID]) -> None:
    first = anna.rows("select * from chat_heads()")
    assert [row[0] for row in first] == many[:1000]
    for limit in (None, 1001, 2**31 - 1):
        assert _page(anna, None, limit) == first
    for limit in (0, -7):
        assert [row[0] for row in _page(anna, None, limit)] == many[:1]
    assert _page(anna, many[-1]) == []
    assert [row[0] for row in _page(anna, uuid.UUID(int=many[1200].int - 1), 2)] == many[1200:1202]


def test_chats_that_come_and_grow_between_two_pages_make_none_slip(
    anna: Caller, many: list[uuid.UUID]
) -> None:
    page = _page(anna, None)
    anna.save({"chat_id": str(NIL)}, {"chat_id": str(uuid.UUID(int=2**128 - 1))})
    anna.save({"chat_id": str(many[1]), "title": "x"}, {"chat_id": str(many[1500]), "deleted": True})
    rest = _page(anna, page[-1][0]) + _page(anna, many[1999])
    assert [row[0] for row in page + rest] == [*many, uuid.UUID(int=2**128 - 1)]
    assert _page(anna, None, 1)[0][0] == NIL
    assert _page(anna, NIL, 1)[0][0] == many[0]


def test_deep_pages_cost_what_the_first_one_costs(anna: Caller, many: list[uuid.UUID]) -> None:
    counters = "select seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables where relname = 'chats'"
    for after in (None, many[2000]):
        with anna.connection.transaction():
            before = anna.rows(counters)[0]
            assert len(_page(anna, after, 10)) == 10
            read = [new - old for new, old in zip(anna.rows(counters)[0], before, strict=True)]
        assert (read[0], read[1] <= 11) == (0, True)
