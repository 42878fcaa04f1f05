import pytest

from storage import adoption, chats, messages
from storage.errors import UnknownChat
from storage.exchange import ChatVerdict
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, Touched
from storage.store import Store
from tests.fakes.changes import record_chat_verdicts


def test_a_new_chat_is_wholly_unconfirmed(store: Store, account: AccountId) -> None:
    chat = store.write(lambda tx: chats.create(tx, " Trip ", account_id=account)).result()
    (edit,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    assert edit.chat_id == chat.chat_id
    assert edit.fields == {
        "title": "Trip",
        "project_id": None,
        "model": None,
        "pinned": False,
        "archived": False,
    }


@pytest.mark.parametrize(
    ("typed", "kept"), [("  a\n b\t", "a b"), ("x" * 2000, "x" * 1000), ("a\0\ud800", "a\ufffd"), ("", "")]
)
def test_a_title_is_one_line_that_the_server_takes(store: Store, typed: str, kept: str) -> None:
    chat = store.write(lambda tx: chats.create(tx, typed)).result()
    assert chat.title == kept
    assert store.write(lambda tx: chats.rename(tx, chat.chat_id, typed)).result().title == kept


def test_a_draft_with_half_an_emoji_is_kept(store: Store) -> None:
    chat = store.write(lambda tx: chats.create(tx, "Trip")).result()
    store.write(lambda tx: chats.save_draft(tx, chat.chat_id, "hi \ud83d")).result()
    assert store.read(lambda db: chats.get(db, chat.chat_id)).draft == "hi \ufffd"


def test_renaming_marks_the_title_only(store: Store, account: AccountId) -> None:
    chat = store.write(lambda tx: chats.create(tx, "Trip", account_id=account)).result()
    confirm(store, account)
    store.write(lambda tx: chats.rename(tx, chat.chat_id, "Journey")).result()
    (edit,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    assert edit.fields == {"title": "Journey"}


@pytest.mark.parametrize(
    "call",
    [
        lambda tx: chats.rename(tx, ChatId("nowhere"), "x"),
        lambda tx: chats.save_draft(tx, ChatId("nowhere"), "x"),
        lambda tx: chats.get(tx.db, ChatId("nowhere")),
    ],
)
def test_an_unknown_chat_is_named_as_such(store: Store, call: object) -> None:
    with pytest.raises(UnknownChat, match="nowhere"):
        store.write(call).result()  # type: ignore[arg-type]  # a table of lambdas has no common type


def test_a_draft_survives_and_touches_only_its_chat(store: Store) -> None:
    chat = store.write(lambda tx: chats.create(tx, "Trip")).result()
    seen: list[Touched] = []
    store.subscribe(seen.append)
    for words in ("Hel", "Hello", "Hello", ""):
        store.write(lambda tx, words=words: chats.save_draft(tx, chat.chat_id, words)).result()  # type: ignore[misc]
        assert store.read(lambda db: chats.get(db, chat.chat_id)).draft == words
    assert [(touched.chats, touched.messages) for touched in seen] == [
        (frozenset({chat.chat_id}), frozenset[ChatId]())
    ] * 3


def test_the_list_is_newest_activity_first_over_all_accounts(store: Store, account: AccountId) -> None:
    ids = [
        store.write(lambda tx, owner=owner: chats.create(tx, "", account_id=owner)).result().chat_id  # type: ignore[misc]
        for owner in (LOCAL_ACCOUNT, account, LOCAL_ACCOUNT, account)
    ]
    store.write(lambda tx: messages.commit(tx, ids[1], "Hello")).result()
    shown = store.read(lambda db: chats.list_chats(db, [account, LOCAL_ACCOUNT, account]))
    assert [chat.chat_id for chat in shown] == [ids[1], ids[3], ids[2], ids[0]]
    assert len(store.read(lambda db: chats.list_chats(db, [account, LOCAL_ACCOUNT], limit=2))) == 2
    assert store.read(lambda db: chats.list_chats(db, [account], archived=True)) == []
    assert store.read(lambda db: chats.list_chats(db, [])) == []


def test_adoption_keeps_ids_and_happens_once(store: Store, account: AccountId) -> None:
    local = store.write(lambda tx: chats.create(tx, "")).result()
    empty = store.write(lambda tx: chats.create(tx, "")).result()
    sent = store.write(lambda tx: messages.commit(tx, local.chat_id, "Hello")).result()
    assert store.read(chats.unadopted) == 1
    assert store.write(lambda tx: adoption.adopt(tx, account)).result() == 2
    assert store.write(lambda tx: adoption.adopt(tx, account)).result() == 0
    assert store.read(chats.unadopted) == 0
    work = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert {edit.chat_id for edit in work.edits} == {local.chat_id, empty.chat_id}
    assert all(
        set(edit.fields) == {"title", "project_id", "model", "pinned", "archived"} for edit in work.edits
    )
    assert [message.message_id for message in work.batches[0].messages] == [sent.message_id]


def test_signed_out_work_is_never_in_an_accounts_outbox(store: Store, account: AccountId) -> None:
    local = store.write(lambda tx: chats.create(tx, "Mine")).result()
    store.write(lambda tx: messages.commit(tx, local.chat_id, "Hello")).result()
    work = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert (work.edits, work.batches) == ((), ())


def confirm(store: Store, account: AccountId) -> None:
    edits = store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits
    verdicts = [ChatVerdict(edit.chat_id, True, None) for edit in edits]
    store.write(lambda tx: record_chat_verdicts(tx, account, edits, verdicts)).result()
