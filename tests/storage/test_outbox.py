from dataclasses import replace

import pytest

from storage import accounts, aside, chats, messages
from storage.errors import UnknownChat
from storage.exchange import (
    BatchFault,
    BatchVerdict,
    ChatChange,
    ChatVerdict,
    MessageChange,
    Parcel,
    Receipt,
    Span,
    VerdictStatus,
)
from storage.inbound import history, inbox
from storage.inbound.incoming import CHAT_DELETED
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, Account, AccountId, ChatId, Counts, Cursor, MessageId, SyncState
from storage.standing import unsynced
from storage.store import Store, Transaction
from tests.fakes.changes import (
    change_page,
    chat_change,
    message_change,
    receipt,
    record_chat_verdicts,
    record_verdicts,
    verdict,
)


def talk(store: Store, account: AccountId, chat_id: str, *ids: str, words: str = "hi") -> ChatId:
    """A chat with one pending message for each id."""
    chat = ChatId(chat_id)
    if not any(known.chat_id == chat for known in store.read(lambda db: chats.list_chats(db, [account]))):
        store.write(lambda tx: chats.create(tx, "Trip", account_id=account, chat_id=chat)).result()
    for message_id in ids:
        say(store, chat, message_id, words)
    return chat


def say(store: Store, chat: ChatId, message_id: str, words: str = "hi") -> None:
    store.write(lambda tx: messages.commit(tx, chat, words, message_id=MessageId(message_id))).result()


def order(store: Store, chat: ChatId, message_id: str) -> int:
    message = store.read(lambda db: messages.get(db, chat, MessageId(message_id)))
    assert message is not None
    return message.local_order


def states(store: Store, chat: ChatId) -> dict[str, tuple[SyncState, int | None]]:
    page = store.read(lambda db: messages.page(db, chat))
    return {message.message_id: (message.sync_state, message.sequence_num) for message in page.messages}


