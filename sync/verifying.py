"""Lays what a device holds beside what its server has, message by message, and says exactly what differs (I14)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from storage.exchange import Head, HistoryPage, MessageChange
from storage.inbound import ledger
from storage.inbound.ledger import Entry
from storage.records import AccountId, ChatId, Hole, MessageId
from storage.store import Store
from sync.protocol import HISTORY_MAX_MESSAGES, MAX_ROWS


class Fault(StrEnum):
    """How a message differs between the device and its server."""

    LOST = "lost"
    UNSENT = "unsent"
    DOUBLED = "doubled"
    OUT_OF_ORDER = "out of order"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One message that is not the same on both sides.

    Lost: the server has it, this device does not; unsent: this device takes it for synced, the server does not have it.
    """

    chat_id: ChatId
    message_id: MessageId
    fault: Fault


@dataclass(slots=True)
class Verification:
    """What was compared, and what differs. `last_nums` are the server's last numbers of the chats that differ."""

    chats: int = 0
    messages: int = 0
    differences: list[Difference] = field(default_factory=list)
    last_nums: dict[ChatId, int] = field(default_factory=dict)

    def count(self, fault: Fault) -> int:
        """How many messages differ in this way."""
        return sum(difference.fault is fault for difference in self.differences)


class Witness(Protocol):
    """The part of a remote that tells what the server has. Raises SyncError."""

    async def pull_heads(self, after: ChatId | None, limit: int) -> tuple[Head, ...]: ...  # noqa: D102 as in the remote

    async def pull_history(self, holes: tuple[Hole, ...], limit: int) -> HistoryPage: ...  # noqa: D102


async def verify(store: Store, account_id: AccountId, witness: Witness) -> Verification:
    """Compares every chat of the account by its digest, and those that differ row by row. Changes nothing.

    What other devices write meanwhile may show as a difference: sync, and verify once more. Raises SyncError and
    StorageError.
    """
    found = Verification()
    held = dict(store.read(lambda db: ledger.chats(db, account_id)))
    after: ChatId | None = None
    while heads := await witness.pull_heads(after, MAX_ROWS):
        for head in heads:
            waits = held.pop(head.chat_id, False)
            found.chats += 1
            found.messages += head.message_count
            if not store.read(partial(ledger.agrees, head=head)):
                await _lay_beside(store, account_id, witness, head, found, waits=waits)
        after = heads[-1].chat_id
    for chat_id in held:
        _compare(found, chat_id, {}, _entries(store, account_id, chat_id), waits=False)
        found.last_nums.setdefault(chat_id, 0)
    return found


def distrust(store: Store, account_id: AccountId, found: Verification) -> None:
    """Has the chats that differ filled again from the server by the next round of sync."""
    store.write(lambda tx: ledger.distrust(tx, account_id, found.last_nums)).result()


async def _lay_beside(
    store: Store, account_id: AccountId, witness: Witness, head: Head, found: Verification, *, waits: bool
) -> None:
    theirs = await _rows(witness, head)
    before = len(found.differences)
    _compare(found, head.chat_id, theirs, _entries(store, account_id, head.chat_id), waits=waits)
    if len(found.differences) > before:
        found.last_nums[head.chat_id] = head.last_sequence_num


async def _rows(witness: Witness, head: Head) -> dict[MessageId, MessageChange]:
    rows: dict[MessageId, MessageChange] = {}
    last = head.last_sequence_num
    while last >= 1:
        page = await witness.pull_history((Hole(head.chat_id, 1, last),), HISTORY_MAX_MESSAGES)
        rows.update((row.message_id, row) for row in page.messages)
        last = min((hole.first for hole in page.covered), default=1) - 1
    return rows


def _entries(store: Store, account_id: AccountId, chat_id: ChatId) -> Mapping[MessageId, Entry]:
    return store.read(lambda db: ledger.entries(db, account_id, chat_id))


def _compare(
    found: Verification,
    chat_id: ChatId,
    theirs: Mapping[MessageId, MessageChange],
    ours: Mapping[MessageId, Entry],
    *,
    waits: bool,
) -> None:
    doubled = _repeated(row.sequence_num for row in theirs.values()) | _repeated(
        entry.sequence_num for entry in ours.values()
    )
    for message_id in {**theirs, **ours}:
        fault = _fault(theirs.get(message_id), ours.get(message_id), doubled, waits=waits)
        if fault is not None:
            found.differences.append(Difference(chat_id, message_id, fault))


def _fault(
    row: MessageChange | None, entry: Entry | None, doubled: frozenset[int], *, waits: bool
) -> Fault | None:
    if row is None:
        return None if entry is None or entry.deleted else Fault.UNSENT
    if entry is None:
        return None if row.deleted else Fault.LOST
    if {row.sequence_num, entry.sequence_num} & doubled:
        return Fault.DOUBLED
    if row.sequence_num != entry.sequence_num:
        return Fault.OUT_OF_ORDER
    if entry.deleted and waits:
        return None
    same = row.deleted == entry.deleted and (row.deleted or row.content == entry.content)
    return None if same else Fault.CHANGED


def _repeated(numbers: Iterable[int]) -> frozenset[int]:
    return frozenset(number for number, times in Counter(numbers).items() if times > 1)


_WORDS: Final = (Fault.LOST, Fault.DOUBLED, Fault.OUT_OF_ORDER)


def in_words(found: Verification) -> str:
    """Like "0 lost, 0 doubled, 0 out of order in 3 chats and 120 messages", and what else differs."""
    counted = [f"{found.count(fault)} {fault}" for fault in _WORDS]
    counted += [
        f"{number} {words}"
        for number, words in (
            (found.count(Fault.UNSENT), "missing on the server"),
            (found.count(Fault.CHANGED), "with another text or state"),
        )
        if number
    ]
    return f"{', '.join(counted)} in {found.chats} chats and {found.messages} messages"
