from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import accounts, adoption, chats, messages
from storage.errors import InvalidMessage
from storage.exchange import ChangePage, ChatVerdict, Verdict, VerdictStatus
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import (
    LOCAL_ACCOUNT,
    Account,
    AccountId,
    ChatId,
    Cursor,
    MessageId,
    MessageStatus,
    Role,
    SyncState,
    Touched,
)
from storage.standing import openings, unsynced
from storage.store import Store
from tests.fakes.changes import (
    change_page,
    chat_change,
    message_change,
    record_chat_verdicts,
    record_verdicts,
    text,
    verdict,
)

CHAT = ChatId("a")


def apply(store: Store, account: AccountId, page: ChangePage) -> bool:
    return store.write(lambda tx: inbox.apply(tx, account, page)).result()


def say(store: Store, message_id: str, words: str = "hi") -> None:
    store.write(lambda tx: messages.commit(tx, CHAT, words, message_id=MessageId(message_id))).result()


def start(store: Store, account: AccountId) -> None:
    """The chat exists on both sides, at change 1."""
    assert apply(store, account, change_page([chat_change(1, CHAT)], reset=True))


def judge(store: Store, account: AccountId, *verdicts: Verdict, epoch: str = "epoch-1") -> None:
    store.write(lambda tx: record_verdicts(tx, account, epoch, CHAT, verdicts)).result()


def stored(store: Store, columns: str) -> list[tuple[object, ...]]:
    return store.read(lambda db: db.execute(f"select {columns} from messages order by message_id").fetchall())


def shown(store: Store, chat: str = CHAT) -> list[tuple[str, int | None, str]]:
    page = store.read(lambda db: messages.page(db, ChatId(chat)))
    return [(m.message_id, m.sequence_num, m.content[0]["text"]) for m in page.messages]


def test_a_page_brings_chats_messages_and_the_cursor(store: Store, account: AccountId) -> None:
    page = change_page(
        [message_change(1, "a", "m1", 1), message_change(2, "a", "m2", 2), chat_change(3, "a")], reset=True
    )
    assert apply(store, account, page)
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor("epoch-1", 3)
    assert shown(store) == [("m2", 2, "hi"), ("m1", 1, "hi")]
    (chat,) = store.read(lambda db: chats.list_chats(db, [account]))
    assert (chat.title, chat.pending) == ("Trip", 0)


def test_the_cursor_is_the_last_row_applied_and_never_the_head(store: Store, account: AccountId) -> None:
    page = change_page([chat_change(1, CHAT), message_change(2, CHAT, "m1", 1)], more=True, reset=True)
    assert page.head > page.cursor
    apply(store, account, page)
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor("epoch-1", 2)


def test_an_account_that_is_not_known_has_no_cursor(store: Store) -> None:
    assert store.read(lambda db: inbox.cursor(db, AccountId("nobody"))) == Cursor()


def test_a_page_twice_is_as_good_as_once(store: Store, account: AccountId) -> None:
    start(store, account)
    page = change_page(
        [message_change(2, "a", "m1", 1), message_change(3, "a", "m1", 1, "edited", revision=2)]
    )
    for _ in range(2):
        assert apply(store, account, page)
        assert shown(store) == [("m1", 1, "edited")]


def test_what_a_device_pushed_itself_comes_back_without_a_change(store: Store, account: AccountId) -> None:
    start(store, account)
    say(store, "m1")
    (mine,) = store.read(lambda db: messages.page(db, CHAT)).messages
    store.write(lambda tx: record_verdicts(tx, account, "epoch-1", CHAT, [verdict("m1", number=1)])).result()
    touched: list[Touched] = []
    store.subscribe(touched.append)
    back = replace(message_change(2, CHAT, "m1", 1), revision=1, created_at=mine.created_at)
    apply(store, account, change_page([back]))
    assert not any(each.messages for each in touched)
    apply(store, account, change_page([replace(back, change=3, status=MessageStatus.STREAMING)]))
    assert any(each.messages for each in touched)


