from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import chats, messages
from storage.exchange import VerdictStatus
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import AccountId, ChatId, Message, MessageId, Position
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, chat_change, message_change, record_verdicts, verdict

CHAT = ChatId("a")
INSERTS = st.lists(st.sampled_from(["pull", "commit", "nothing"]), max_size=12)


def fill(store: Store, account: AccountId, synced: int, states: list[str]) -> None:
    """`synced` numbered messages, then own ones, pending or rejected."""

    def forget(tx: Transaction) -> None:
        tx.db.execute("delete from chats")
        tx.db.execute("update accounts set epoch = null, change = 0")

    store.write(forget).result()
    rows = [message_change(number + 1, CHAT, f"s{number}", number) for number in range(1, synced + 1)]
    store.write(
        lambda tx: inbox.apply(tx, account, change_page([chat_change(1, CHAT), *rows], reset=True))
    ).result()
    for number, state in enumerate(states):
        say(store, f"u{number}")
        if state == "rejected":
            aside(store, f"u{number}")


def aside(store: Store, message_id: str) -> None:
    store.write(lambda tx: outbox.set_aside(tx, CHAT, [MessageId(message_id)], "no")).result()


def say(store: Store, message_id: str) -> None:
    store.write(lambda tx: messages.commit(tx, CHAT, "hi", message_id=MessageId(message_id))).result()


def arrive(store: Store, account: AccountId, number: int) -> None:
    page = change_page([message_change(number + 1, CHAT, f"s{number}", number)])
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def place(message: Message) -> tuple[bool, int, int]:
    return (message.sequence_num is None, message.sequence_num or 0, message.local_order)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    synced=st.integers(0, 9),
    states=st.lists(st.sampled_from(["pending", "rejected"]), max_size=5),
    limit=st.integers(1, 6),
    inserts=INSERTS,
)
def test_pages_under_concurrent_inserts_are_all_rows_once_in_order(
    store: Store, account: AccountId, synced: int, states: list[str], limit: int, inserts: list[str]
) -> None:
    """I16: what was there when the first page was read comes exactly once, newest first."""
    fill(store, account, synced, states)
    expected = {f"s{number}" for number in range(1, synced + 1)} | {f"u{i}" for i in range(len(states))}
    seen: list[Message] = []
    before: Position | None = None
    numbers, remaining = synced, list(inserts)
    for _ in range(100):
        page = store.read(lambda db, before=before: messages.page(db, CHAT, before, limit))  # type: ignore[misc]
        seen += page.messages
        match remaining.pop() if remaining else "nothing":
            case "pull":
                numbers += 1
                arrive(store, account, numbers)
            case "commit":
                say(store, f"late{len(remaining)}")
        before = page.older
        if before is None:
            break
    assert before is None, "the pages come to an end"
    places = [place(message) for message in seen]
    assert all(newer > older for newer, older in pairwise(places))
    assert expected <= {message.message_id for message in seen}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    synced=st.integers(0, 9),
    states=st.lists(st.sampled_from(["pending", "rejected"]), max_size=5),
    limit=st.integers(1, 6),
)
def test_reading_towards_the_newest_is_the_same_order_reversed(
    store: Store, account: AccountId, synced: int, states: list[str], limit: int
) -> None:
    fill(store, account, synced, states)
    down = store.read(lambda db: messages.page(db, CHAT, None, 100)).messages
    up: list[Message] = []
    after = Position(0, 0)
    for _ in range(100):
        batch = store.read(lambda db, after=after: messages.newer(db, CHAT, after, limit))  # type: ignore[misc]
        if not batch:
            break
        up += batch
        after = Position(batch[-1].sequence_num, batch[-1].local_order)
    assert up == list(reversed(down))


def test_a_confirmation_moves_a_message_at_most_once(store: Store, account: AccountId) -> None:
    fill(store, account, 2, ["pending", "pending"])
    confirmed = [verdict("u0", VerdictStatus.INSERTED, 3)]
    store.write(lambda tx: record_verdicts(tx, account, "epoch-1", CHAT, confirmed)).result()
    ids = [message.message_id for message in store.read(lambda db: messages.page(db, CHAT)).messages]
    assert ids == ["u1", "u0", "s2", "s1"]


def test_an_untitled_chat_that_only_messages_told_of_is_listed(store: Store, account: AccountId) -> None:
    store.write(
        lambda tx: inbox.apply(tx, account, change_page([message_change(1, "b", "m1", 1)], reset=True))
    ).result()
    assert [chat.chat_id for chat in store.read(lambda db: chats.list_chats(db, [account]))] == ["b"]
