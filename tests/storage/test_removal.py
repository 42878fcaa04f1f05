from typing import Any

import pytest

from storage import chats, messages, removal
from storage.exchange import (
    Batch,
    BatchVerdict,
    ErrandKind,
    HistoryPage,
    MessageChange,
    Parcel,
    Receipt,
    VerdictStatus,
)
from storage.inbound import history, inbox
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, Hole, MessageId
from storage.standing import orders, unsynced
from storage.store import Store
from tests.fakes.changes import change_page, chat_change, message_change, verdict
from tests.fakes.kinds import answer

CHAT = ChatId("chat")


def test_a_synced_message_is_gone_at_once_and_the_server_is_told(store: Store, account: AccountId) -> None:
    pulled(store, account, message_change(2, CHAT, "m1", 1), message_change(3, CHAT, "m2", 2))
    assert delete(store, "m1", "unknown") == 1
    assert shown(store) == ["m2"]
    assert waiting(store, account) == [(ErrandKind.DELETE_MESSAGES, {"p_message_ids": ["m1"]})]
    assert delete(store, "m1") == 0
    assert len(waiting(store, account)) == 1


def test_it_does_not_come_back_while_the_errand_waits_and_not_with_its_tombstone(
    store: Store, account: AccountId
) -> None:
    pulled(store, account, message_change(2, CHAT, "m1", 1))
    delete(store, "m1")
    pulled(store, account, message_change(3, CHAT, "m1", 1, "edited", revision=2))
    assert shown(store) == []
    answer(store, account)
    pulled(store, account, message_change(4, CHAT, "m1", 1, revision=3, deleted=True))
    assert shown(store) == []


def test_a_server_that_was_wound_back_behind_the_deletion_is_told_again(
    store: Store, account: AccountId
) -> None:
    pulled(store, account, message_change(2, CHAT, "m1", 1), message_change(3, CHAT, "m2", 2))
    delete(store, "m1")
    answer(store, account)
    page = change_page(
        [chat_change(1, CHAT), message_change(2, CHAT, "m1", 1), message_change(3, CHAT, "m2", 2)],
        epoch="epoch-2",
        reset=True,
    )
    store.write(lambda tx: inbox.apply(tx, account, page)).result()
    assert shown(store) == ["m2"]
    assert waiting(store, account) == [(ErrandKind.DELETE_MESSAGES, {"p_message_ids": ["m1"]})]


def test_a_message_that_waits_is_hidden_goes_out_and_is_deleted_once_it_is_confirmed(
    store: Store, account: AccountId
) -> None:
    pulled(store, account)
    say(store, "m1")
    assert delete(store, "m1") == 1
    assert delete(store, "m1") == 0
    assert shown(store) == []
    assert waiting(store, account) == []
    batch = queued(store, account)
    assert [message.message_id for message in batch.messages] == ["m1"]
    judge(store, account, batch, VerdictStatus.INSERTED)
    assert shown(store) == []
    assert waiting(store, account) == [(ErrandKind.DELETE_MESSAGES, {"p_message_ids": ["m1"]})]


def test_a_pull_that_confirms_it_counts_as_well(store: Store, account: AccountId) -> None:
    pulled(store, account)
    say(store, "m1")
    delete(store, "m1")
    pulled(store, account, message_change(2, CHAT, "m1", 1, "words"))
    assert shown(store) == []
    assert [kind for kind, _ in waiting(store, account)] == [ErrandKind.DELETE_MESSAGES]


@pytest.mark.parametrize("status", [VerdictStatus.CONFLICT, VerdictStatus.REJECTED])
def test_a_hidden_message_that_the_server_refuses_is_over(
    store: Store, account: AccountId, status: VerdictStatus
) -> None:
    pulled(store, account)
    say(store, "m1")
    delete(store, "m1")
    judge(store, account, queued(store, account), status)
    counted = store.read(lambda db: unsynced.counts(db, [account]))
    assert (counted.pending, counted.rejected, waiting(store, account)) == (0, 0, [])


def test_what_the_server_has_under_the_id_of_a_hidden_message_is_shown_once_that_is_refused(
    store: Store, account: AccountId
) -> None:
    pulled(store, account)
    say(store, "m1")
    delete(store, "m1")
    batch = queued(store, account)
    pulled(store, account, message_change(2, CHAT, "m1", 1, "another device's words"))
    assert shown(store) == []
    judge(store, account, batch, VerdictStatus.CONFLICT)
    assert shown(store) == ["m1"]


