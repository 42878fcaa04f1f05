import pytest

from storage import aside, chats, messages, projects
from storage.errors import InvalidMessage, UnknownChat
from storage.exchange import ErrandKind, MessageChange, VerdictStatus
from storage.inbound import history, inbox
from storage.outbound import errands, outbox
from storage.records import AccountId, ChatId, Message, MessageId, SyncState
from storage.standing import unsynced
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, chat_change, message_change, record_verdicts, text, verdict

CHAT = ChatId("chat")
M1, M2 = MessageId("m1"), MessageId("m2")


def test_an_edited_text_goes_out_under_a_new_id_in_its_old_place(store: Store, account: AccountId) -> None:
    say(store, account, M1, "first")
    say(store, account, M2, "second")
    refuse(store, M1)
    sent = store.write(lambda tx: aside.resend(tx, CHAT, M1, "first, better")).result()
    assert sent.message_id != M1
    assert [(each.content, each.sync_state) for each in shown(store)] == [
        (text("second"), SyncState.PENDING),
        (text("first, better"), SyncState.PENDING),
    ]
    # After an outcome that nobody knows the same call is made again.
    assert store.write(lambda tx: aside.resend(tx, CHAT, M1, "first, better")).result() == sent
    assert len(shown(store)) == 2


@pytest.mark.parametrize("choice", [aside.keep_mine, aside.keep_theirs, aside.discard])
def test_of_two_texts_with_one_id_both_are_here_until_one_is_chosen(
    store: Store, account: AccountId, choice: object
) -> None:
    conflicting(store, account)
    both = store.read(lambda db: aside.conflict(db, CHAT, M1))
    assert both is not None
    assert [each.content for each in both] == [text("mine"), text("theirs")]
    counts = store.read(lambda db: unsynced.counts(db, [account]))
    assert (counts.rejected, counts.conflicts) == (1, 1)
    for _ in range(2):
        store.write(lambda tx: choice(tx, CHAT, M1)).result()  # type: ignore[operator]  # a table of functions
    kept = [(each.content, each.sequence_num) for each in shown(store)]
    mine = [(text("mine"), None)] if choice is aside.keep_mine else []
    assert kept == [*mine, (text("theirs"), 1)]
    assert store.read(lambda db: aside.conflict(db, CHAT, M1)) is None
    assert store.read(lambda db: unsynced.counts(db, [account])).conflicts == 0
    assert store.read(lambda db: history.missing(db, [account]))[0] == 0


def test_resending_what_is_in_conflict_shows_the_servers_text_too(store: Store, account: AccountId) -> None:
    conflicting(store, account)
    store.write(lambda tx: aside.resend(tx, CHAT, M1, "mine, better")).result()
    assert [each.content for each in shown(store)] == [text("mine, better"), text("theirs")]


def test_a_conflict_is_not_retried_as_it_is(store: Store, account: AccountId) -> None:
    conflicting(store, account)
    with pytest.raises(InvalidMessage, match="choose"):
        store.write(lambda tx: aside.retry(tx, CHAT, M1)).result()
    assert store.write(lambda tx: aside.retry_all(tx, [account])).result() == 0


def test_everything_that_was_set_aside_is_tried_again_at_once(store: Store, account: AccountId) -> None:
    say(store, account, M1, "first")
    say(store, account, M2, "second")
    refuse(store, M1, M2)
    store.write(lambda tx: projects.create(tx, "Home", account_id=account)).result()
    store.write(lambda tx: refuse_all(tx, account)).result()
    assert store.write(lambda tx: aside.retry_all(tx, [account])).result() == 5
    assert store.write(lambda tx: aside.retry_all(tx, [account])).result() == 0
    assert {each.sync_state for each in shown(store)} == {SyncState.PENDING}
    assert store.read(lambda db: errands.refused(db, [account])) == []


def test_another_accounts_things_are_not_retried(store: Store, account: AccountId) -> None:
    say(store, account, M1, "first")
    refuse(store, M1)
    assert store.write(lambda tx: aside.retry_all(tx, [AccountId("b")])).result() == 0


def test_in_a_deleted_chat_nothing_goes_out_until_it_is_restored(store: Store, account: AccountId) -> None:
    say(store, account, M1, "first")
    refuse(store, M1)
    store.write(lambda tx: chats.delete(tx, CHAT)).result()
    assert store.write(lambda tx: aside.retry_all(tx, [account])).result() == 0
    with pytest.raises(UnknownChat):
        store.write(lambda tx: aside.resend(tx, CHAT, M1, "better")).result()
    store.write(lambda tx: chats.restore(tx, CHAT)).result()
    assert [each.sync_state for each in shown(store)] == [SyncState.PENDING]


def test_what_was_not_set_aside_is_left_alone(store: Store, account: AccountId) -> None:
    say(store, account, M1, "first")
    store.write(lambda tx: aside.discard(tx, CHAT, M1)).result()
    store.write(lambda tx: aside.keep_theirs(tx, CHAT, M1)).result()
    for job in (aside.keep_mine, lambda tx, chat, each: aside.resend(tx, chat, each, "x")):
        with pytest.raises(InvalidMessage):
            store.write(lambda tx, job=job: job(tx, CHAT, M1)).result()  # type: ignore[misc]  # bound per turn
    assert [(each.message_id, each.sync_state) for each in shown(store)] == [(M1, SyncState.PENDING)]


def say(store: Store, account: AccountId, message_id: MessageId, words: str) -> None:
    if store.read(lambda db: inbox.cursor(db, account)).epoch is None:
        pull(store, account)
    store.write(lambda tx: messages.commit(tx, CHAT, words, message_id=message_id)).result()


def pull(store: Store, account: AccountId, *changes: MessageChange) -> None:
    page = change_page([chat_change(1, CHAT), *changes], reset=True)
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def conflicting(store: Store, account: AccountId) -> None:
    say(store, account, M1, "mine")
    pull(store, account, message_change(2, CHAT, M1, 1, "theirs"))
    told = [verdict(M1, VerdictStatus.CONFLICT, 1)]
    store.write(lambda tx: record_verdicts(tx, account, "epoch-1", CHAT, told)).result()


def refuse(store: Store, *message_ids: MessageId) -> None:
    store.write(lambda tx: outbox.set_aside(tx, CHAT, message_ids, "No.")).result()


def refuse_all(tx: Transaction, account: AccountId) -> None:
    """The server takes neither the chat nor the project nor an errand."""
    for table in ("chats", "projects"):
        tx.db.execute(f"update {table} set sync_error = 'No.'")
    tx.db.execute(
        "insert into errands (account_id, kind, subject, body, sync_error) values (?, ?, ?, '{}', 'No.')",
        (account, ErrandKind.UNPIN_CONTEXT.value, CHAT),
    )


def shown(store: Store) -> tuple[Message, ...]:
    return store.read(lambda db: messages.page(db, CHAT)).messages