def test_an_edit_on_the_server_replaces_and_a_tombstone_hides(store: Store, account: AccountId) -> None:
    start(store, account)
    apply(store, account, change_page([message_change(2, "a", "m1", 1), message_change(3, "a", "m2", 2)]))
    apply(store, account, change_page([message_change(4, "a", "m1", 1, "better", revision=2)]))
    assert shown(store) == [("m2", 2, "hi"), ("m1", 1, "better")]
    apply(store, account, change_page([message_change(5, "a", "m2", 2, revision=2, deleted=True)]))
    assert shown(store) == [("m1", 1, "better")]
    assert store.read(lambda db: unsynced.synced_count(db, [account])) == 1


def test_fields_that_were_edited_here_stay_and_the_others_follow(store: Store, account: AccountId) -> None:
    start(store, account)
    store.write(lambda tx: chats.rename(tx, CHAT, "Mine")).result()
    apply(store, account, change_page([chat_change(2, "a", "Theirs", pinned=True)]))
    chat = store.read(lambda db: chats.get(db, CHAT))
    assert (chat.title, chat.pinned) == ("Mine", True)
    edits = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    store.write(lambda tx: record_chat_verdicts(tx, account, edits, [ChatVerdict(CHAT, True, None)])).result()
    apply(store, account, change_page([chat_change(3, "a", "Theirs")]))
    assert store.read(lambda db: chats.get(db, CHAT)).title == "Theirs"


def test_a_chat_of_another_account_is_not_touched(store: Store, account: AccountId) -> None:
    other = Account(AccountId("b"), "http://127.0.0.1:1", "key", "b@example.org", "user-b", True)
    store.write(lambda tx: accounts.remember(tx, other)).result()
    for owner, chat_id in ((LOCAL_ACCOUNT, "local"), (other.account_id, "theirs")):
        store.write(
            lambda tx, owner=owner, chat_id=chat_id: chats.create(
                tx, "Mine", account_id=owner, chat_id=chat_id
            )  # type: ignore[misc]
        ).result()
        assert apply(
            store,
            account,
            change_page([chat_change(1, chat_id), message_change(2, chat_id, "m1", 1)], reset=True),
        )
        chat = store.read(lambda db, chat_id=chat_id: chats.get(db, ChatId(chat_id)))  # type: ignore[misc]
        assert (chat.title, chat.account_id) == ("Mine", owner)
        assert shown(store, chat_id) == []


def test_adopting_a_chat_that_a_pull_passed_over_asks_for_what_there_is_again(
    store: Store, account: AccountId
) -> None:
    store.write(lambda tx: chats.create(tx, "Mine", chat_id=CHAT)).result()
    apply(store, account, change_page([chat_change(1, CHAT), message_change(2, CHAT, "m1", 1)], reset=True))
    store.write(lambda tx: tx.db.execute("update accounts set opened = 1").rowcount).result()
    held = store.read(lambda db: inbox.cursor(db, account))
    store.write(lambda tx: adoption.adopt(tx, account)).result()
    assert store.read(lambda db: inbox.cursor(db, account)) == held
    assert store.read(
        lambda db: db.execute("select opened, passed_over from accounts where account_id = ?", (account,))
        .fetchone()
    ) == (0, 0)  # fmt: skip


def test_adopting_during_an_opening_asks_for_what_it_passed_over_once_more(
    store: Store, account: AccountId
) -> None:
    store.write(lambda tx: chats.create(tx, "Mine", chat_id=CHAT)).result()
    summary = change_page([replace(chat_change(1, CHAT), last_sequence_num=1)], reset=True)
    store.write(lambda tx: inbox.open_with(tx, account, summary)).result()
    store.write(lambda tx: adoption.adopt(tx, account)).result()
    store.write(lambda tx: inbox.opened(tx, account, Cursor("epoch-1", 1))).result()
    assert not store.read(lambda db: openings.is_opened(db, account))
    store.write(lambda tx: inbox.open_with(tx, account, summary)).result()
    store.write(lambda tx: inbox.opened(tx, account, None)).result()
    assert store.read(lambda db: openings.is_opened(db, account))
    assert store.read(lambda db: chats.get(db, CHAT)).missing == 1