def test_what_was_set_aside_is_dropped(store: Store, account: AccountId) -> None:
    pulled(store, account)
    say(store, "m1")
    store.write(lambda tx: outbox.set_aside(tx, CHAT, [MessageId("m1")], "No.")).result()
    assert delete(store, "m1") == 1
    assert (shown(store), waiting(store, account)) == ([], [])


def test_cleared_then_appended_again(store: Store, account: AccountId) -> None:
    pulled(store, account, message_change(2, CHAT, "m1", 1), message_change(3, CHAT, "m2", 2))
    say(store, "m3")
    assert store.write(lambda tx: removal.clear(tx, CHAT)).result() == 3
    assert shown(store) == []
    assert waiting(store, account) == [(ErrandKind.CLEAR_CHAT, {"p_through": 2})]
    say(store, "m4")
    pulled(store, account, message_change(4, CHAT, "m5", 3))
    assert shown(store) == ["m4", "m5"]


def test_what_is_filled_in_behind_a_clear_stays_cleared(store: Store, account: AccountId) -> None:
    pulled(store, account, message_change(9, CHAT, "m3", 3))
    store.write(lambda tx: removal.clear(tx, CHAT)).result()
    page = HistoryPage("epoch-1", (message_change(4, CHAT, "m2", 2),), (Hole(CHAT, 1, 2),))
    assert store.write(lambda tx: history.apply(tx, account, page)).result()
    assert shown(store) == []


def test_signed_out_messages_are_gone_without_a_word(store: Store) -> None:
    store.write(lambda tx: chats.create(tx, "Trip", chat_id=CHAT)).result()
    for message_id in ("m1", "m2", "m3"):
        say(store, message_id)
    delete(store, "m1")
    assert shown(store) == ["m3", "m2"]
    store.write(lambda tx: removal.clear(tx, CHAT)).result()
    assert waiting(store, LOCAL_ACCOUNT) == []
    assert store.read(lambda db: db.execute("select count(*) from messages").fetchone()) == (0,)


def test_many_are_deleted_in_errands_that_the_server_takes(store: Store, account: AccountId) -> None:
    pulled(store, account, *(message_change(n + 1, CHAT, f"m{n}", n) for n in range(1, 302)))
    assert delete(store, *(f"m{n}" for n in range(1, 302))) == 301
    assert [len(body["p_message_ids"]) for _, body in waiting(store, account)] == [200, 101]


def test_nothing_is_deleted_in_a_chat_that_is_not_here(store: Store) -> None:
    assert delete(store, "m1") == 0
    assert store.write(lambda tx: removal.clear(tx, CHAT)).result() == 0


def pulled(store: Store, account: AccountId, *changes: MessageChange) -> None:
    first = store.read(lambda db: inbox.cursor(db, account)).epoch is None
    page = change_page([*([chat_change(1, CHAT)] if first else []), *changes], reset=first)
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def say(store: Store, message_id: str) -> None:
    store.write(lambda tx: messages.commit(tx, CHAT, "words", message_id=MessageId(message_id))).result()


def delete(store: Store, *message_ids: str) -> int:
    return store.write(
        lambda tx: removal.delete(tx, CHAT, [MessageId(each) for each in message_ids])
    ).result()


def queued(store: Store, account: AccountId) -> Batch:
    (batch,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches
    return batch


def judge(store: Store, account: AccountId, batch: Batch, status: VerdictStatus) -> None:
    number = None if status is VerdictStatus.REJECTED else 1
    told = tuple(verdict(each.message_id, status, number) for each in batch.messages)
    receipt = Receipt((), (), (BatchVerdict(batch.chat_id, None, told),), (), None)
    store.write(
        lambda tx: outbox.record_receipt(tx, account, "epoch-1", Parcel((), (), (batch,)), receipt)
    ).result()


def shown(store: Store) -> list[str]:
    return [message.message_id for message in store.read(lambda db: messages.page(db, CHAT)).messages]


def waiting(store: Store, account: AccountId) -> list[tuple[ErrandKind, Any]]:
    found = store.read(
        lambda db: db.execute(
            "select number, kind, subject, body from errands where account_id = ? order by number", (account,)
        ).fetchall()
    )
    return [(errand.kind, errand.body) for errand in map(orders.errand, found)]
