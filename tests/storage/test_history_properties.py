"""Any order of pulls, pages of history, verdicts, tombstones and resets leaves the ranges exactly what they say."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from hashlib import md5
from itertools import pairwise
from operator import xor
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storage import accounts, messages
from storage.exchange import BatchVerdict, Change, Head, MessageChange, Receipt, Span, Verdict, VerdictStatus
from storage.inbound import heads, history, inbox
from storage.outbound import outbox
from storage.records import Account, AccountId, ChatId, Cursor, Message, MessageId, Position, SyncState
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, chat_change, history_page, message_change, verdict

ACCOUNT = AccountId("account-a")
CHATS = (ChatId("a"), ChatId("b"))
TRUTH = (
    "select count(*), coalesce(sum(sync_state = 'pending'), 0), coalesce(sum(sync_state = 'rejected'), 0), "
    "min(iif(sync_state = 'pending', local_order, null)) from messages where chat_id = ?"
)

T = TypeVar("T")
chats = st.sampled_from(CHATS)


class Server:
    """One owner's rows in the order of their changes, as pull_changes shows them."""

    def __init__(self, epoch: int) -> None:
        self.epoch = f"epoch-{epoch}"
        self.head = len(CHATS)
        self.rows: dict[ChatId, list[MessageChange]] = {chat: [] for chat in CHATS}

    def write(self, chat: ChatId, message_id: str, words: str = "hi") -> MessageChange:
        self.head += 1
        row = message_change(self.head, chat, message_id, len(self.rows[chat]) + 1, words)
        self.rows[chat].append(row)
        return row

    def edit(self, chat: ChatId, number: int, *, deleted: bool) -> None:
        old = self.rows[chat][number - 1]
        self.head += 1
        words = "" if deleted else f"edited {self.head}"
        self.rows[chat][number - 1] = message_change(
            self.head, chat, old.message_id, number, words, revision=old.revision + 1, deleted=deleted
        )

    def changes(self, after: int) -> list[Change]:
        rows = [row for rows in self.rows.values() for row in rows]
        made: list[Change] = [
            chat_change(number, chat, last=self.last(chat)) for number, chat in enumerate(CHATS, 1)
        ]
        return sorted((each for each in [*made, *rows] if each.change > after), key=lambda each: each.change)

    def chat_head(self, chat: ChatId) -> Head:
        texts = [f"{row.sequence_num}:{row.message_id}:{row.revision}" for row in self.rows[chat]]
        digest = reduce(xor, (int(md5(text.encode()).hexdigest()[:16], 16) for text in texts), 0)
        live = sum(not row.deleted for row in self.rows[chat])
        return Head(chat, self.last(chat), live, f"{digest:016x}")

    def last(self, chat: ChatId) -> int:
        return len(self.rows[chat])


