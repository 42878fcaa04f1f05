import pytest

from storage import accounts, aside, chats, inbox, messages, outbox
from storage.errors import UnknownChat
from storage.exchange import ChatChange, ChatVerdict, MessageChange, VerdictStatus
from storage.incoming import CHAT_DELETED
from storage.records import LOCAL_ACCOUNT, Account, AccountId, ChatId, MessageId, SyncState
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, chat_change, message_change, verdict


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


def batch(store: Store, account: AccountId, **options: object) -> tuple[str, list[str]] | None:
    work = store.read(lambda db: outbox.load_work(db, account, **options))  # type: ignore[arg-type]  # passed on
    return (work.batch.chat_id, [m.message_id for m in work.batch.messages]) if work.batch else None


def order(store: Store, chat: ChatId, message_id: str) -> int:
    message = store.read(lambda db: messages.get(db, chat, MessageId(message_id)))
    assert message is not None
    return message.local_order


def states(store: Store, chat: ChatId) -> dict[str, tuple[SyncState, int | None]]:
    page = store.read(lambda db: messages.page(db, chat))
    return {message.message_id: (message.sync_state, message.sequence_num) for message in page.messages}


def test_the_chat_that_waited_longest_goes_first_in_author_order(store: Store, account: AccountId) -> None:
    talk(store, account, "b", "b1")
    talk(store, account, "a", "a1", "a2")
    talk(store, account, "b", "b2")
    assert batch(store, account) == ("b", ["b1", "b2"])
    assert batch(store, account, blocked=frozenset({"b"})) == ("a", ["a1", "a2"])
    assert batch(store, account, max_messages=1) == ("b", ["b1"])


def test_the_next_batch_goes_on_behind_the_one_in_flight(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "a1", "a2", "a3")
    talk(store, account, "b", "b1")
    assert batch(store, account, after=order(store, chat, "a2")) == ("a", ["a3"])
    assert batch(store, account, after=order(store, chat, "a3")) == ("b", ["b1"])


def test_no_message_of_another_chat_is_passed_over(store: Store, account: AccountId) -> None:
    talk(store, account, "b", "b1")
    chat = talk(store, account, "a", "a1")
    talk(store, account, "b", "b2")
    assert batch(store, account, after=order(store, chat, "a1")) == ("b", ["b1", "b2"])


def test_a_batch_is_bounded_in_bytes_but_never_empty(store: Store, account: AccountId) -> None:
    talk(store, account, "a", "a1", "a2", "a3", words="x" * 1000)
    assert batch(store, account, max_bytes=10) == ("a", ["a1"])
    assert batch(store, account, max_bytes=3000) == ("a", ["a1", "a2"])


def test_verdicts_move_messages_forward(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1", "m2", "m3", "m4", "m5")
    verdicts = [
        verdict("m1", VerdictStatus.INSERTED, 1),
        verdict("m2", VerdictStatus.DUPLICATE, 2),
        verdict("m3", VerdictStatus.CONFLICT, 3),
        verdict("m4", VerdictStatus.REJECTED, None, "No room"),
        verdict("unknown", VerdictStatus.INSERTED, 9),
    ]
    store.write(lambda tx: outbox.record_verdicts(tx, account, None, chat, verdicts)).result()
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
            lambda tx, each=each: outbox.record_verdicts(tx, account, None, chat, [each])  # type: ignore[misc]
        ).result()
    assert states(store, chat) == {"m1": (SyncState.SYNCED, 1)}


