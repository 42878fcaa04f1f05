"""A chat's history as ranges of numbers: what is missing, in which order it is asked for, and how it is laid in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import Final, TypeAlias

from storage.exchange import HistoryPage
from storage.inbound import epochs, inbox, incoming
from storage.records import AccountId, ChatId, Hole
from storage.rows import marks
from storage.standing import held
from storage.transaction import Reader, Transaction

_SHOWN: Final = 200
"""Numbers that are asked for first where somebody looks: a few screens, answered at once."""

_MOST_HOLES: Final = 200
"""In one request; the server takes no more."""

_Span: TypeAlias = tuple[ChatId, int, int]


def holes(
    db: Reader,
    account_id: AccountId,
    *,
    chat_id: ChatId | None = None,
    before: int | None = None,
    chunks: int = 8,
    rows: int = 1000,
) -> tuple[tuple[Hole, ...], ...]:
    """What to ask for, a request each: at most `rows` numbers in at most 200 holes, newest numbers first.

    First what somebody looks at: `chat_id` below number `before`, without one from the newest; that alone in the first
    request. Then the newest 50 of every chat in the order of the list, then the rest.
    """
    shown = _shown(db, account_id, chat_id, before) if chat_id else ()
    packed = [tuple(_first(db, shown))] if shown else []
    looked_at = (shown[0], packed[0][-1].first, shown[2]) if shown and packed[0] else None
    boxes = _Boxes(chunks - len(packed), rows)
    for span in _spans(db, account_id):
        if boxes.full:
            break
        for part in _apart(span, looked_at):
            boxes.add(Hole(part[0], *each) for each in held.holes(db, *part))
    return tuple(chunk for chunk in (*packed, *map(tuple, boxes.chunks)) if chunk)


def apply(tx: Transaction, account_id: AccountId, page: HistoryPage) -> bool:
    """Lays the messages of holes into their chats. Twice is as good as once.

    Rows that are newer here stay, and so does what is not confirmed. False, and nothing is changed, when the page
    contradicts what is held here, because the server or another process wound back: pull again from nothing.
    """
    epoch = inbox.cursor(tx.db, account_id).epoch
    generation = epochs.generation(tx, account_id)
    if epoch not in (None, page.epoch) or incoming.shows_rewind(tx.db, account_id, generation, page.messages):
        return False
    arrivals = incoming.Arrivals(tx, account_id, generation, history=True)
    for change in page.messages:
        arrivals.take(change)
    arrivals.finish()
    for hole in page.covered:
        if arrivals.owns(hole.chat_id):
            held.hold(tx, hole.chat_id, hole.first, hole.last)
            tx.touch_messages(hole.chat_id)
    newest = {change.chat_id: change for change in sorted(page.messages, key=lambda each: each.sequence_num)}
    for change in newest.values():
        # The list shows when a chat's last message came.
        tx.db.execute(
            "update chats set updated_at = ? where chat_id = ? and account_id = ? and last_num = ?",
            (change.created_at, change.chat_id, account_id, change.sequence_num),
        )
    epochs.requeue_filled(tx, account_id, generation)
    return True


def missing(db: Reader, account_ids: Sequence[AccountId]) -> tuple[int, int]:
    """How many messages exist on the servers and are not held here, and how many exist."""
    row = db.execute(
        "select coalesce(sum(missing), 0), coalesce(sum(known), 0) from accounts "
        f"where account_id in ({marks(account_ids)})",
        tuple(account_ids),
    ).fetchone()
    return int(row[0]), int(row[1])


@dataclass(slots=True)
class _Boxes:
    """Packs holes into requests of a bounded size; what does not fit into one goes on in the next."""

    most: int
    rows: int
    chunks: list[list[Hole]] = field(default_factory=list)
    _left: int = 0

    @property
    def full(self) -> bool:
        return len(self.chunks) >= self.most and not self._room

    @property
    def _room(self) -> bool:
        return bool(self.chunks) and self._left > 0 and len(self.chunks[-1]) < _MOST_HOLES

    def add(self, holes: Iterator[Hole]) -> None:
        for hole in holes:
            last = hole.last
            while last >= hole.first and not self.full:
                if not self._room:
                    self.chunks.append([])
                    self._left = self.rows
                first = max(hole.first, last - self._left + 1)
                self.chunks[-1].append(Hole(hole.chat_id, first, last))
                self._left -= last - first + 1
                last = first - 1
            if self.full:
                return


def _shown(db: Reader, account_id: AccountId, chat_id: ChatId, before: int | None) -> _Span | tuple[()]:
    row = db.execute(
        "select last_num from chats where chat_id = ? and account_id = ? and missing > 0",
        (chat_id, account_id),
    ).fetchone()
    return (chat_id, 1, min(row[0], row[0] if before is None else before - 1)) if row else ()


def _first(db: Reader, span: _Span) -> Iterator[Hole]:
    left = _SHOWN
    for first, last in held.holes(db, *span):
        first = max(first, last - left + 1)
        yield Hole(span[0], first, last)
        left -= last - first + 1
        if not left:
            return


def _spans(db: Reader, account_id: AccountId) -> Iterator[_Span]:
    """Where holes are, each chat's newest numbers first."""
    of_chats = (
        "select chat_id, last_num, activity from chats "
        "where account_id = ? and top_missing = {} and missing > 0 order by activity desc"
    )
    for chat_id, last, _ in db.execute(of_chats.format(1), (account_id,)):
        yield chat_id, max(1, last - held.TOP + 1), last
    topless = (
        (chat_id, last - held.TOP, activity)
        for chat_id, last, activity in db.execute(of_chats.format(1), (account_id,))
    )
    topped = db.execute(of_chats.format(0), (account_id,))
    for chat_id, last, _ in merge(topless, topped, key=lambda row: -row[2]):
        yield chat_id, 1, last


def _apart(span: _Span, taken: _Span | None) -> Iterator[_Span]:
    """The span without the numbers that are taken, newest first."""
    chat_id, first, last = span
    if taken is None or taken[0] != chat_id:
        yield span
        return
    yield chat_id, max(first, taken[2] + 1), last
    yield chat_id, first, min(last, taken[1] - 1)
