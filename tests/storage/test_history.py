"""History as ranges: what is missing is known, asked for in the order in which people want it, and never passed over."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from storage import accounts, chats, messages
from storage.exchange import Change, HistoryPage, MessageChange, VerdictStatus
from storage.inbound import epochs, history, inbox
from storage.outbound import outbox
from storage.records import AccountId, ChatId, Cursor, Hole, MessageId, Page, Position
from storage.standing import held, openings, unsynced
from storage.store import Store
from tests.fakes.changes import (
    AT,
    change_page,
    chat_change,
    history_page,
    hole,
    message_change,
    record_verdicts,
    verdict,
)

CHAT = ChatId("a")


def numbered(chat: str, numbers: Iterable[int], words: str = "hi") -> list[MessageChange]:
    return [message_change(number, chat, f"{chat}{number}", number, words) for number in numbers]


def open_with(store: Store, account: AccountId, **lasts: int) -> None:
    """The account's chats are known, and so far nothing of them is held."""
    changes = [chat_change(change, chat, last=last) for change, (chat, last) in enumerate(lasts.items(), 1)]
    summary = change_page(changes, reset=True)
    store.write(lambda tx: inbox.open_with(tx, account, summary)).result()
    store.write(lambda tx: inbox.opened(tx, account, Cursor("epoch-1", summary.head))).result()


def fill(store: Store, account: AccountId, chat: str, first: int, last: int, **options: str) -> bool:
    numbers = range(last, first - 1, -1)
    page = history_page(numbered(chat, numbers), [hole(chat, first, last)], **options)
    return apply(store, account, page)


def apply(store: Store, account: AccountId, page: HistoryPage) -> bool:
    return store.write(lambda tx: history.apply(tx, account, page)).result()


def wanted(store: Store, account: AccountId, **options: object) -> list[list[Hole]]:
    chunks = store.read(lambda db: history.holes(db, account, **options))  # type: ignore[arg-type]  # passed on
    return [list(chunk) for chunk in chunks]


def ranges_of(store: Store, chat: str = CHAT) -> list[tuple[int, int]]:
    query = "select first, last from held where chat_id = ? order by first"
    return store.read(lambda db: db.execute(query, (chat,)).fetchall())


def missing(store: Store, chat: str = CHAT) -> tuple[int, int]:
    query = "select missing, last_num from chats where chat_id = ?"
    found: tuple[int, int] = store.read(lambda db: db.execute(query, (chat,)).fetchone())
    return found


def page(store: Store, before: Position | None = None, limit: int = 50) -> Page:
    return store.read(lambda db: messages.page(db, CHAT, before, limit))


def shown(page: Page) -> list[int | None]:
    return [message.sequence_num for message in page.messages]


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([(5, 9)], [(5, 9)]),
        ([(5, 9), (10, 12)], [(5, 12)]),
        ([(5, 9), (1, 4)], [(1, 9)]),
        ([(5, 9), (11, 12)], [(5, 9), (11, 12)]),
        ([(5, 9), (11, 12), (10, 10)], [(5, 12)]),
        ([(5, 9), (6, 7)], [(5, 9)]),
        ([(5, 9), (20, 29), (1, 40)], [(1, 40)]),
        ([(5, 9), (20, 29), (8, 22)], [(5, 29)]),
        ([(1, 1), (3, 3), (5, 5), (7, 7), (2, 6)], [(1, 7)]),
    ],
)
def test_ranges_that_touch_become_one(
    store: Store, account: AccountId, spans: list[tuple[int, int]], merged: list[tuple[int, int]]
) -> None:
    open_with(store, account, a=50)
    for first, last in spans:
        store.write(lambda tx, span=(first, last): held.hold(tx, CHAT, *span)).result()  # type: ignore[misc]
        assert missing(store)[0] == 50 - sum(high - low + 1 for low, high in ranges_of(store))
    assert ranges_of(store) == merged


def test_a_new_device_lists_first_what_was_written_last_not_what_was_made_last(
    store: Store, account: AccountId
) -> None:
    written = {"old but written today": "2026-11-21", "new": "2026-11-20", "newer": "2026-11-19"}
    chats_there = [
        replace(chat_change(change, chat, last=9), updated_at=f"{day}T10:00:00.000Z")
        for change, (chat, day) in enumerate(written.items(), 1)
    ]
    summary = change_page(chats_there, reset=True)
    store.write(lambda tx: inbox.open_with(tx, account, summary)).result()
    store.write(lambda tx: inbox.opened(tx, account, Cursor("epoch-1", 3))).result()

    assert [chat.chat_id for chat in store.read(lambda db: chats.list_chats(db, [account]))] == list(written)
    assert [each.chat_id for each in store.read(lambda db: history.holes(db, account))[0]] == list(written)


