from storage import accounts, adoption, chats, context, messages, projects, releasing, snapshots
from storage.exchange import ErrandKind
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, Account, AccountId, Chat, ChatId, MessageId, ProjectId, SyncState
from storage.resources import Resource
from storage.standing import held
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, chat_change, message_change, text
from tests.fakes.kinds import context_change, project_change, usage_change

A, B, C = ChatId("a"), ChatId("b"), ChatId("c")
P = ProjectId("the-project")


def test_chats_are_adopted_one_by_one_with_all_that_hangs_on_them(store: Store, account: AccountId) -> None:
    store.write(signed_out_work).result()
    assert adopt(store, account, A) == 1
    assert adopt(store, account, A) == 0
    assert [chat(store, each).account_id for each in (A, B)] == [account, LOCAL_ACCOUNT]
    assert store.read(lambda db: projects.get(db, P)).account_id == account
    # The other chat of the project stays in it, signed out.
    assert chat(store, B).project_id == P
    parcel = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert [each.project_id for each in parcel.projects] == [P]
    assert [each.chat_id for each in parcel.edits] == [A]
    assert [(batch.chat_id, len(batch.messages)) for batch in parcel.batches] == [(A, 1)]
    assert waiting(store, account) == [(ErrandKind.SAVE_SNAPSHOT, P), (ErrandKind.PIN_CONTEXT, A)]
    assert waiting(store, LOCAL_ACCOUNT) == []
    assert adopt(store, account) == 2
    assert chat(store, B).project_id == P


def test_a_chat_whose_project_went_with_another_account_says_nothing_of_it(
    store: Store, account: AccountId
) -> None:
    store.write(signed_out_work).result()
    other = second_account(store)
    adopt(store, account, A)
    adopt(store, other, B)
    assert chat(store, B).project_id is None
    assert P not in str(store.read(lambda db: outbox.load_parcel(db, other)).parcel)


def test_projects_without_a_chat_are_adopted_with_everything(store: Store, account: AccountId) -> None:
    store.write(lambda tx: projects.create(tx, "Home", project_id=P)).result()
    assert adopt(store, account) == 0
    assert store.read(lambda db: projects.get(db, P)).account_id == account


def test_a_deleted_chat_and_another_accounts_chat_are_not_adopted(store: Store, account: AccountId) -> None:
    other = second_account(store)
    store.write(lambda tx: chats.create(tx, "Theirs", account_id=other, chat_id=A)).result()
    store.write(lambda tx: chats.create(tx, "Gone", chat_id=B)).result()
    store.write(lambda tx: chats.delete(tx, B)).result()
    assert adopt(store, account) == 0
    assert adopt(store, account, A, B) == 0


def test_what_an_account_held_that_is_gone_becomes_signed_out_work(store: Store, account: AccountId) -> None:
    page = change_page(
        [
            chat_change(1, A),
            *(message_change(n + 1, A, f"m{n}", n, f"words {n}") for n in (1, 2, 3)),
            message_change(5, A, "m4", 4, deleted=True),
            chat_change(6, C, deleted=True),
            project_change(7, P),
            context_change(8, A, "pinned"),
            context_change(9, A, "unpinned", deleted=True),
            usage_change(10, A, "m1"),
        ],
        reset=True,
    )
    store.write(lambda tx: inbox.apply(tx, account, page)).result()
    say(store, A, "m5")
    say(store, A, "m6")
    store.write(lambda tx: snapshots.save(tx, P, {"a": "1"})).result()
    store.write(lambda tx: hide(tx, "m6")).result()

    assert release(store, account) == 1
    assert release(store, account) == 0
    assert store.read(lambda db: accounts.get(db, account)) is None
    assert store.read(accounts.active) is None
    shown = store.read(lambda db: messages.page(db, A)).messages
    assert [(each.message_id, each.sync_state) for each in shown] == [
        (each, SyncState.PENDING) for each in ("m5", "m3", "m2", "m1")
    ]
    assert (chat(store, A).account_id, chat(store, A).last_num, chat(store, A).pending) == (
        LOCAL_ACCOUNT,
        0,
        4,
    )
    assert store.read(lambda db: list(held.holes(db, A, 1, 2))) == [(1, 2)]

    other = second_account(store)
    assert adopt(store, other) == 1
    parcel = store.read(lambda db: outbox.load_parcel(db, other)).parcel
    assert [each.message_id for each in parcel.batches[0].messages] == ["m1", "m2", "m3", "m5"]
    assert [each.project_id for each in parcel.projects] == [P]
    assert sorted(waiting(store, other)) == [(ErrandKind.PIN_CONTEXT, A), (ErrandKind.SAVE_SNAPSHOT, P)]


def test_of_two_texts_with_one_id_both_are_released(store: Store, account: AccountId) -> None:
    page = change_page([chat_change(1, A), message_change(2, A, "m0", 1)], reset=True)
    store.write(lambda tx: inbox.apply(tx, account, page)).result()
    say(store, A, "m1")
    store.write(
        lambda tx: inbox.apply(tx, account, change_page([message_change(3, A, "m1", 2, "theirs")]))
    ).result()
    release(store, account)
    shown = store.read(lambda db: messages.page(db, A)).messages
    assert [each.content for each in shown] == [text("words"), text("theirs"), text("hi")]
    assert len({each.message_id for each in shown}) == 3


def test_signed_out_work_cannot_be_released(store: Store) -> None:
    store.write(signed_out_work).result()
    assert release(store, LOCAL_ACCOUNT) == 0
    assert len(store.read(lambda db: chats.list_chats(db, [LOCAL_ACCOUNT]))) == 3


def signed_out_work(tx: Transaction) -> None:
    projects.create(tx, "Home", project_id=P)
    snapshots.save(tx, P, {"a": "1"})
    for chat_id in (A, B, C):
        chats.create(tx, "Trip", chat_id=chat_id)
        messages.commit(tx, chat_id, "hello")
    for chat_id in (A, B):
        chats.set_project(tx, chat_id, P)
    context.pin(tx, A, [Resource("a.md", "document", "x")])


def hide(tx: Transaction, message_id: str) -> None:
    tx.db.execute("update messages set withdrawn = 1 where message_id = ?", (message_id,))


def second_account(store: Store) -> AccountId:
    other = Account(AccountId("account-b"), "http://127.0.0.1:2", "key", "b@example.org", "user-b", True)
    store.write(lambda tx: accounts.remember(tx, other)).result()
    return other.account_id


def adopt(store: Store, account: AccountId, *chat_ids: ChatId) -> int:
    return store.write(lambda tx: adoption.adopt(tx, account, chat_ids or None)).result()


def release(store: Store, account: AccountId) -> int:
    return store.write(lambda tx: releasing.release(tx, account)).result()


def chat(store: Store, chat_id: ChatId) -> Chat:
    return store.read(lambda db: chats.get(db, chat_id))


def say(store: Store, chat_id: ChatId, message_id: str) -> None:
    store.write(lambda tx: messages.commit(tx, chat_id, "words", message_id=MessageId(message_id))).result()


def waiting(store: Store, account: AccountId) -> list[tuple[str, str]]:
    return store.read(
        lambda db: db.execute(
            "select kind, subject from errands where account_id = ? order by number", (account,)
        ).fetchall()
    )
