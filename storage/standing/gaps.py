"""Where a page of messages has to end, since numbers beside it are not held here.

A message that is here although its number is not held (confirmed as a duplicate, or doubted) is shown where it belongs:
only the numbers around it are a gap.
"""

from collections.abc import Iterable, Sequence

from storage.records import ChatId, Hole
from storage.standing import held
from storage.transaction import Reader


def below(db: Reader, chat_id: ChatId, before: int | None, low: int, shown: Sequence[int]) -> Hole | None:
    """The highest gap under number `before`, without one under all numbers, down to `low`.

    `shown` are the numbers of messages that are there, newest first.
    """
    last = _end(db, chat_id)
    top = last if before is None else min(last, before - 1)
    for hole in held.holes(db, chat_id, low, top):
        for first, last in _between(hole, shown):
            return Hole(chat_id, first, last)
    return None


def above(db: Reader, chat_id: ChatId, after: int, high: int | None, shown: Sequence[int]) -> Hole | None:
    """The lowest gap over number `after`, up to `high` or the newest number. `shown` is oldest first."""
    last = _end(db, chat_id)
    top = last if high is None else min(last, high)
    for hole in reversed(list(held.holes(db, chat_id, after + 1, top))):
        for first, last in reversed(list(_between(hole, shown[::-1]))):
            return Hole(chat_id, first, last)
    return None


def _end(db: Reader, chat_id: ChatId) -> int:
    row = db.execute("select last_num from chats where chat_id = ? and missing > 0", (chat_id,)).fetchone()
    return row[0] if row else 0


def _between(hole: held.Range, shown: Iterable[int]) -> Iterable[held.Range]:
    """What of the hole lies around the numbers that are there, newest first."""
    first, last = hole
    for number in shown:
        if first <= number <= last:
            if number < last:
                yield number + 1, last
            last = number - 1
    if first <= last:
        yield first, last