def test_a_summary_tells_what_is_missing_and_never_moves_the_cursor(store: Store, account: AccountId) -> None:
    summary = change_page([chat_change(1, "a", last=70), chat_change(2, "b")], reset=True)
    store.write(lambda tx: inbox.open_with(tx, account, summary)).result()
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor()
    assert missing(store) == (70, 70)
    assert store.read(lambda db: history.missing(db, [account])) == (70, 70)
    assert not store.read(lambda db: openings.is_opened(db, account))
    store.write(lambda tx: inbox.opened(tx, account, Cursor("epoch-1", 2))).result()
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor("epoch-1", 2)
    assert store.read(lambda db: openings.is_opened(db, account))


def test_a_store_that_has_a_cursor_keeps_it_while_it_opens(store: Store, account: AccountId) -> None:
    changes: list[Change] = [chat_change(1, "a"), *numbered("a", [1, 2])]
    store.write(lambda tx: inbox.apply(tx, account, change_page(changes, reset=True))).result()
    summary = change_page([chat_change(1, "a", last=2)], reset=True)
    store.write(lambda tx: inbox.open_with(tx, account, summary)).result()
    store.write(lambda tx: inbox.opened(tx, account, None)).result()
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor("epoch-1", 2)
    assert missing(store) == (0, 2)


def test_where_somebody_looks_comes_first_then_every_top_then_the_rest(
    store: Store, account: AccountId
) -> None:
    open_with(store, account, a=300, b=80, c=10)
    shown, *rest = wanted(store, account, chat_id=CHAT, before=251)
    assert shown == [hole("a", 51, 250)]
    assert rest == [
        [hole("c", 1, 10), hole("b", 31, 80), hole("a", 251, 300), hole("b", 1, 30), hole("a", 1, 50)]
    ]


def test_chunks_are_bounded_in_rows_and_in_holes(store: Store, account: AccountId) -> None:
    open_with(store, account, a=2500)
    assert wanted(store, account, chunks=2) == [
        [hole("a", 2451, 2500), hole("a", 1501, 2450)],
        [hole("a", 501, 1500)],
    ]
    for number in range(2, 2500, 2):
        store.write(lambda tx, number=number: held.hold(tx, CHAT, number, number)).result()  # type: ignore[misc]
    chunks = wanted(store, account)
    assert [len(chunk) for chunk in chunks] == [200, 200, 200, 200, 200, 200, 50]
    assert sum(each.last - each.first + 1 for chunk in chunks for each in chunk) == missing(store)[0]


def test_filling_what_is_wanted_again_and_again_fills_everything(store: Store, account: AccountId) -> None:
    lasts = {"a": 130, "b": 3, "c": 51}
    open_with(store, account, **lasts)
    rounds = 0
    while chunks := wanted(store, account, rows=40, chunks=2):
        rounds += 1
        for chunk in chunks:
            assert sum(each.last - each.first + 1 for each in chunk) <= 40
            rows = [row for each in chunk for row in numbered(each.chat_id, range(each.first, each.last + 1))]
            assert apply(store, account, history_page(rows, chunk))
    assert rounds == 3
    assert {chat: ranges_of(store, chat) for chat in lasts} == {
        chat: [(1, last)] for chat, last in lasts.items()
    }
    assert store.read(lambda db: history.missing(db, [account])) == (0, sum(lasts.values()))


def test_a_page_ends_at_a_hole_and_says_so(store: Store, account: AccountId) -> None:
    open_with(store, account, a=100)
    assert page(store) == Page((), None, hole("a", 1, 100))
    fill(store, account, "a", 91, 100)
    fill(store, account, "a", 81, 85)
    newest = page(store)
    assert shown(newest) == list(range(100, 90, -1))
    assert (newest.older, newest.gap) == (None, hole("a", 86, 90))
    last = newest.messages[-1]
    stuck = page(store, Position(last.sequence_num, last.local_order))
    assert stuck == Page((), None, hole("a", 86, 90))
    below = page(store, Position(hole("a", 86, 90).first, 0))
    assert (shown(below), below.gap) == ([85, 84, 83, 82, 81], hole("a", 1, 80))
    inside = page(store, Position(89, 0))
    assert inside == Page((), None, hole("a", 86, 88))
    fill(store, account, "a", 86, 90)
    assert shown(page(store)) == list(range(100, 80, -1))


@pytest.mark.parametrize(("limit", "gap", "more"), [(3, None, True), (4, None, True), (5, (4, 5), False)])
def test_a_hole_below_the_last_row_of_a_full_page_is_told_at_once(
    store: Store, account: AccountId, limit: int, gap: tuple[int, int] | None, more: bool
) -> None:
    open_with(store, account, a=10)
    fill(store, account, "a", 6, 10)
    fill(store, account, "a", 1, 3)
    found = page(store, limit=limit)
    assert shown(found) == list(range(10, 10 - limit, -1))
    assert (found.gap, found.older is not None) == (hole("a", *gap) if gap else None, more)


