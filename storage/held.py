"""Which numbers of a chat are known here: ranges that never touch, and what is missing between them.

A number is held when the server's row under it is known: laid into the chat, noted beside words that wait, or kept as
a conflict. Numbers up to `chats.last_num` that are not held are the chat's holes.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, TypeAlias

from storage.records import AccountId, ChatId
from storage.transaction import Reader, Transaction

Range: TypeAlias = tuple[int, int]
"""First and last number, both included."""

TOP: Final = 50
"""The newest numbers of a chat: what one screen shows. They are filled before anything older."""


def hold(tx: Transaction, chat_id: ChatId, first: int, last: int) -> None:
    """The server's rows of these numbers are known from now on."""
    _settle(tx, chat_id, last, _merge(tx, chat_id, first, last))


def hold_numbers(tx: Transaction, chat_id: ChatId, numbers: Iterable[int]) -> None:
    """As `hold`, for one number or more in any order."""
    ranges = _ranges(numbers)
    _settle(tx, chat_id, ranges[-1][1], sum(_merge(tx, chat_id, *each) for each in ranges))


def known(tx: Transaction, chat_id: ChatId, last_num: int) -> bool:
    """The server has numbers up to this one. Whether that was news; what is not held of them is now missing."""
    row = tx.db.execute("select last_num from chats where chat_id = ?", (chat_id,)).fetchone()
    if row is None or row[0] >= last_num:
        return False
    _settle(tx, chat_id, last_num, 0)
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
    """Nothing of the chat counts as held; the server has numbers up to `last_num`."""
    tx.db.execute("delete from held where chat_id = ?", (chat_id,))
    tx.db.execute(
        "update chats set last_num = ?1, missing = ?1, top_missing = 1, verified = null where chat_id = ?2",
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


def _merge(tx: Transaction, chat_id: ChatId, first: int, last: int) -> int:
    """How many numbers were not held before."""
    near = tx.db.execute(
        "select first, last from held where chat_id = ?1 and first <= ?3 + 1 and first >= coalesce("
        "(select max(first) from held where chat_id = ?1 and first <= ?2), ?2)",
        (chat_id, first, last),
    )
    touching: list[Range] = [each for each in near if each[1] >= first - 1]
    low = min([first, *(each[0] for each in touching)])
    high = max([last, *(each[1] for each in touching)])
    if touching != [(low, high)]:
        tx.db.conn.executemany(
            "delete from held where chat_id = ? and first = ?", [(chat_id, each[0]) for each in touching]
        )
        tx.db.execute("insert into held (chat_id, first, last) values (?, ?, ?)", (chat_id, low, high))
    return high - low + 1 - sum(each[1] - each[0] + 1 for each in touching)


def _settle(tx: Transaction, chat_id: ChatId, last_num: int, added: int) -> None:
    tx.db.execute(
        "update chats set missing = missing + max(0, ?2 - last_num) - ?3, last_num = max(last_num, ?2), "
        "verified = null, top_missing = max(last_num, ?2) is not (select last from held where chat_id = ?1 "
        "and first <= max(1, max(chats.last_num, ?2) - ?4) order by first desc limit 1) where chat_id = ?1",
        (chat_id, last_num, added, TOP - 1),
    )
