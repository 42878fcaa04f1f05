import pytest

from storage import aside, chats, messages
from storage.errors import InvalidMessage, UnknownChat
from storage.exchange import VerdictStatus
from storage.outbound import outbox
from storage.records import AccountId, Chat, ChatId, MessageId, Position, Role, SyncState
from storage.store import Store
from tests.fakes.changes import record_verdicts, text, verdict


@pytest.fixture
def chat(store: Store) -> Chat:
    return store.write(lambda tx: chats.create(tx, "")).result()


def say(store: Store, chat: Chat, words: str, message_id: str | None = None) -> MessageId:
    wanted = MessageId(message_id) if message_id else None
    return (
        store.write(lambda tx: messages.commit(tx, chat.chat_id, words, message_id=wanted))
        .result()
        .message_id
    )


def shown(store: Store, chat: Chat) -> list[str]:
    page = store.read(lambda db: messages.page(db, chat.chat_id))
    return [message.content[0]["text"] for message in page.messages]


def test_a_committed_message_is_pending_and_on_top(store: Store, chat: Chat) -> None:
    other = store.write(lambda tx: chats.create(tx, "Other")).result()
    message = store.write(lambda tx: messages.commit(tx, chat.chat_id, "Hello\nthere")).result()
    assert (message.sync_state, message.sequence_num, message.role) == (SyncState.PENDING, None, Role.USER)
    assert message.content == text("Hello\nthere")
    first, second = store.read(lambda db: chats.list_chats(db, [chat.account_id]))
    assert (first.chat_id, first.pending, first.title) == (chat.chat_id, 1, "Hello")
    assert second.chat_id == other.chat_id


def test_the_draft_is_cleared_with_the_message(store: Store, chat: Chat) -> None:
    store.write(lambda tx: chats.save_draft(tx, chat.chat_id, "Hel")).result()
    store.write(lambda tx: messages.commit(tx, chat.chat_id, "a", clear_draft=False)).result()
    assert store.read(lambda db: chats.get(db, chat.chat_id)).draft == "Hel"
    say(store, chat, "Hello")
    assert store.read(lambda db: chats.get(db, chat.chat_id)).draft == ""


def test_the_title_is_the_first_line_of_the_first_thing_a_person_says(store: Store, chat: Chat) -> None:
    store.write(lambda tx: messages.commit(tx, chat.chat_id, "Welcome", role=Role.ASSISTANT)).result()
    assert store.read(lambda db: chats.get(db, chat.chat_id)).title == ""
    say(store, chat, "\n  " + "long " * 40 + "\nsecond line")
    title = store.read(lambda db: chats.get(db, chat.chat_id)).title
    assert title.startswith("long long")
    assert title.endswith("…")
    assert len(title) <= 80
    say(store, chat, "Another")
    assert store.read(lambda db: chats.get(db, chat.chat_id)).title == title


def test_the_same_id_and_body_again_is_one_message(store: Store, chat: Chat) -> None:
    say(store, chat, "Hello", "m1")
    say(store, chat, "Hello", "m1")
    assert shown(store, chat) == ["Hello"]


def test_the_same_id_with_another_body_is_refused(store: Store, chat: Chat) -> None:
    say(store, chat, "Hello", "m1")
    with pytest.raises(InvalidMessage):
        say(store, chat, "Goodbye", "m1")
    assert shown(store, chat) == ["Hello"]


@pytest.mark.parametrize("message_id", ["x" * 129, "a\0b", "\ud800"])
def test_an_id_that_the_server_would_not_take_is_refused(store: Store, chat: Chat, message_id: str) -> None:
    with pytest.raises(InvalidMessage):
        say(store, chat, "Hello", message_id)


def test_a_refused_message_changes_nothing(store: Store, chat: Chat) -> None:
    store.write(lambda tx: chats.save_draft(tx, chat.chat_id, "draft")).result()
    with pytest.raises(InvalidMessage):
        say(store, chat, "  ")
    assert store.read(lambda db: chats.get(db, chat.chat_id)).draft == "draft"
    assert shown(store, chat) == []


def test_an_unknown_chat_is_named_as_such(store: Store) -> None:
    with pytest.raises(UnknownChat):
        store.write(lambda tx: messages.commit(tx, ChatId("nowhere"), "Hello")).result()
    assert store.read(lambda db: messages.page(db, ChatId("nowhere"))).messages == ()


def test_pending_and_rejected_ones_stand_after_the_synced_ones(store: Store, account: AccountId) -> None:
    chat = store.write(lambda tx: chats.create(tx, "Trip", account_id=account)).result()
    for words in "abcd":
        say(store, chat, words, words)
    verdicts = [verdict("a", number=1), verdict("b", VerdictStatus.REJECTED), verdict("c", number=2)]
    store.write(lambda tx: record_verdicts(tx, account, None, chat.chat_id, verdicts)).result()
    assert shown(store, chat) == ["d", "b", "c", "a"]
    below = store.read(lambda db: messages.page(db, chat.chat_id, Position(2, 0), 10).messages)
    assert [message.message_id for message in below] == ["a"]
    newest = store.read(lambda db: messages.page(db, chat.chat_id, None, 3).messages)
    assert [message.message_id for message in newest] == ["d", "b", "c"]
    newer = store.read(lambda db: messages.newer(db, chat.chat_id, Position(1, 1)))
    assert [message.message_id for message in newer] == ["c", "b", "d"]


def test_a_rejected_message_can_be_tried_again(store: Store, account: AccountId) -> None:
    chat = store.write(lambda tx: chats.create(tx, "Trip", account_id=account)).result()
    message_id = say(store, chat, "Hello")
    store.write(lambda tx: outbox.set_aside(tx, chat.chat_id, [message_id], "Too big")).result()
    held = store.read(lambda db: messages.get(db, chat.chat_id, message_id))
    assert held is not None
    assert (held.sync_state, held.sync_error) == (SyncState.REJECTED, "Too big")
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches == ()
    again = store.write(lambda tx: aside.retry(tx, chat.chat_id, message_id)).result()
    assert (again.sync_state, again.sync_error) == (SyncState.PENDING, None)
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches != ()


def test_content_that_another_program_broke_does_not_hide_the_page(store: Store, chat: Chat) -> None:
    say(store, chat, "good")
    bad = say(store, chat, "bad")
    broken = "update messages set content = '{' where message_id = ?"
    store.write(lambda tx: tx.db.execute(broken, (bad,)).rowcount).result()
    page = store.read(lambda db: messages.page(db, chat.chat_id))
    assert [message.content[0]["type"] for message in page.messages] == ["status", "text"]