def test_what_waits_is_shown_above_a_hole_at_the_top(store: Store, account: AccountId) -> None:
    open_with(store, account, a=10)
    fill(store, account, "a", 1, 5)
    store.write(lambda tx: messages.commit(tx, CHAT, "mine", message_id=MessageId("mine"))).result()
    found = page(store)
    assert (shown(found), found.gap) == ([None], hole("a", 6, 10))
    below = page(store, Position(6, 0))
    assert shown(below) == [5, 4, 3, 2, 1]


def test_newer_messages_end_at_a_hole_and_say_so(store: Store, account: AccountId) -> None:
    open_with(store, account, a=20)
    fill(store, account, "a", 1, 5)
    fill(store, account, "a", 11, 20)
    store.write(lambda tx: messages.commit(tx, CHAT, "mine", message_id=MessageId("mine"))).result()

    def newer(number: int, limit: int = 50) -> list[int | None]:
        found = store.read(lambda db: messages.newer(db, CHAT, Position(number, 10**9), limit))
        return [message.sequence_num for message in found]

    def gap(number: int) -> Hole | None:
        return store.read(lambda db: messages.gap_above(db, CHAT, Position(number, 10**9)))

    assert (newer(2), newer(5), newer(2, 2)) == ([3, 4, 5], [], [3, 4])
    assert (gap(2), gap(5), gap(8), gap(20)) == (None, hole("a", 6, 10), hole("a", 9, 10), None)
    assert newer(15) == [16, 17, 18, 19, 20, None]


def test_numbers_of_deleted_messages_are_no_hole(store: Store, account: AccountId) -> None:
    open_with(store, account, a=4)
    rows = [message_change(9, "a", f"a{number}", number, deleted=number in (2, 4)) for number in range(1, 5)]
    assert apply(store, account, history_page(rows, [hole("a", 1, 4)]))
    assert page(store).gap is None
    assert shown(page(store)) == [3, 1]
    assert missing(store) == (0, 4)


def test_an_older_revision_from_history_never_undoes_a_newer_row(store: Store, account: AccountId) -> None:
    open_with(store, account, a=2)
    late = history_page(numbered("a", [1, 2], "old"), [hole("a", 1, 2)])
    newer = change_page([message_change(9, "a", "a2", 2, "new", revision=2)])
    assert store.write(lambda tx: inbox.apply(tx, account, newer)).result()
    assert apply(store, account, late)
    assert [message.content[0]["text"] for message in page(store).messages] == ["new", "old"]


def test_history_moves_no_chat_up_the_list(store: Store, account: AccountId) -> None:
    open_with(store, account, a=5, b=5)
    before = store.read(lambda db: db.execute("select chat_id, activity from chats").fetchall())
    fill(store, account, "a", 1, 5)
    assert store.read(lambda db: db.execute("select chat_id, activity from chats").fetchall()) == before


def test_the_list_shows_when_the_last_message_came(store: Store, account: AccountId) -> None:
    open_with(store, account, a=3)
    rows = [replace(row, created_at=f"202{row.sequence_num}") for row in numbered("a", [1, 3, 2])]
    assert apply(store, account, history_page(rows[:1], [hole("a", 1, 1)]))
    assert store.read(lambda db: chats.get(db, CHAT)).updated_at == AT
    assert apply(store, account, history_page(rows[1:], [hole("a", 2, 3)]))
    assert store.read(lambda db: chats.get(db, CHAT)).updated_at == "2023"


def test_history_confirms_what_waits_with_the_same_words_only(store: Store, account: AccountId) -> None:
    open_with(store, account, a=2)
    for known, words in (("a1", "hi"), ("a2", "mine")):
        store.write(
            lambda tx, known=known, words=words: messages.commit(tx, CHAT, words, message_id=MessageId(known))  # type: ignore[misc]
        ).result()
    fill(store, account, "a", 1, 2)
    assert [(m.message_id, m.sequence_num) for m in page(store).messages] == [("a2", None), ("a1", 1)]
    assert missing(store) == (0, 2)
    assert store.read(lambda db: unsynced.counts(db, [account])).pending == 1