def test_a_pending_message_is_confirmed_by_its_own_copy_only(store: Store, account: AccountId) -> None:
    start(store, account)
    say(store, "m1", "mine")
    say(store, "m2", "also mine")
    apply(
        store,
        account,
        change_page([message_change(2, "a", "m1", 1, "mine"), message_change(3, "a", "m2", 2, "not mine")]),
    )
    assert shown(store) == [("m2", None, "also mine"), ("m1", 1, "mine")]


@pytest.mark.parametrize(
    "page",
    [
        change_page([message_change(9, "a", "other", 1)]),
        change_page([message_change(9, "a", "m1", 2)]),
        change_page([message_change(9, "a", "m2", 2)], cursor=1),
        change_page([message_change(9, "a", "m2", 2)], epoch="epoch-2"),
    ],
    ids=[
        "another id at a number",
        "another number for an id",
        "the cursor goes back",
        "a new epoch without a reset",
    ],
)
def test_a_server_that_was_wound_back_is_noticed_and_nothing_is_applied(
    store: Store, account: AccountId, page: ChangePage
) -> None:
    start(store, account)
    apply(store, account, change_page([message_change(2, "a", "m1", 1)]))
    before = store.read(lambda db: inbox.cursor(db, account))
    assert not apply(store, account, page)
    assert shown(store) == [("m1", 1, "hi")]
    assert store.read(lambda db: inbox.cursor(db, account)) == before


def test_cursor_and_rows_are_one_transaction(store: Store, account: AccountId) -> None:
    start(store, account)
    page = change_page([message_change(2, "a", "m1", 1), message_change(3, "a", "m2", 2)])

    def apply_and_fail(tx: object) -> None:
        inbox.apply(tx, account, page)  # type: ignore[arg-type]  # a Transaction, from write
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        store.write(apply_and_fail).result()
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor("epoch-1", 1)
    assert shown(store) == []


NUMBERS = st.lists(st.sampled_from(["m1", "m2", "m3", "m4"]), unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mine=NUMBERS, theirs=NUMBERS, data=st.data())
def test_pending_messages_survive_every_pull(
    store: Store, account: AccountId, mine: list[str], theirs: list[str], data: st.DataObject
) -> None:
    """I17: still there, same text, pending or confirmed with the very same text."""
    fresh(store, account)
    for message_id in mine:
        say(store, message_id, f"mine {message_id}")
    changes = [
        message_change(
            number + 1, CHAT, message_id, number, data.draw(st.sampled_from([f"mine {message_id}", "other"]))
        )
        for number, message_id in enumerate(theirs, start=1)
    ]
    apply(store, account, change_page(changes, cursor=len(changes) + 1))
    rows = {message_id: (number, words) for message_id, number, words in shown(store)}
    for message_id in mine:
        assert rows[message_id][1] == f"mine {message_id}"
    assert set(rows) == set(mine) | set(theirs)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    statuses=st.lists(
        st.sampled_from([VerdictStatus.INSERTED, VerdictStatus.DUPLICATE, VerdictStatus.CONFLICT]),
        min_size=1,
        max_size=5,
    ),
    deleted=st.booleans(),
)
def test_verdicts_and_changes_may_come_in_either_order(
    store: Store, account: AccountId, statuses: list[VerdictStatus], deleted: bool
) -> None:
    outcomes = []
    for verdicts_first in (True, False):
        fresh(store, account)
        verdicts: list[Verdict] = []
        changes = []
        for number, status in enumerate(statuses, start=1):
            say(store, f"m{number}", "mine")
            verdicts.append(verdict(f"m{number}", status, number))
            words = "theirs" if status is VerdictStatus.CONFLICT else "mine"
            revision = 2 if deleted else 1
            changes.append(
                message_change(
                    number + 1, CHAT, f"m{number}", number, words, deleted=deleted, revision=revision
                )
            )
        steps = [
            lambda tx, verdicts=verdicts: record_verdicts(tx, account, "epoch-1", CHAT, verdicts),
            lambda tx, changes=changes: inbox.apply(tx, account, change_page(changes)),
        ]
        for step in steps if verdicts_first else reversed(steps):
            store.write(step).result()
        outcomes.append((content(store), store.read(lambda db: unsynced.counts(db, [account])).rejected))
    assert outcomes[0] == outcomes[1]


