"""The server was wound back: what it lost of each kind is sent again, and nothing else (I12)."""

from collections.abc import Sequence
from typing import TypeAlias

from storage import chats, context, projects, snapshots, usage
from storage.exchange import (
    ChangePage,
    ContextChange,
    ErrandKind,
    ProjectChange,
    ProjectEdit,
    SnapshotChange,
    UsageChange,
)
from storage.inbound import inbox, kinds
from storage.outbound import errands
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, ProjectId
from storage.resources import Resource
from storage.store import Store, Transaction
from tests.fakes.kinds import (
    answer,
    context_change,
    project_change,
    share_chat,
    snapshot_change,
    usage_change,
)

CHAT, P, Q = ChatId("chat"), ProjectId("p"), ProjectId("q")
Change: TypeAlias = ProjectChange | SnapshotChange | ContextChange | UsageChange


def test_what_the_server_lost_is_sent_again_and_what_it_shows_is_not(
    store: Store, account: AccountId
) -> None:
    share_chat(store, account, CHAT)
    take(store, account, [project_change(1, P), project_change(2, Q, "Gone"), snapshot_change(3, Q)])
    take(store, account, [context_change(4, CHAT, "kept"), context_change(5, CHAT, "lost")])
    store.write(lambda tx: snapshots.save(tx, P, {"a": "1"})).result()
    answer(store, account)
    rewind(store, account, [project_change(1, P, "Older"), context_change(4, CHAT, "kept")])
    assert {each.project_id: set(each.fields) for each in edited(store, account)} == {
        Q: {"name", "description", "status", "url_id"}
    }
    sent = waiting(store)
    assert [kind for kind, _ in sent] == [ErrandKind.SAVE_SNAPSHOT, ErrandKind.PIN_CONTEXT]
    assert "lost" in sent[1][1]
    assert "kept" not in sent[1][1]
    # Its files were never here: there is nothing to send, and nothing to show.
    assert store.read(lambda db: snapshots.get(db, Q)) is None
    answer(store, account)
    assert [(each.source, each.pending) for each in pinned(store)] == [("kept", False), ("lost", False)]


def test_what_is_deleted_does_not_come_back(store: Store, account: AccountId) -> None:
    share_chat(store, account, CHAT)
    take(store, account, [project_change(1, P, deleted=True), context_change(2, CHAT, "a", deleted=True)])
    rewind(store, account, [])
    assert (edited(store, account), waiting(store)) == ((), [])
    # A server that was wound back behind the deletion is told again.
    take(store, account, [project_change(1, P, deleted=True)], 1)
    rewind(store, account, [project_change(1, P)])
    assert store.read(lambda db: projects.get(db, P)).deleted
    assert [each.fields for each in edited(store, account)] == [{"deleted": True}]


def test_what_waited_before_waits_once(store: Store, account: AccountId) -> None:
    share_chat(store, account, CHAT)
    take(store, account, [project_change(1, P)])
    store.write(lambda tx: snapshots.save(tx, P, {"a": "1"})).result()
    store.write(lambda tx: context.pin(tx, CHAT, [Resource("a", "document", "x")])).result()
    rewind(store, account, [project_change(1, P)])
    assert [kind for kind, _ in waiting(store)] == [ErrandKind.SAVE_SNAPSHOT, ErrandKind.PIN_CONTEXT]


def test_an_account_that_has_only_projects_recovers_too(store: Store, account: AccountId) -> None:
    for epoch, changes in (("epoch-1", [project_change(1, P)]), ("epoch-2", [])):
        page = ChangePage(epoch, len(changes), len(changes), False, True, tuple(changes))
        store.write(lambda tx, page=page: inbox.apply(tx, account, page)).result()  # type: ignore[misc]  # bound per turn
    assert [each.project_id for each in edited(store, account)] == [P]


def test_usage_is_summed_and_twice_is_as_good_as_once(store: Store, account: AccountId) -> None:
    changes = [
        usage_change(1, CHAT, "m1", 3),
        usage_change(2, CHAT, "m2", 5),
        usage_change(3, "other", "m1", 7),
    ]
    for _ in range(2):
        take(store, account, changes)
    assert [each.total_tokens for each in store.read(lambda db: usage.of_chat(db, CHAT))] == [3, 5]
    total = store.read(lambda db: usage.total(db, [account, LOCAL_ACCOUNT]))
    assert (total.total_tokens, total.replies, total.unpriced, total.cost_micros) == (15, 3, 3, 0)


def test_nothing_of_another_account_is_touched(store: Store, account: AccountId) -> None:
    store.write(lambda tx: projects.create(tx, "Mine", project_id=P)).result()
    store.write(lambda tx: snapshots.save(tx, P, {"a": "1"})).result()
    store.write(lambda tx: projects.create(tx, "Mine", project_id=Q)).result()
    store.write(lambda tx: chats.create(tx, "Mine", chat_id=CHAT)).result()
    take(store, account, [snapshot_change(4, Q)])
    assert store.read(lambda db: snapshots.get(db, Q)) is None
    take(store, account, [project_change(1, P, "Theirs"), snapshot_change(2, P), usage_change(3, CHAT, "m")])
    assert store.read(lambda db: projects.get(db, P)).name == "Mine"
    mine = store.read(lambda db: snapshots.get(db, P))
    assert mine is not None
    assert mine.files == {"a": "1"}
    assert store.read(lambda db: usage.of_chat(db, CHAT)) == []


def rewind(store: Store, account: AccountId, shown: Sequence[Change]) -> None:
    """The server begins another epoch and shows this much of the last one; the chat too."""

    def job(tx: Transaction) -> None:
        (generation,) = tx.db.execute(
            "update accounts set generation = generation + 1 where account_id = ? returning generation",
            (account,),
        ).fetchone()
        tx.db.execute("update chats set generation = ? where account_id = ?", (generation, account))
        for change in shown:
            kinds.apply(tx, account, generation, change)
        kinds.requeue_lost(tx, account, generation)

    store.write(job).result()


def take(store: Store, account: AccountId, changes: Sequence[Change], generation: int = 0) -> None:
    def job(tx: Transaction) -> None:
        for change in changes:
            kinds.apply(tx, account, generation, change)

    store.write(job).result()


def edited(store: Store, account: AccountId) -> Sequence[ProjectEdit]:
    return store.read(lambda db: projects.edited(db, account))


def waiting(store: Store) -> list[tuple[str, str]]:
    return store.read(lambda db: db.execute("select kind, body from errands order by number").fetchall())


def pinned(store: Store) -> list[context.Pinned]:
    return store.read(lambda db: context.list_pinned(db, CHAT))


def test_the_next_errand_is_none_where_nothing_waits(store: Store, account: AccountId) -> None:
    assert store.read(lambda db: errands.next(db, account)) is None
