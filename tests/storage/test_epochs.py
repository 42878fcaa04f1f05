from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import chats, messages
from storage.exchange import ChangePage, ChatChange, MessageChange, Parcel, VerdictStatus
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import AccountId, ChatId, Cursor, MessageId
from storage.standing import unsynced
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, chat_change, message_change, record_verdicts, text, verdict

CHAT = ChatId("a")


def apply(store: Store, account: AccountId, page: ChangePage) -> None:
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def say(store: Store, message_id: str) -> None:
    store.write(lambda tx: messages.commit(tx, CHAT, "hi", message_id=MessageId(message_id))).result()


def shown(store: Store) -> list[tuple[str, int | None]]:
    page = store.read(lambda db: messages.page(db, CHAT))
    return [(message.message_id, message.sequence_num) for message in page.messages]


def outgoing(store: Store, account: AccountId) -> list[str]:
    parcel = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    return [message.message_id for batch in parcel.batches for message in batch.messages]


def test_lost_messages_are_sent_again_before_what_was_never_sent(store: Store, account: AccountId) -> None:
    rows = [message_change(number + 1, CHAT, f"m{number}", number) for number in (3, 1, 2)]
    apply(store, account, change_page([chat_change(1, CHAT), *rows], reset=True))
    say(store, "new")
    apply(
        store,
        account,
        change_page([chat_change(1, CHAT), message_change(2, CHAT, "m1", 1)], epoch="e2", reset=True),
    )
    assert outgoing(store, account) == ["m2", "m3", "new"]
    assert shown(store) == [("new", None), ("m3", None), ("m2", None), ("m1", 1)]
    assert store.read(lambda db: unsynced.counts(db, [account])).pending == 3


def test_everything_keeps_showing_until_the_reset_pull_reaches_the_head(
    store: Store, account: AccountId
) -> None:
    rows = [message_change(number + 1, CHAT, f"m{number}", number) for number in (1, 2, 3)]
    apply(store, account, change_page([chat_change(1, CHAT), *rows], reset=True))
    apply(store, account, change_page([chat_change(1, CHAT)], epoch="e2", reset=True, more=True))
    assert shown(store) == [("m3", 3), ("m2", 2), ("m1", 1)]
    assert outgoing(store, account) == []
    apply(store, account, change_page([message_change(2, CHAT, "m1", 1)], epoch="e2", more=True))
    assert outgoing(store, account) == []
    apply(store, account, change_page([message_change(3, CHAT, "other", 2)], epoch="e2"))
    assert shown(store) == [("m3", None), ("m2", None), ("other", 2), ("m1", 1)]


def test_a_push_during_the_reset_pull_is_not_sent_twice(store: Store, account: AccountId) -> None:
    apply(store, account, change_page([chat_change(1, CHAT)], reset=True))
    apply(store, account, change_page([chat_change(1, CHAT)], epoch="e2", reset=True, more=True))
    say(store, "new")
    confirmed = [verdict("new", number=1)]
    store.write(lambda tx: record_verdicts(tx, account, "e2", CHAT, confirmed)).result()
    apply(store, account, change_page([], epoch="e2", cursor=2))
    assert shown(store) == [("new", 1)]


def test_a_reset_within_the_same_epoch_finds_what_was_lost_too(store: Store, account: AccountId) -> None:
    rows = [message_change(number + 1, CHAT, f"m{number}", number) for number in (1, 2)]
    apply(store, account, change_page([chat_change(1, CHAT), *rows], reset=True))
    apply(
        store, account, change_page([chat_change(1, CHAT), message_change(2, CHAT, "other", 1)], reset=True)
    )
    assert shown(store) == [("m2", None), ("m1", None), ("other", 1)]


def test_a_chat_that_the_server_lost_is_created_again(store: Store, account: AccountId) -> None:
    apply(
        store, account, change_page([chat_change(1, CHAT), chat_change(2, "gone", deleted=True)], reset=True)
    )
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits == ()
    apply(store, account, change_page([], epoch="e2", reset=True))
    (edit,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    assert edit.chat_id == CHAT
    assert set(edit.fields) == {"title", "project_id", "model", "pinned", "archived"}


def test_the_first_pull_of_a_new_device_queues_nothing(store: Store, account: AccountId) -> None:
    apply(store, account, change_page([message_change(1, CHAT, "m1", 1)], reset=True, more=True))
    apply(store, account, change_page([chat_change(2, CHAT)]))
    work = store.read(lambda db: outbox.load_parcel(db, account))
    assert (work.parcel, work.cursor) == (Parcel((), (), ()), Cursor("epoch-1", 2))


HELD = st.lists(st.sampled_from(["live", "dead"]), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=HELD, kept=st.sets(st.integers(0, 5)), pending=st.integers(0, 3), cut=st.integers(0, 6))
def test_exactly_the_lost_live_messages_are_sent_again(
    store: Store, account: AccountId, held: list[str], kept: set[int], pending: int, cut: int
) -> None:
    """I12: `kept` survive on the server under new numbers, the rest is lost; the pull comes in two pages."""
    store.write(forget).result()
    first = [
        message_change(number + 2, CHAT, f"m{number}", number + 1, deleted=state == "dead")
        for number, state in enumerate(held)
    ]
    apply(store, account, change_page([chat_change(1, CHAT), *first], reset=True))
    for number in range(pending):
        say(store, f"p{number}")
    survivors = [number for number in range(len(held)) if number in kept]
    second: list[ChatChange | MessageChange] = [
        message_change(place + 2, CHAT, f"m{number}", place + 1, deleted=held[number] == "dead")
        for place, number in enumerate(survivors)
    ]
    pages: list[list[ChatChange | MessageChange]] = [[chat_change(1, CHAT), *second[:cut]], second[cut:]]
    apply(store, account, change_page(pages[0], epoch="e2", reset=True, more=True))
    apply(store, account, change_page(pages[1], epoch="e2", cursor=100))
    lost = [f"m{number}" for number, state in enumerate(held) if state == "live" and number not in kept]
    assert outgoing(store, account) == [*lost, *(f"p{number}" for number in range(pending))]
    live = [f"m{number}" for number in survivors if held[number] == "live"]
    assert [message_id for message_id, number in reversed(shown(store)) if number is not None] == live


def forget(tx: Transaction) -> None:
    tx.db.execute("delete from chats")
    tx.db.execute("update accounts set epoch = null, change = 0")


def test_a_message_that_was_set_aside_keeps_its_place_among_the_requeued(
    store: Store, account: AccountId
) -> None:
    apply(store, account, change_page([chat_change(1, CHAT), message_change(2, CHAT, "m1", 1)], reset=True))
    say(store, "bad")
    say(store, "new")
    rejected = [verdict("bad", VerdictStatus.REJECTED, None, "no")]
    store.write(lambda tx: record_verdicts(tx, account, "epoch-1", CHAT, rejected)).result()
    apply(store, account, change_page([chat_change(1, CHAT)], epoch="e2", reset=True))
    assert shown(store) == [("new", None), ("bad", None), ("m1", None)]
    assert store.read(lambda db: chats.get(db, CHAT)).rejected == 1
    message = store.read(lambda db: messages.get(db, CHAT, MessageId("m1")))
    assert message is not None
    assert message.content == text("hi")