def content(store: Store) -> list[tuple[object, ...]]:
    columns = "message_id, sequence_num, sync_state, revision, deleted_at is null"
    live = "case when deleted_at is null then content || created_at end"
    query = f"select {columns}, {live} from messages where chat_id = ? and sync_state = 'synced' order by message_id"
    rejected = (
        "select message_id, content, sync_error from messages where chat_id = ? and sync_state <> 'synced'"
    )
    return store.read(
        lambda db: [*db.execute(query, (CHAT,)).fetchall(), *db.execute(rejected, (CHAT,)).fetchall()]
    )


def fresh(store: Store, account: AccountId) -> None:
    """Forgets all chats and how far the account was pulled, and starts again."""

    def forget(tx: object) -> None:
        tx.db.execute("delete from chats")  # type: ignore[attr-defined]  # a Transaction, from write
        tx.db.execute("update accounts set epoch = null, change = 0")  # type: ignore[attr-defined]  # likewise

    store.write(forget).result()
    start(store, account)


def test_a_tombstone_never_takes_words_that_were_not_confirmed(store: Store, account: AccountId) -> None:
    """The tombstone may be that of another text under the same id: the verdict decides."""
    start(store, account)
    for message_id in ("m1", "m2", "m3"):
        say(store, message_id, "mine")
    tombstones = [message_change(n + 1, CHAT, f"m{n}", n, deleted=True, revision=2) for n in (1, 2, 3)]
    apply(store, account, change_page(tombstones))
    assert [message_id for message_id, _, _ in shown(store)] == ["m3", "m2", "m1"]
    assert store.read(lambda db: messages.get(db, CHAT, MessageId("m1"))) is not None
    say(store, "m1", "mine")
    judge(
        store,
        account,
        verdict("m1", VerdictStatus.DUPLICATE, 1),
        verdict("m2", VerdictStatus.CONFLICT, 2),
        verdict("m3", VerdictStatus.INSERTED, 3),
    )
    assert shown(store) == [("m2", None, "mine")]
    assert stored(store, "content, revision, message_id") == [
        ("[]", 2, "m1"), ('[{"type":"text","text":"mine"}]', 2, "m2"), ("[]", 2, "m3"),
    ]  # fmt: skip


def test_what_is_inserted_into_a_restored_server_is_not_what_was_deleted_before(
    store: Store, account: AccountId
) -> None:
    start(store, account)
    say(store, "m1", "mine")
    apply(store, account, change_page([message_change(2, CHAT, "m1", 1, deleted=True, revision=2)]))
    assert apply(store, account, change_page([chat_change(1, CHAT)], epoch="epoch-2", reset=True))
    judge(store, account, verdict("m1", VerdictStatus.INSERTED, 1), epoch="epoch-2")
    assert shown(store) == [("m1", 1, "mine")]
    assert stored(store, "revision") == [(1,)]


def test_a_tombstone_in_a_new_epoch_reaches_what_another_device_sent_again(
    store: Store, account: AccountId
) -> None:
    """Revisions begin anew after a restore."""
    start(store, account)
    apply(store, account, change_page([message_change(2, CHAT, "m1", 1, revision=5)]))
    apply(store, account, change_page([chat_change(1, CHAT)], epoch="epoch-2", reset=True))
    judge(store, account, verdict("m1", VerdictStatus.DUPLICATE, 1), epoch="epoch-2")
    gone = message_change(3, CHAT, "m1", 1, deleted=True, revision=2)
    apply(store, account, change_page([gone], epoch="epoch-2"))
    assert shown(store) == []


