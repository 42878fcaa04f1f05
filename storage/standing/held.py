"""Which numbers of a chat are known here: ranges that never touch, and what is missing between them.

A number is held when the server's row under it is known: laid into the chat, noted beside words that wait, or kept as
a conflict. Numbers up to `chats.last_num` that are not held are the chat's holes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from storage.records import AccountId, ChatId
from storage.rows import encode
from storage.transaction import Reader, Transaction

Range: TypeAlias = tuple[int, int]
"""First and last number, both included."""

Span: TypeAlias = tuple[ChatId, int, int]
"""A range of a chat's numbers."""

TOP: Final = 50
"""The newest numbers of a chat: what one screen shows. They are filled before anything older."""


def hold(tx: Transaction, chat_id: ChatId, first: int, last: int) -> None:
    """The server's rows of these numbers are known from now on."""
    hold_all(tx, [(chat_id, first, last)])


def hold_numbers(tx: Transaction, numbers: Mapping[ChatId, Iterable[int]]) -> None:
    """As `hold`, for one number or more of each chat, in any order."""
    hold_all(tx, [(chat_id, *each) for chat_id, some in numbers.items() for each in _ranges(some)])


def hold_all(tx: Transaction, spans: Collection[Span]) -> None:
    """As `hold`, for many chats, in few statements."""
    if not spans:
        return
    tops: dict[ChatId, int] = {}
    for chat_id, _, last in spans:
        tops[chat_id] = max(last, tops.get(chat_id, last))
    _settle(tx, [(chat_id, tops[chat_id], added) for chat_id, added in _merge(tx, spans).items()])


def known(tx: Transaction, chat_id: ChatId, last_num: int) -> bool:
    """The server has numbers up to this one. Whether that was news; what is not held of them is now missing."""
    row = tx.db.execute("select last_num from chats where chat_id = ?", (chat_id,)).fetchone()
    if row is None or row[0] >= last_num:
        return False
    _settle(tx, [(chat_id, last_num, 0)])
    return True


def forget(tx: Transaction, account_id: AccountId) -> None:
    """The account's numbers mean nothing any more."""
    tx.db.execute(
        "delete from held where chat_id in (select chat_id from chats where account_id = ?)", (account_id,)
    )
    tx.db.execute(
        "update chats set last_num = 0, missing = 0, top_missing = 0, verified = null, doubted = null, suspect = 0 "
        "where account_id = ? and last_num > 0",
        (account_id,),
    )


def forget_chat(tx: Transaction, chat_id: ChatId, last_num: int) -> None:
    """Nothing of the chat counts as held; the server has numbers up to `last_num`, or to what was pulled since."""
    tx.db.execute("delete from held where chat_id = ?", (chat_id,))
    tx.db.execute(
        "update chats set last_num = max(last_num, ?1), missing = max(last_num, ?1), top_missing = 1, verified = null "
        "where chat_id = ?2",
        (last_num, chat_id),
    )


def holes(db: Reader, chat_id: ChatId, first: int, last: int) -> Iterator[Range]:
    """What is not held between two numbers, newest first. The caller bounds it by `last_num`."""
    for held_first, held_last in db.execute(
        "select first, last from held where chat_id = ? and first <= ? order by first desc", (chat_id, last)
    ):
        if held_last < first:
            break
        if held_last < last:
            yield held_last + 1, last
        last = held_first - 1
    if last >= first:
        yield first, last


def _ranges(numbers: Iterable[int]) -> list[Range]:
    ordered = sorted(set(numbers))
    breaks = [index for index, (one, other) in enumerate(pairwise(ordered), 1) if other != one + 1]
    return [(ordered[a], ordered[b - 1]) for a, b in pairwise([0, *breaks, len(ordered)])]


def _merge(tx: Transaction, spans: Collection[Span]) -> dict[ChatId, int]:
    """Lays the spans into the ranges. How many numbers of each chat were not held before."""
    here: defaultdict[ChatId, set[Range]] = defaultdict(set)
    for chat_id, *near in tx.db.execute(
        "with told (chat_id, first, last) as materialized (select json_extract(value, '$[0]'), "
        "json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(?1)) "
        "select h.chat_id, h.first, h.last from told cross join held h on h.chat_id = told.chat_id "
        "and h.first <= told.last + 1 and h.first >= coalesce((select max(first) from held "
        "where chat_id = told.chat_id and first <= told.first), told.first)",
        (encode(tuple(spans)),),
    ):
        here[chat_id].add((near[0], near[1]))
    there: defaultdict[ChatId, set[Range]] = defaultdict(set)
    for chat_id, first, last in spans:
        there[chat_id].add((first, last))
    merged = {chat_id: _union(here[chat_id] | some) for chat_id, some in there.items()}
    tx.db.conn.executemany(
        "delete from held where chat_id = ? and first = ?",
        [(chat_id, first) for chat_id, some in merged.items() for first, _ in here[chat_id] - some],
    )
    tx.db.conn.executemany(
        "insert into held (chat_id, first, last) values (?, ?, ?)",
        [(chat_id, *each) for chat_id, some in merged.items() for each in some - here[chat_id]],
    )
    return {chat_id: _size(some) - _size(here[chat_id]) for chat_id, some in merged.items()}


def _union(ranges: Iterable[Range]) -> set[Range]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return set(merged)


def _size(ranges: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _settle(tx: Transaction, news: Sequence[tuple[ChatId, int, int]]) -> None:
    """`news` says of each chat its highest number told, and how many numbers are newly held."""
    tx.db.execute(
        "with told (chat_id, top, added) as materialized (select json_extract(value, '$[0]'), "
        "json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(?1)) "
        "update chats set missing = missing + max(0, told.top - last_num) - told.added, "
        "last_num = max(last_num, told.top), verified = null, "
        "top_missing = max(last_num, told.top) is not (select h.last from held h where h.chat_id = told.chat_id "
        "and h.first <= max(1, max(chats.last_num, told.top) - ?2) order by h.first desc limit 1) "
        "from told where chats.chat_id = told.chat_id",
        (encode(news), TOP - 1),
    )
