"""Fields of chats under lost answers, overtaking pulls and deletions: the server's order decides, never a clock."""

from datetime import UTC, datetime

import pytest

from storage import chats, messages, projects
from storage.errors import UnknownProject
from storage.exchange import ChatChange, ChatEdit, ChatVerdict, Parcel, Receipt
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, AccountId, Chat, ChatId, MessageId
from storage.rescue import salvage
from storage.standing import edits, unsynced
from storage.store import Store
from tests.fakes.changes import change_page, chat_change
from tests.fakes.kinds import confirm, share_chat

CHAT = ChatId("chat")


def test_a_first_save_that_arrived_unheard_undoes_nothing(store: Store, account: AccountId) -> None:
    create(store, account, "Trip")
    (first,) = offered(store, account)
    assert first.fields["title"] == "Trip"
    # Its answer is lost, and another device renames the chat.
    (again,) = offered(store, account)
    assert again.fields == {}
    receive(store, account, again, chat_change(3, CHAT, "Journey"))
    assert (chat(store).title, edited(store, account)) == ("Journey", ())


def test_a_first_save_that_never_arrived_is_made_good(store: Store, account: AccountId) -> None:
    create(store, account, "Trip")
    offered(store, account)
    (again,) = offered(store, account)
    receive(store, account, again, chat_change(1, CHAT, ""))
    assert chat(store).title == "Trip"
    (rest,) = edited(store, account)
    assert rest.fields == {"title": "Trip"}
    receive(store, account, rest, chat_change(2, CHAT, "Trip"))
    assert (chat(store).title, edited(store, account)) == ("Trip", ())


def test_a_pull_tells_that_it_arrived_as_well(store: Store, account: AccountId) -> None:
    create(store, account, "Trip")
    offered(store, account)
    store.write(lambda tx: chats.pin(tx, CHAT)).result()
    share_chat(store, account, CHAT, "Journey")
    assert (chat(store).title, chat(store).pinned) == ("Journey", True)
    assert [edit.fields for edit in edited(store, account)] == [{"pinned": True}]


def test_what_was_edited_after_the_first_save_went_out_is_sent_whatever_became_of_it(
    store: Store, account: AccountId
) -> None:
    create(store, account, "Trip")
    offered(store, account)
    store.write(lambda tx: chats.rename(tx, CHAT, "Mine")).result()
    (probe,) = offered(store, account)
    assert probe.fields == {}
    receive(store, account, probe, chat_change(2, CHAT, "Theirs"))
    assert chat(store).title == "Mine"
    assert [edit.fields for edit in edited(store, account)] == [{"title": "Mine"}]


def test_a_server_that_shows_no_row_gets_all_of_it_again(store: Store, account: AccountId) -> None:
    create(store, account, "Trip")
    offered(store, account)
    (probe,) = offered(store, account)
    receive(store, account, probe, None)
    assert [edit.fields["title"] for edit in edited(store, account)] == ["Trip"]


def test_a_chat_that_the_server_does_not_know_is_made_as_the_deleted_one_it_is(
    store: Store, account: AccountId
) -> None:
    share_chat(store, account, CHAT)
    store.write(lambda tx: chats.delete(tx, CHAT)).result()
    (edit,) = edited(store, account)
    confirm(store, account, edit)
    store.write(lambda tx: outbox.requeue_chat(tx, CHAT)).result()
    (again,) = offered(store, account)
    assert again.fields["deleted"] is True
    (probe,) = offered(store, account)
    assert probe.fields == {"deleted": True}


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_deleted_chat_does_not_come_back_by_a_pull_or_a_reset(
    store: Store, account: AccountId, confirmed: bool
) -> None:
    pull(store, account, chat_change(1, CHAT))
    store.write(lambda tx: chats.delete(tx, CHAT)).result()
    if confirmed:
        (edit,) = edited(store, account)
        receive(store, account, edit, chat_change(2, CHAT, deleted=True))
    else:
        pull(store, account, chat_change(2, CHAT, "Renamed"))
    assert chat(store).deleted
    page = change_page([chat_change(1, CHAT)], epoch="epoch-2", reset=True)
    store.write(lambda tx: inbox.apply(tx, account, page)).result()
    assert chat(store).deleted
    assert [dict(each.fields) for each in edited(store, account)] == [{"deleted": True}]


def test_another_device_may_restore_it(store: Store, account: AccountId) -> None:
    pull(store, account, chat_change(1, CHAT, deleted=True))
    pull(store, account, chat_change(2, CHAT))
    assert not chat(store).deleted