def test_what_was_deleted_is_not_brought_back(store: Store, account: AccountId) -> None:
    start(store, account)
    say(store, "m1")
    judge(store, account, verdict("m1", number=1))
    live, gone = message_change(2, CHAT, "m1", 1), message_change(3, CHAT, "m1", 1, deleted=True, revision=2)
    apply(store, account, change_page([gone]))
    judge(store, account, verdict("m1", number=1))
    judge(store, account, verdict("m1", VerdictStatus.DUPLICATE, 1))
    apply(store, account, change_page([live], cursor=3))
    assert shown(store) == []
    with pytest.raises(InvalidMessage):
        say(store, "m1")
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches == ()


def test_a_message_is_deleted_and_known_again_within_one_page(store: Store, account: AccountId) -> None:
    start(store, account)
    say(store, "m1", "mine")
    page = [
        message_change(2, CHAT, "m1", 1, "mine"),
        message_change(3, CHAT, "m1", 1, deleted=True, revision=2),
    ]
    apply(store, account, change_page(page))
    assert shown(store) == []
    assert stored(store, "content, sync_state, revision") == [("[]", "synced", 2)]


@pytest.mark.parametrize("status", [MessageStatus.INTERRUPTED, MessageStatus.ERROR, MessageStatus.COMPLETE])
def test_a_reply_grows_and_ends_in_one_place(store: Store, account: AccountId, status: MessageStatus) -> None:
    start(store, account)
    shell = replace(
        message_change(2, CHAT, "m1", 1), role=Role.ASSISTANT, content=(), status=MessageStatus.STREAMING
    )
    apply(store, account, change_page([shell]))
    (message,) = store.read(lambda db: messages.page(db, CHAT)).messages
    assert (message.content, message.status, message.sync_state) == (
        (),
        MessageStatus.STREAMING,
        SyncState.SYNCED,
    )
    grown = replace(shell, change=3, revision=2, content=text("half"))
    ended = replace(shell, change=4, revision=3, content=text("whole"), status=status)
    for change in (grown, ended):
        apply(store, account, change_page([change]))
    apply(store, account, change_page([grown], cursor=4))
    (message,) = store.read(lambda db: messages.page(db, CHAT)).messages
    assert (message.content, message.status, message.sequence_num) == (text("whole"), status, 1)


def test_a_cleared_chat_shows_nothing_and_goes_on(store: Store, account: AccountId) -> None:
    """Tombstones of what this device never had are kept too: nothing under their ids is new."""
    start(store, account)
    apply(store, account, change_page([message_change(2, CHAT, "m1", 1), message_change(3, CHAT, "m2", 2)]))
    gone = [message_change(n + 3, CHAT, f"m{n}", n, deleted=True, revision=2) for n in (1, 2, 3)]
    apply(store, account, change_page([*gone, message_change(7, CHAT, "m4", 4, "after")]))
    assert shown(store) == [("m4", 4, "after")]
    assert stored(store, "message_id") == [("m1",), ("m2",), ("m3",), ("m4",)]


def test_a_deleted_message_leaves_no_words_behind(store: Store, account: AccountId) -> None:
    start(store, account)
    apply(store, account, change_page([message_change(2, CHAT, "m1", 1, "secret")]))
    apply(store, account, change_page([message_change(3, CHAT, "m1", 1, deleted=True, revision=2)]))
    assert store.read(lambda db: db.execute("select content from messages").fetchall()) == [("[]",)]


def test_a_message_set_aside_by_mistake_is_confirmed_when_the_server_has_it(
    store: Store, account: AccountId
) -> None:
    start(store, account)
    say(store, "m1")
    store.write(lambda tx: outbox.set_aside(tx, CHAT, [MessageId("m1")], "Too big")).result()
    apply(store, account, change_page([message_change(2, CHAT, "m1", 1)]))
    message = store.read(lambda db: messages.get(db, CHAT, MessageId("m1")))
    assert message is not None
    assert (message.sync_state, message.sync_error) == (SyncState.SYNCED, None)