def test_verdicts_move_messages_forward(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1", "m2", "m3", "m4", "m5")
    verdicts = [
        verdict("m1", VerdictStatus.INSERTED, 1),
        verdict("m2", VerdictStatus.DUPLICATE, 2),
        verdict("m3", VerdictStatus.CONFLICT, 3),
        verdict("m4", VerdictStatus.REJECTED, None, "No room"),
        verdict("unknown", VerdictStatus.INSERTED, 9),
    ]
    store.write(lambda tx: record_verdicts(tx, account, None, chat, verdicts)).result()
    assert states(store, chat) == {
        "m1": (SyncState.SYNCED, 1),
        "m2": (SyncState.SYNCED, 2),
        "m3": (SyncState.REJECTED, None),
        "m4": (SyncState.REJECTED, None),
        "m5": (SyncState.PENDING, None),
    }
    refused = store.read(lambda db: messages.get(db, chat, MessageId("m4")))
    assert refused is not None
    assert refused.sync_error == "No room"


@pytest.mark.parametrize(
    "late",
    [
        verdict("m1", VerdictStatus.REJECTED),
        verdict("m1", VerdictStatus.CONFLICT, 1),
        verdict("m1", number=7),
    ],
)
def test_a_confirmed_message_never_goes_back(store: Store, account: AccountId, late: object) -> None:
    chat = talk(store, account, "a", "m1")
    for each in (verdict("m1", number=1), late):
        store.write(
            lambda tx, each=each: record_verdicts(tx, account, None, chat, [each])  # type: ignore[misc]
        ).result()
    assert states(store, chat) == {"m1": (SyncState.SYNCED, 1)}


def test_numbers_of_another_epoch_mean_nothing(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    store.write(lambda tx: inbox.apply(tx, account, change_page([], epoch="new", reset=True))).result()
    for epoch in (None, "old"):
        store.write(
            lambda tx, epoch=epoch: record_verdicts(tx, account, epoch, chat, [verdict("m1", number=1)])  # type: ignore[misc]
        ).result()
        assert states(store, chat) == {"m1": (SyncState.PENDING, None)}
    store.write(lambda tx: record_verdicts(tx, account, "new", chat, [verdict("m1", number=1)])).result()
    assert states(store, chat) == {"m1": (SyncState.SYNCED, 1)}


def test_verdicts_for_a_chat_of_another_account_are_ignored(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    other = Account(AccountId("b"), "http://127.0.0.1:1", "key", "b@example.org", "user-b", True)
    store.write(lambda tx: accounts.remember(tx, other)).result()
    store.write(
        lambda tx: record_verdicts(tx, other.account_id, None, chat, [verdict("m1", number=1)])
    ).result()
    assert states(store, chat) == {"m1": (SyncState.PENDING, None)}


def test_an_edit_made_meanwhile_stays_unconfirmed(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a")
    sent = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    store.write(lambda tx: chats.rename(tx, chat, "Journey")).result()
    accepted = [ChatVerdict(chat, True, None)]
    store.write(lambda tx: record_chat_verdicts(tx, account, sent, accepted)).result()
    (edit,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    assert edit.fields["title"] == "Journey"
    store.write(lambda tx: record_chat_verdicts(tx, account, [edit], accepted)).result()
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits == ()


def test_a_refused_chat_says_why_and_is_not_sent_again_until_it_changes(
    store: Store, account: AccountId
) -> None:
    chat = talk(store, account, "a", "m1")
    sent = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    refused = [ChatVerdict(chat, False, "Title too long")]
    store.write(lambda tx: record_chat_verdicts(tx, account, sent, refused)).result()
    assert store.read(lambda db: chats.get(db, chat)).sync_error == "Title too long"
    work = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert (work.edits, work.batches) == ((), ())
    store.write(lambda tx: chats.rename(tx, chat, "Short")).result()
    assert store.read(lambda db: chats.get(db, chat)).sync_error is None
    work = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert [edit.fields["title"] for edit in work.edits] == ["Short"]
    assert batches(work) == [("a", ["m1"])]


def test_a_refused_rename_does_not_hold_up_the_messages(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    for accepted in (True, False):
        sent = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
        verdicts = [ChatVerdict(chat, accepted, None)]
        store.write(
            lambda tx, sent=sent, verdicts=verdicts: record_chat_verdicts(tx, account, sent, verdicts)  # type: ignore[misc]
        ).result()
        store.write(lambda tx: chats.rename(tx, chat, "x" * 5000)).result()
    assert batches(parcel(store, account)) == [("a", ["m1"])]


def test_a_chat_that_the_server_does_not_know_is_created_anew(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a")
    sent = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    store.write(lambda tx: record_chat_verdicts(tx, account, sent, [ChatVerdict(chat, True, None)])).result()
    store.write(lambda tx: outbox.requeue_chat(tx, chat)).result()
    (edit,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    assert set(edit.fields) == {"title", "project_id", "model", "pinned", "archived"}


def test_the_edit_that_a_batch_needs_comes_with_it(store: Store, account: AccountId) -> None:
    chat = ChatId("full")

    def create(tx: Transaction) -> None:
        for chat_id in [*map(str, range(600)), chat]:
            chats.create(tx, "", account_id=account, chat_id=ChatId(chat_id))

    store.write(create).result()
    say(store, chat, "m1")
    work = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert len(work.edits) == 500
    assert work.edits[0].chat_id == chat
    assert batches(work) == [("full", ["m1"])]


def test_counts_are_those_of_the_accounts_asked_for(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1", "m2", "m3")
    local = store.write(lambda tx: chats.create(tx, "Mine")).result().chat_id
    say(store, local, "l1")
    verdicts = [verdict("m1", number=1), verdict("m2", VerdictStatus.REJECTED)]
    store.write(lambda tx: record_verdicts(tx, account, None, chat, verdicts)).result()
    counts = store.read(lambda db: unsynced.counts(db, [account]))
    oldest = store.read(lambda db: messages.get(db, chat, MessageId("m3")))
    assert oldest is not None
    assert (counts.pending, counts.rejected, counts.oldest_pending_at) == (1, 1, oldest.created_at)
    assert store.read(lambda db: unsynced.synced_count(db, [account])) == 1
    both = store.read(lambda db: unsynced.counts(db, [account, LOCAL_ACCOUNT]))
    assert (both.pending, both.rejected) == (2, 1)
    nobody = store.read(lambda db: unsynced.counts(db, []))
    assert (nobody.pending, nobody.rejected, nobody.oldest_pending_at) == (0, 0, None)


def confirm_chats(store: Store, account: AccountId) -> None:
    sent = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    verdicts = [ChatVerdict(edit.chat_id, True, None) for edit in sent]
    store.write(lambda tx: record_chat_verdicts(tx, account, sent, verdicts)).result()


def pull(store: Store, account: AccountId, *changes: ChatChange | MessageChange, reset: bool = False) -> None:
    page = change_page(changes, reset=reset)
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def reasons(store: Store, chat: ChatId) -> dict[str, str | None]:
    page = store.read(lambda db: messages.page(db, chat))
    return {message.message_id: message.sync_error for message in page.messages}


def figures(store: Store, account: AccountId) -> tuple[int, int]:
    counts = store.read(lambda db: unsynced.counts(db, [account]))
    return counts.pending, counts.rejected


def test_what_waits_in_a_deleted_chat_is_set_aside_and_stays_in_sight(
    store: Store, account: AccountId
) -> None:
    chat = talk(store, account, "a", "m1", "m2")
    confirm_chats(store, account)
    store.write(lambda tx: outbox.set_aside(tx, chat, [MessageId("m1")], "No room")).result()
    pull(store, account, chat_change(1, "a", deleted=True), reset=True)
    assert reasons(store, chat) == {"m1": "No room", "m2": CHAT_DELETED}
    assert batches(parcel(store, account)) == []
    assert figures(store, account) == (0, 2)
    (shown,) = store.read(lambda db: chats.list_chats(db, [account]))
    assert (shown.chat_id, shown.deleted, shown.rejected) == (chat, True, 2)
    with pytest.raises(UnknownChat, match="deleted"):
        say(store, chat, "m3")


def test_a_deleted_chat_that_holds_nothing_unsynced_leaves_the_list(store: Store, account: AccountId) -> None:
    talk(store, account, "a")
    confirm_chats(store, account)
    pull(
        store,
        account,
        message_change(1, "a", "m1", 1),
        chat_change(2, "a", deleted=True),
        reset=True,
    )
    assert store.read(lambda db: chats.list_chats(db, [account])) == []


def test_what_the_page_with_the_tombstone_confirms_is_not_set_aside(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    confirm_chats(store, account)
    pull(
        store,
        account,
        chat_change(1, "a", deleted=True),
        message_change(2, "a", "m1", 1),
        reset=True,
    )
    assert states(store, chat) == {"m1": (SyncState.SYNCED, 1)}
    assert figures(store, account) == (0, 0)


def test_a_chat_that_comes_back_leaves_it_to_the_person_to_send_again(
    store: Store, account: AccountId
) -> None:
    chat = talk(store, account, "a", "m1")
    confirm_chats(store, account)
    pull(store, account, chat_change(1, "a", deleted=True), reset=True)
    pull(store, account, chat_change(2, "a"))
    assert states(store, chat) == {"m1": (SyncState.REJECTED, None)}
    assert batches(parcel(store, account)) == []
    store.write(lambda tx: aside.retry(tx, chat, MessageId("m1"))).result()
    assert batches(parcel(store, account)) == [("a", ["m1"])]


def test_what_is_retried_in_a_deleted_chat_is_the_servers_to_judge(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    confirm_chats(store, account)
    pull(store, account, chat_change(1, "a", deleted=True), reset=True)
    store.write(lambda tx: aside.retry(tx, chat, MessageId("m1"))).result()
    assert batches(parcel(store, account)) == [("a", ["m1"])]
    assert figures(store, account) == (1, 0)
    assert len(store.read(lambda db: chats.list_chats(db, [account]))) == 1


def test_the_tally_counts_what_was_confirmed_and_what_arrived(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1", "m2", "m3")
    confirm_chats(store, account)
    pull(store, account, chat_change(1, "a"), reset=True)
    verdicts = [verdict("m1", number=1), verdict("m3", VerdictStatus.REJECTED)]
    for _ in range(2):
        store.write(lambda tx: record_verdicts(tx, account, "epoch-1", chat, verdicts)).result()
    own, other = message_change(2, "a", "m1", 1), message_change(3, "a", "theirs", 2)
    lost_answer = message_change(4, "a", "m2", 3)
    for _ in range(2):
        pull(store, account, own, other, lost_answer)
    assert store.read(lambda db: accounts.tallied(db, account)) == accounts.Tally(pushed=2, pulled=1)


def parcel(store: Store, account: AccountId, **options: object) -> Parcel:
    return store.read(lambda db: outbox.load_parcel(db, account, **options)).parcel  # type: ignore[arg-type]  # passed on


def batches(parcel: Parcel) -> list[tuple[str, list[str]]]:
    return [(batch.chat_id, [message.message_id for message in batch.messages]) for batch in parcel.batches]


def record(store: Store, account: AccountId, sent: Parcel, told: Receipt, epoch: str | None = None) -> None:
    store.write(lambda tx: outbox.record_receipt(tx, account, epoch, sent, told)).result()


def test_a_parcel_holds_many_chats_in_the_order_in_which_they_waited(
    store: Store, account: AccountId
) -> None:
    for chat, known in (("b", "b1"), ("a", "a1"), ("b", "b2"), ("c", "c1")):
        talk(store, account, chat, known)
    sent = parcel(store, account)
    assert batches(sent) == [("b", ["b1", "b2"]), ("a", ["a1"]), ("c", ["c1"])]
    assert [edit.chat_id for edit in sent.edits] == ["b", "a", "c"]
    assert batches(parcel(store, account, max_messages=3)) == [("b", ["b1", "b2"]), ("a", ["a1"])]
    assert batches(parcel(store, account, blocked=frozenset({"b", "c"}))) == [("a", ["a1"])]


def test_a_parcel_goes_on_behind_what_is_in_flight(store: Store, account: AccountId) -> None:
    first = talk(store, account, "a", "a1", "a2", "a3")
    second = talk(store, account, "b", "b1")
    after = {first: order(store, first, "a2"), second: order(store, second, "b1")}
    assert batches(parcel(store, account, after=after)) == [("a", ["a3"])]


def test_a_parcel_is_bounded_in_bytes_but_never_empty(store: Store, account: AccountId) -> None:
    talk(store, account, "a", "a1", "a2", words="x" * 1000)
    talk(store, account, "b", "b1", words="x" * 1000)
    assert batches(parcel(store, account, max_bytes=10)) == [("a", ["a1"])]
    assert batches(parcel(store, account, max_bytes=3000)) == [("a", ["a1", "a2"])]
    assert batches(parcel(store, account, max_bytes=4000)) == [("a", ["a1", "a2"]), ("b", ["b1"])]


def test_a_chat_goes_only_with_its_creation_or_after_it(store: Store, account: AccountId) -> None:
    talk(store, account, "made", "m1")
    sent = parcel(store, account)
    record(store, account, sent, receipt(sent))
    talk(store, account, "made", "m2")
    talk(store, account, "new", "n1")
    talk(store, account, "refused", "r1")
    store.write(
        lambda tx: tx.db.execute("update chats set sync_error = 'No' where chat_id = 'refused'").rowcount
    ).result()
    sent = parcel(store, account)
    assert batches(sent) == [("made", ["m2"]), ("new", ["n1"])]
    assert [edit.chat_id for edit in sent.edits] == ["new"]


def test_a_receipt_settles_chats_and_messages_at_once(store: Store, account: AccountId) -> None:
    first, second = talk(store, account, "a", "a1", "a2"), talk(store, account, "b", "b1")
    sent = parcel(store, account)
    record(store, account, sent, receipt(sent))
    assert states(store, first) == {"a1": (SyncState.SYNCED, 1), "a2": (SyncState.SYNCED, 2)}
    assert states(store, second) == {"b1": (SyncState.SYNCED, 1)}
    assert parcel(store, account) == Parcel((), (), ())
    assert store.read(lambda db: unsynced.counts(db, [account])) == Counts(0, 0, None)
    assert store.read(lambda db: accounts.tallied(db, account)).pushed == 3
    assert store.read(lambda db: history.missing(db, [account])) == (0, 3)


def test_a_batch_with_a_fault_stays_as_it_is(store: Store, account: AccountId) -> None:
    talk(store, account, "a", "a1")
    talk(store, account, "b", "b1")
    sent = parcel(store, account)
    told = receipt(sent)
    faulty = BatchVerdict(ChatId("a"), BatchFault.UNKNOWN, ())
    record(store, account, sent, replace(told, batches=(faulty, told.batches[1])))
    assert batches(parcel(store, account)) == [("a", ["a1"])]


@pytest.mark.parametrize(("sent_in", "answered_in"), [("epoch-0", "epoch-1"), ("epoch-1", "epoch-2")])
def test_a_receipt_of_another_epoch_changes_nothing(
    store: Store, account: AccountId, sent_in: str, answered_in: str
) -> None:
    chat = talk(store, account, "a", "a1")
    pull(store, account, reset=True)
    sent = parcel(store, account)
    told = receipt(sent, span=Span(answered_in, 0, 2), first=7)
    record(store, account, sent, told, sent_in)
    assert states(store, chat) == {"a1": (SyncState.PENDING, None)}
    assert parcel(store, account) == sent
    record(store, account, sent, receipt(sent, span=Span("epoch-1", 0, 2)), "epoch-1")
    assert states(store, chat) == {"a1": (SyncState.SYNCED, 1)}


def test_a_pull_that_a_receipt_overtook_does_not_undo_the_chat(store: Store, account: AccountId) -> None:
    talk(store, account, "a", "a1")
    store.write(lambda tx: chats.rename(tx, ChatId("a"), "Mine")).result()
    pull(store, account, reset=True)
    sent = parcel(store, account)
    told = replace(receipt(sent, span=Span("epoch-1", 5, 6)), changes=(chat_change(6, "a", "Mine"),))
    record(store, account, sent, told, "epoch-1")
    pull(store, account, chat_change(5, "a", "Older"))
    assert store.read(lambda db: chats.get(db, ChatId("a"))).title == "Mine"


def test_the_cursor_skips_what_this_device_pushed_only_from_right_before(
    store: Store, account: AccountId
) -> None:
    pull(store, account, chat_change(4, "a"), reset=True)

    def advance(epoch: str, before: int, head: int) -> bool:
        return store.write(lambda tx: inbox.advance(tx, account, Span(epoch, before, head))).result()

    assert not advance("epoch-2", 4, 9)
    assert not advance("epoch-1", 3, 9)
    assert not advance("epoch-1", 5, 9)
    assert advance("epoch-1", 4, 9)
    assert not advance("epoch-1", 4, 9)
    assert store.read(lambda db: inbox.cursor(db, account)) == Cursor("epoch-1", 9)


def test_a_damaged_row_never_reaches_the_server(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "a1", "a2")
    damage = "update messages set content = replace(content, 'hi', 'ho') where message_id = 'a1'"
    store.write(lambda tx: tx.db.execute(damage).rowcount).result()
    assert batches(parcel(store, account)) == [("a", ["a2"])]
    message = store.read(lambda db: messages.get(db, chat, MessageId("a1")))
    assert message is not None
    assert "cannot be read" in message.content[0]["text"]


@pytest.mark.parametrize("first", ["row", "verdict"])
def test_both_texts_of_a_conflict_are_kept(store: Store, account: AccountId, first: str) -> None:
    chat = talk(store, account, "a", "m1", words="mine")
    pull(store, account, chat_change(1, "a"), reset=True)
    told = [verdict("m1", VerdictStatus.CONFLICT, 4)]

    def judge() -> None:
        store.write(lambda tx: record_verdicts(tx, account, "epoch-1", chat, told)).result()

    def show() -> None:
        pull(store, account, message_change(2, "a", "m1", 4, "theirs", revision=3))

    for step in (show, judge) if first == "row" else (judge, show):
        step()
    (kept,) = store.read(
        lambda db: db.execute("select message_id, sequence_num, content, revision from conflicts").fetchall()
    )
    assert kept == ("m1", 4, '[{"type":"text","text":"theirs"}]', 3)
    (mine,) = store.read(lambda db: messages.page(db, chat)).messages
    assert (mine.content[0]["text"], mine.sync_state) == ("mine", SyncState.REJECTED)
    assert store.read(lambda db: unsynced.counts(db, [account])) == Counts(0, 1, None, 1)


def test_a_conflict_is_over_when_the_server_s_text_goes(store: Store, account: AccountId) -> None:
    talk(store, account, "a", "m1", words="mine")
    pull(store, account, chat_change(1, "a"), message_change(2, "a", "m1", 4, "theirs"), reset=True)
    pull(store, account, message_change(3, "a", "m1", 4, revision=2, deleted=True))
    assert store.read(lambda db: db.execute("select count(*) from conflicts").fetchone()[0]) == 0