class Ranges(RuleBasedStateMachine):
    """One device and one server; every rule is one transaction that the engine may ask for."""

    made = 0
    folder: str

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        self.store = Store.open(Path(self.folder) / f"{type(self).made}.sqlite3")
        self.server = Server(1)
        self.seen: dict[ChatId, set[int]] = {chat: set() for chat in CHATS}
        self.words = 0

    def teardown(self) -> None:
        self.store.close()

    @initialize(history=st.integers(0, 40), summary=st.booleans())
    def begin(self, history: int, summary: bool) -> None:
        record = Account(ACCOUNT, "http://127.0.0.1:1", "key", "a@example.org", "user-a", True)
        self._write(lambda tx: accounts.remember(tx, record))
        for number in range(history):
            self.server.write(CHATS[number % 3 // 2], f"old{number}")
        if summary:
            self._open()
        else:
            self._pull_all(reset=True)

    @rule(chat=chats, many=st.integers(1, 6))
    def another_device_writes(self, chat: ChatId, many: int) -> None:
        for _ in range(many):
            self.words += 1
            self.server.write(chat, f"other{self.words}")

    @rule(chat=chats, data=st.data(), deleted=st.booleans())
    def another_device_edits(self, chat: ChatId, data: st.DataObject, deleted: bool) -> None:
        if last := self.server.last(chat):
            self.server.edit(chat, data.draw(st.integers(1, last)), deleted=deleted)

    @rule(chat=chats, same=st.sampled_from(["none", "same words", "other words"]))
    def a_person_writes(self, chat: ChatId, same: str) -> None:
        self.words += 1
        known = MessageId(f"mine{self.words}")
        if same != "none":
            # An answer that was lost, or another device with the same id.
            self.server.write(chat, known, "hi" if same == "same words" else "others")
        self._write(lambda tx: messages.commit(tx, chat, "hi", message_id=known))

    @rule(most=st.integers(1, 12))
    def a_page_is_pulled(self, most: int) -> None:
        cursor = self.store.read(lambda db: inbox.cursor(db, ACCOUNT))
        changes = self.server.changes(cursor.change)
        part, more = changes[:most], len(changes) > most
        page = change_page(
            part,
            epoch=self.server.epoch,
            cursor=part[-1].change if more else self.server.head,
            more=more,
        )
        assert self._write(lambda tx: inbox.apply(tx, ACCOUNT, page))
        self._saw(part)

    @rule(
        rows=st.integers(1, 15),
        chunks=st.integers(1, 3),
        chat=st.none() | chats,
        before=st.none() | st.integers(1, 60),
    )
    def holes_are_filled(self, rows: int, chunks: int, chat: ChatId | None, before: int | None) -> None:
        asked = self.store.read(
            lambda db: history.holes(db, ACCOUNT, chat_id=chat, before=before, rows=rows, chunks=chunks)
        )
        for chunk in asked:
            found = [
                self.server.rows[hole.chat_id][number - 1]
                for hole in chunk
                for number in range(hole.last, hole.first - 1, -1)
            ]
            page = history_page(found, chunk, epoch=self.server.epoch)
            assert self._write(partial(history.apply, account_id=ACCOUNT, page=page))
            self._saw(found)

    @rule(most=st.integers(1, 8), overtaken=st.booleans(), skip=st.booleans())
    def a_parcel_is_pushed(self, most: int, overtaken: bool, skip: bool) -> None:
        work = self.store.read(lambda db: outbox.load_parcel(db, ACCOUNT, max_messages=most))
        before = self.server.head
        batches = tuple(
            BatchVerdict(
                batch.chat_id, None, tuple(self._judge(batch.chat_id, each) for each in batch.messages)
            )
            for batch in work.parcel.batches
        )
        span = Span(self.server.epoch, before, self.server.head)
        if overtaken:
            self.a_page_is_pulled(6)
        answer = Receipt((), (), batches, (), span)
        self._write(lambda tx: outbox.record_receipt(tx, ACCOUNT, self.server.epoch, work.parcel, answer))
        for told in answer.batches:
            self.seen[told.chat_id] |= {
                each.sequence_num or 0 for each in told.verdicts if each.status is VerdictStatus.INSERTED
            }
        if skip:
            self._write(lambda tx: inbox.advance(tx, ACCOUNT, span))

    @rule(lost=st.integers(0, 5))
    def the_server_is_wound_back(self, lost: int) -> None:
        old, epoch = self.server, int(self.server.epoch.split("-")[1]) + 1
        self.server = Server(epoch)
        for row in sorted(
            (row for rows in old.rows.values() for row in rows), key=lambda row: row.sequence_num
        ):
            if self.server.last(row.chat_id) < old.last(row.chat_id) - lost and not row.deleted:
                self.server.write(row.chat_id, row.message_id, row.content[0]["text"])
        self._pull_all(reset=True)

    @precondition(lambda self: self._cursor().epoch is not None)
    @rule()
    def a_summary_is_read(self) -> None:
        page = change_page(
            [each for each in self.server.changes(0) if not isinstance(each, MessageChange)],
            epoch=self.server.epoch,
        )
        self._write(lambda tx: inbox.open_with(tx, ACCOUNT, page))

    @rule()
    def heads_are_compared(self) -> None:
        """Nothing is lost here, so no chat may ever be suspected, however often one looks."""
        told = [self.server.chat_head(chat) for chat in CHATS]
        assert self._write(lambda tx: heads.compare(tx, ACCOUNT, told)) == 0

    @rule()
    def everything_is_pulled_and_filled(self) -> None:
        self.a_page_is_pulled(10**6)
        self.holes_are_filled(1000, 8, None, None)
        for chat in CHATS:
            told = self.server.chat_head(chat)
            expected = (told.last_sequence_num, told.message_count, told.digest)
            assert self.store.read(lambda db, chat=chat: heads.digest(db, chat)) == expected  # type: ignore[misc]

    @invariant()
    def held_is_what_was_seen(self) -> None:
        for chat in CHATS:
            assert self._held(chat) == self.seen[chat]

    @invariant()
    def missing_is_exact(self) -> None:
        totals = [0, 0]
        for chat in CHATS:
            last, missing = self._row("select last_num, missing from chats where chat_id = ?", chat)
            assert missing == last - len(self.seen[chat])
            assert max(self.seen[chat], default=0) <= last <= self.server.last(chat)
            totals = [totals[0] + missing, totals[1] + last]
        assert self.store.read(lambda db: history.missing(db, [ACCOUNT])) == tuple(totals)

    @invariant()
    def every_change_up_to_the_cursor_was_seen_or_lies_in_a_hole(self) -> None:
        cursor = self._cursor()
        for chat in CHATS:
            (last,) = self._row("select last_num from chats where chat_id = ?", chat)
            passed = {row.sequence_num for row in self.server.rows[chat] if row.change <= cursor.change}
            assert cursor.epoch == self.server.epoch
            assert all(number <= last for number in passed - self.seen[chat])

    @invariant()
    def counts_are_exact(self) -> None:
        for chat in CHATS:
            counted = self._row("select pending, rejected, oldest_pending from chats where chat_id = ?", chat)
            assert counted == self._row(TRUTH, chat)[1:]

    @invariant()
    def no_page_skips_in_silence(self) -> None:
        for chat in CHATS:
            shown = [message.sequence_num for message in self._walk(chat) if message.sequence_num is not None]
            live = [
                number
                for (number,) in self._all(
                    "select sequence_num from messages where chat_id = ? and sequence_num is not null "
                    "and deleted_at is null order by sequence_num desc",
                    chat,
                )
            ]
            assert shown == live

    @invariant()
    def what_is_held_is_what_the_server_had(self) -> None:
        """Once everything was pulled and filled, the chat reads as on the server."""
        if self._cursor() != Cursor(self.server.epoch, self.server.head):
            return
        for chat in CHATS:
            rows = {row.sequence_num: row for row in self.server.rows[chat] if not row.deleted}
            for message in self._walk(chat):
                if message.sync_state is SyncState.SYNCED and message.sequence_num in self.seen[chat]:
                    assert rows[message.sequence_num].content == message.content

    def _walk(self, chat: ChatId) -> list[Message]:
        """Every message by pages of three. What lies between two neighbours, or below the last one, was seen."""
        found: list[Message] = []
        before: Position | None = None
        (floor,) = self._row("select last_num + 1 from chats where chat_id = ?", chat)
        while True:
            page = self.store.read(lambda db: messages.page(db, chat, before, 3))  # noqa: B023 - called at once
            numbers = [message.sequence_num for message in page.messages if message.sequence_num is not None]
            ends = page.older is None and page.gap is None
            bottom = page.gap.last + 1 if page.gap else 1 if ends else min(numbers, default=floor)
            assert set(range(bottom, floor)) <= self.seen[chat] | set(numbers)
            assert not page.gap or not self.seen[chat].intersection(range(page.gap.first, page.gap.last + 1))
            found += page.messages
            if ends:
                return found
            floor = page.gap.first if page.gap else bottom
            before = Position(page.gap.first, 0) if page.gap else page.older

    def _judge(self, chat: ChatId, message: Message) -> Verdict:
        for row in self.server.rows[chat]:
            if row.message_id == message.message_id:
                same = row.revision == 1 and row.content == message.content
                status = VerdictStatus.DUPLICATE if same or row.deleted else VerdictStatus.CONFLICT
                return verdict(row.message_id, status, row.sequence_num)
        row = self.server.write(chat, message.message_id, message.content[0]["text"])
        return verdict(row.message_id, VerdictStatus.INSERTED, row.sequence_num)

    def _open(self) -> None:
        page = change_page(
            [each for each in self.server.changes(0) if not isinstance(each, MessageChange)],
            epoch=self.server.epoch,
            reset=True,
        )
        self._write(lambda tx: inbox.open_with(tx, ACCOUNT, page))
        self._write(lambda tx: inbox.opened(tx, ACCOUNT, Cursor(self.server.epoch, self.server.head)))

    def _pull_all(self, *, reset: bool) -> None:
        self.seen = {chat: set() for chat in CHATS}
        changes = self.server.changes(0)
        page = change_page(changes, epoch=self.server.epoch, cursor=self.server.head, reset=reset)
        assert self._write(lambda tx: inbox.apply(tx, ACCOUNT, page))
        self._saw(changes)

    def _saw(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, MessageChange):
                self.seen[change.chat_id].add(change.sequence_num)

    def _held(self, chat: ChatId) -> set[int]:
        ranges = self._all("select first, last from held where chat_id = ? order by first", chat)
        assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))
        return {number for first, last in ranges for number in range(first, last + 1)}

    def _cursor(self) -> Cursor:
        return self.store.read(lambda db: inbox.cursor(db, ACCOUNT))

    def _row(self, sql: str, chat: ChatId) -> tuple[int, ...]:
        return self._all(sql, chat)[0]

    def _all(self, sql: str, chat: ChatId) -> list[tuple[int, ...]]:
        return self.store.read(lambda db: db.execute(sql, (chat,)).fetchall())

    def _write(self, job: Callable[[Transaction], T]) -> T:
        return self.store.write(job).result()


@pytest.mark.parametrize("examples", [30, pytest.param(2000, marks=pytest.mark.long)])
def test_ranges_are_exact_whatever_comes_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, examples: int
) -> None:
    Ranges.folder = str(tmp_path_factory.mktemp("ranges"))
    run_state_machine_as_test(
        Ranges,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