def test_a_chat_that_was_deleted_here_is_out_of_sight_with_all_it_holds_until_it_is_restored(
    store: Store, account: AccountId
) -> None:
    pull(store, account, chat_change(1, CHAT))
    store.write(lambda tx: messages.commit(tx, CHAT, "hello", message_id=MessageId("m1"))).result()
    store.write(lambda tx: outbox.set_aside(tx, CHAT, [MessageId("m1")], "No.")).result()
    store.write(lambda tx: chats.delete(tx, CHAT)).result()
    assert store.read(lambda db: chats.list_chats(db, [account])) == []
    assert store.read(lambda db: unsynced.counts(db, [account])).rejected == 0
    restored = store.write(lambda tx: chats.restore(tx, CHAT)).result()
    assert (restored.deleted, restored.pending, restored.rejected) == (False, 1, 0)
    assert store.read(lambda db: chats.list_chats(db, [account])) == [restored]


def test_a_chat_that_was_deleted_elsewhere_stays_in_sight_while_it_holds_words_that_are_nowhere_else(
    store: Store, account: AccountId
) -> None:
    pull(store, account, chat_change(1, CHAT))
    store.write(lambda tx: messages.commit(tx, CHAT, "hello")).result()
    pull(store, account, chat_change(2, CHAT, deleted=True))
    assert [each.rejected for each in store.read(lambda db: chats.list_chats(db, [account]))] == [1]
    store.write(lambda tx: chats.delete(tx, CHAT)).result()
    assert store.read(lambda db: chats.list_chats(db, [account])) == []
    # Restored and deleted once more by the other device: what was put out of sight before counts no longer.
    pull(store, account, chat_change(3, CHAT))
    pull(store, account, chat_change(4, CHAT, deleted=True))
    assert len(store.read(lambda db: chats.list_chats(db, [account]))) == 1


def test_a_chat_goes_into_a_project_of_its_own_account_only(store: Store, account: AccountId) -> None:
    create(store, account, "Trip")
    mine = store.write(lambda tx: projects.create(tx, "Home", account_id=account)).result()
    local = store.write(lambda tx: projects.create(tx, "Home")).result()
    assert local.account_id == LOCAL_ACCOUNT
    assert (
        store.write(lambda tx: chats.set_project(tx, CHAT, mine.project_id)).result().project_id
        == mine.project_id
    )
    with pytest.raises(UnknownProject):
        store.write(lambda tx: chats.set_project(tx, CHAT, local.project_id)).result()
    assert store.write(lambda tx: chats.set_project(tx, CHAT, None)).result().project_id is None


def test_a_first_save_out_of_a_backup_asks_before_it_undoes_anything(
    store: Store, account: AccountId
) -> None:
    create(store, account, "Trip")
    backup = store.keep_backups()
    assert backup is not None
    store.close()
    store.path.unlink()
    salvage.restore(store.path, backup.path, datetime(2026, 11, 21, tzinfo=UTC))
    restored = Store.open(store.path)
    (probe,) = edited(restored, account)
    receive(restored, account, probe, chat_change(9, CHAT, "Renamed since"))
    assert (probe.fields, chat(restored).title) == ({}, "Renamed since")
    restored.close()


def create(store: Store, account: AccountId, title: str) -> None:
    store.write(lambda tx: chats.create(tx, title, account_id=account, chat_id=CHAT)).result()


def edited(store: Store, account: AccountId) -> tuple[ChatEdit, ...]:
    return store.read(lambda db: outbox.load_parcel(db, account)).parcel.edits


def offered(store: Store, account: AccountId) -> tuple[ChatEdit, ...]:
    """What goes out now, remembered as the engine's store effect does."""
    found = edited(store, account)
    store.write(lambda tx: edits.offer(tx, found)).result()
    return found


def receive(store: Store, account: AccountId, edit: ChatEdit, change: ChatChange | None) -> None:
    epoch = store.read(lambda db: inbox.cursor(db, account)).epoch
    parcel = Parcel((), (edit,), ())
    receipt = Receipt((), (ChatVerdict(edit.chat_id, True, None),), (), (change,) if change else (), None)
    store.write(lambda tx: outbox.record_receipt(tx, account, epoch, parcel, receipt)).result()


def pull(store: Store, account: AccountId, *changes: ChatChange) -> None:
    first = store.read(lambda db: inbox.cursor(db, account)).epoch is None
    assert store.write(lambda tx: inbox.apply(tx, account, change_page(changes, reset=first))).result()


def chat(store: Store) -> Chat:
    return store.read(lambda db: chats.get(db, CHAT))