def test_numbers_of_another_epoch_mean_nothing(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    store.write(lambda tx: inbox.apply(tx, account, change_page([], epoch="new", reset=True))).result()
    for epoch in (None, "old"):
        store.write(
            lambda tx, epoch=epoch: outbox.record_verdicts(
                tx, account, epoch, chat, [verdict("m1", number=1)]
            )  # type: ignore[misc]
        ).result()
        assert states(store, chat) == {"m1": (SyncState.PENDING, None)}
    store.write(
        lambda tx: outbox.record_verdicts(tx, account, "new", chat, [verdict("m1", number=1)])
    ).result()
    assert states(store, chat) == {"m1": (SyncState.SYNCED, 1)}


def test_verdicts_for_a_chat_of_another_account_are_ignored(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    other = Account(AccountId("b"), "http://127.0.0.1:1", "key", "b@example.org", "user-b", True)
    store.write(lambda tx: accounts.remember(tx, other)).result()
    store.write(
        lambda tx: outbox.record_verdicts(tx, other.account_id, None, chat, [verdict("m1", number=1)])
    ).result()
    assert states(store, chat) == {"m1": (SyncState.PENDING, None)}


def test_an_edit_made_meanwhile_stays_unconfirmed(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a")
    sent = store.read(lambda db: outbox.load_work(db, account)).edits
    store.write(lambda tx: chats.rename(tx, chat, "Journey")).result()
    accepted = [ChatVerdict(chat, True, None)]
    store.write(lambda tx: outbox.record_chat_verdicts(tx, account, sent, accepted)).result()
    (edit,) = store.read(lambda db: outbox.load_work(db, account)).edits
    assert edit.fields["title"] == "Journey"
    store.write(lambda tx: outbox.record_chat_verdicts(tx, account, [edit], accepted)).result()
    assert store.read(lambda db: outbox.load_work(db, account)).edits == ()


def test_a_refused_chat_says_why_and_is_not_sent_again_until_it_changes(
    store: Store, account: AccountId
) -> None:
    chat = talk(store, account, "a", "m1")
    sent = store.read(lambda db: outbox.load_work(db, account)).edits
    refused = [ChatVerdict(chat, False, "Title too long")]
    store.write(lambda tx: outbox.record_chat_verdicts(tx, account, sent, refused)).result()
    assert store.read(lambda db: chats.get(db, chat)).sync_error == "Title too long"
    work = store.read(lambda db: outbox.load_work(db, account))
    assert (work.edits, work.batch) == ((), None)
    store.write(lambda tx: chats.rename(tx, chat, "Short")).result()
    assert store.read(lambda db: chats.get(db, chat)).sync_error is None
    work = store.read(lambda db: outbox.load_work(db, account))
    assert [edit.fields["title"] for edit in work.edits] == ["Short"]
    assert work.batch is not None


def test_a_refused_rename_does_not_hold_up_the_messages(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    for accepted in (True, False):
        sent = store.read(lambda db: outbox.load_work(db, account)).edits
        verdicts = [ChatVerdict(chat, accepted, None)]
        store.write(
            lambda tx, sent=sent, verdicts=verdicts: outbox.record_chat_verdicts(tx, account, sent, verdicts)  # type: ignore[misc]
        ).result()
        store.write(lambda tx: chats.rename(tx, chat, "x" * 5000)).result()
    assert batch(store, account) == ("a", ["m1"])


def test_a_chat_that_the_server_does_not_know_is_created_anew(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a")
    sent = store.read(lambda db: outbox.load_work(db, account)).edits
    store.write(
        lambda tx: outbox.record_chat_verdicts(tx, account, sent, [ChatVerdict(chat, True, None)])
    ).result()
    store.write(lambda tx: outbox.requeue_chat(tx, chat)).result()
    (edit,) = store.read(lambda db: outbox.load_work(db, account)).edits
    assert set(edit.fields) == {"title", "project_id", "model", "pinned", "archived"}


def test_the_edit_that_a_batch_needs_comes_with_it(store: Store, account: AccountId) -> None:
    chat = ChatId("full")

    def create(tx: Transaction) -> None:
        for chat_id in [*map(str, range(600)), chat]:
            chats.create(tx, "", account_id=account, chat_id=ChatId(chat_id))

    store.write(create).result()
    say(store, chat, "m1")
    work = store.read(lambda db: outbox.load_work(db, account))
    assert len(work.edits) == 500
    assert work.edits[0].chat_id == chat
    assert work.batch is not None
    assert work.batch.chat_id == chat


def test_counts_are_those_of_the_accounts_asked_for(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1", "m2", "m3")
    local = store.write(lambda tx: chats.create(tx, "Mine")).result().chat_id
    say(store, local, "l1")
    verdicts = [verdict("m1", number=1), verdict("m2", VerdictStatus.REJECTED)]
    store.write(lambda tx: outbox.record_verdicts(tx, account, None, chat, verdicts)).result()
    counts = store.read(lambda db: outbox.counts(db, [account]))
    oldest = store.read(lambda db: messages.get(db, chat, MessageId("m3")))
    assert oldest is not None
    assert (counts.pending, counts.rejected, counts.oldest_pending_at) == (1, 1, oldest.created_at)
    assert store.read(lambda db: outbox.synced_count(db, [account])) == 1
    both = store.read(lambda db: outbox.counts(db, [account, LOCAL_ACCOUNT]))
    assert (both.pending, both.rejected) == (2, 1)
    nobody = store.read(lambda db: outbox.counts(db, []))
    assert (nobody.pending, nobody.rejected, nobody.oldest_pending_at) == (0, 0, None)


def confirm_chats(store: Store, account: AccountId) -> None:
    sent = store.read(lambda db: outbox.load_work(db, account)).edits
    verdicts = [ChatVerdict(edit.chat_id, True, None) for edit in sent]
    store.write(lambda tx: outbox.record_chat_verdicts(tx, account, sent, verdicts)).result()


def pull(store: Store, account: AccountId, *changes: ChatChange | MessageChange, reset: bool = False) -> None:
    page = change_page(changes, reset=reset)
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def reasons(store: Store, chat: ChatId) -> dict[str, str | None]:
    page = store.read(lambda db: messages.page(db, chat))
    return {message.message_id: message.sync_error for message in page.messages}


def figures(store: Store, account: AccountId) -> tuple[int, int]:
    counts = store.read(lambda db: outbox.counts(db, [account]))
    return counts.pending, counts.rejected


def test_what_waits_in_a_deleted_chat_is_set_aside_and_stays_in_sight(
    store: Store, account: AccountId
) -> None:
    chat = talk(store, account, "a", "m1", "m2")
    confirm_chats(store, account)
    store.write(lambda tx: outbox.set_aside(tx, chat, [MessageId("m1")], "No room")).result()
    pull(store, account, chat_change(1, "a", deleted=True), reset=True)
    assert reasons(store, chat) == {"m1": "No room", "m2": CHAT_DELETED}
    assert batch(store, account) is None
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
    assert batch(store, account) is None
    store.write(lambda tx: aside.retry(tx, chat, MessageId("m1"))).result()
    assert batch(store, account) == ("a", ["m1"])


def test_what_is_retried_in_a_deleted_chat_is_the_servers_to_judge(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1")
    confirm_chats(store, account)
    pull(store, account, chat_change(1, "a", deleted=True), reset=True)
    store.write(lambda tx: aside.retry(tx, chat, MessageId("m1"))).result()
    assert batch(store, account) == ("a", ["m1"])
    assert figures(store, account) == (1, 0)
    assert len(store.read(lambda db: chats.list_chats(db, [account]))) == 1


def test_the_tally_counts_what_was_confirmed_and_what_arrived(store: Store, account: AccountId) -> None:
    chat = talk(store, account, "a", "m1", "m2", "m3")
    confirm_chats(store, account)
    pull(store, account, chat_change(1, "a"), reset=True)
    verdicts = [verdict("m1", number=1), verdict("m3", VerdictStatus.REJECTED)]
    for _ in range(2):
        store.write(lambda tx: outbox.record_verdicts(tx, account, "epoch-1", chat, verdicts)).result()
    own, other = message_change(2, "a", "m1", 1), message_change(3, "a", "theirs", 2)
    lost_answer = message_change(4, "a", "m2", 3)
    for _ in range(2):
        pull(store, account, own, other, lost_answer)
    assert store.read(lambda db: accounts.tallied(db, account)) == accounts.Tally(pushed=2, pulled=1)