@pytest.mark.parametrize(
    "contradiction",
    [
        history_page(numbered("a", [1]), [hole("a", 1, 1)], epoch="epoch-2"),
        history_page([message_change(1, "a", "other", 5)], [hole("a", 5, 5)]),
        history_page([message_change(1, "a", "a5", 4)], [hole("a", 4, 4)]),
    ],
    ids=["another epoch", "another id at a number", "another number of an id"],
)
def test_history_that_contradicts_changes_nothing(
    store: Store, account: AccountId, contradiction: HistoryPage
) -> None:
    open_with(store, account, a=9)
    fill(store, account, "a", 5, 9)
    assert not apply(store, account, contradiction)
    assert (ranges_of(store), missing(store)) == ([(5, 9)], (4, 9))


def test_holes_of_a_chat_that_is_another_account_s_are_left_alone(store: Store, account: AccountId) -> None:
    open_with(store, account, a=9)
    other = AccountId("account-b")
    store.write(
        lambda tx: (
            tx.db.execute(
                "insert into accounts (account_id, url, publishable_key, email, user_id, signed_in, epoch) "
                "values ('account-b', '', '', '', '', 1, 'epoch-1')"
            ).rowcount
        )
    ).result()
    assert apply(store, other, history_page(numbered("a", [1, 2]), [hole("a", 1, 2)]))
    assert (ranges_of(store), missing(store), shown(page(store))) == ([], (9, 9), [])


def test_the_number_of_a_duplicate_is_a_hole_until_its_row_is_seen(store: Store, account: AccountId) -> None:
    """It may have been edited or deleted elsewhere meanwhile. Its words are shown where they belong."""
    open_with(store, account, a=3)
    fill(store, account, "a", 1, 1)
    store.write(lambda tx: messages.commit(tx, CHAT, "hi", message_id=MessageId("a2"))).result()
    told = [verdict("a2", VerdictStatus.DUPLICATE, 2)]
    store.write(lambda tx: record_verdicts(tx, account, "epoch-1", CHAT, told)).result()
    assert missing(store) == (2, 3)
    assert page(store) == Page((), None, hole("a", 3, 3))
    below = page(store, Position(3, 0))
    assert (shown(below), below.gap) == ([2, 1], None)
    gone = message_change(9, "a", "a2", 2, revision=2, deleted=True)
    assert apply(store, account, history_page([*numbered("a", [3]), gone], [hole("a", 2, 3)]))
    assert (shown(page(store)), missing(store)) == ([3, 1], (0, 3))


def test_a_new_epoch_forgets_what_is_held(store: Store, account: AccountId) -> None:
    open_with(store, account, a=9)
    fill(store, account, "a", 5, 9)
    store.write(lambda tx: epochs.begin(tx, account)).result()
    assert (ranges_of(store), missing(store)) == ([], (0, 0))
    assert store.read(lambda db: history.missing(db, [account])) == (0, 0)


def test_totals_follow_a_chat_to_another_account(store: Store, account: AccountId) -> None:
    open_with(store, account, a=9)
    store.write(lambda tx: tx.db.execute("update chats set account_id = 'local'").rowcount).result()
    assert store.read(lambda db: history.missing(db, [account])) == (0, 0)
    assert store.read(lambda db: history.missing(db, [AccountId("local")])) == (9, 9)
    store.write(lambda tx: tx.db.execute("delete from chats").rowcount).result()
    assert store.read(lambda db: history.missing(db, [AccountId("local")])) == (0, 0)


def test_what_a_server_lost_before_it_was_opened_anew_is_queued_again(
    store: Store, account: AccountId
) -> None:
    """A device that opens with a summary compares chat by chat: what is not shown once a chat is full is lost."""
    changes: list[Change] = [
        chat_change(1, "a"),
        chat_change(2, "gone"),
        *numbered("a", [1, 2, 3]),
        *numbered("gone", [1]),
    ]
    store.write(lambda tx: inbox.apply(tx, account, change_page(changes, reset=True))).result()
    store.write(lambda tx: tx.db.execute("update accounts set epoch = null, change = 0").rowcount).result()
    open_with(store, account, a=2)
    fill(store, account, "a", 1, 1)
    assert pending(store, account) == {"gone": ["gone1"]}
    fill(store, account, "a", 2, 2)
    assert pending(store, account) == {"a": ["a3"], "gone": ["gone1"]}
    assert (shown(page(store)), missing(store)) == ([None, 2, 1], (0, 2))


def pending(store: Store, account: AccountId) -> dict[str, list[str]]:
    work = store.read(lambda db: outbox.load_parcel(db, account))
    return {batch.chat_id: [each.message_id for each in batch.messages] for batch in work.parcel.batches}


def test_the_tally_counts_history_as_pulled(store: Store, account: AccountId) -> None:
    open_with(store, account, a=5)
    fill(store, account, "a", 1, 5)
    fill(store, account, "a", 1, 5)
    assert store.read(lambda db: accounts.tallied(db, account)) == accounts.Tally(pulled=5)
