"""Answers that overtake each other, servers that are wound back, and deletions on their way: what a store makes of it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from storage import aside, chats, messages, projects, removal
from storage.exchange import Change, ErrandKind, ErrandVerdict, Head, Receipt, VerdictStatus
from storage.inbound import heads, history, inbox
from storage.outbound import errands, outbox
from storage.records import AccountId, ChatId, Message, MessageId, ProjectId, SyncState
from storage.standing import openings, orders
from storage.store import Store, Transaction
from tests.fakes.changes import (
    change_page,
    chat_change,
    history_page,
    hole,
    message_change,
    receipt,
    record_verdicts,
    text,
    verdict,
)
from tests.fakes.kinds import project_change

A = ChatId("a")
P = ProjectId("p")


def test_a_chat_that_the_server_lost_and_got_again_hears_of_other_devices(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(5000, A, "Trip"), message_change(5001, A, "m1", 1)])
    pull(store, account, [], epoch="epoch-2", cursor=9)
    parcel = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    assert [each.chat_id for each in parcel.edits] == [A]
    store.write(lambda tx: outbox.record_receipt(tx, account, "epoch-2", parcel, receipt(parcel))).result()
    pull(store, account, [chat_change(20, A, "Renamed elsewhere")], epoch="epoch-2")
    assert title(store) == "Renamed elsewhere"


def test_an_edit_that_a_wound_back_server_takes_first_does_not_end_what_is_heard_of_the_chat(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(5000, A, "Trip")])
    store.write(lambda tx: chats.rename(tx, A, "Mine")).result()
    pull(store, account, [project_change(3, P)], epoch="epoch-2", more=True)
    parcel = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    told = receipt(parcel)
    told = Receipt((), told.chats, (), (chat_change(10, A, "Mine"),), None)
    store.write(lambda tx: outbox.record_receipt(tx, account, "epoch-2", parcel, told)).result()
    pull(store, account, [chat_change(20, A, "Renamed elsewhere")], epoch="epoch-2")
    assert title(store) == "Renamed elsewhere"


def test_what_an_edit_hid_on_a_server_that_was_wound_back_is_not_its_last_word(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(5, A, "Trip")])
    store.write(lambda tx: chats.rename(tx, A, "Mine")).result()
    pull(store, account, [chat_change(5000, A, "Theirs")])
    pull(store, account, [project_change(3, P)], epoch="epoch-2", more=True)
    parcel = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    told = receipt(parcel)
    told = Receipt((), told.chats, (), (chat_change(10, A, "Mine"),), None)
    store.write(lambda tx: outbox.record_receipt(tx, account, "epoch-2", parcel, told)).result()
    assert title(store) == "Mine"


def test_a_clear_does_not_reach_what_came_after_the_server_was_wound_back(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(1, A), *(message_change(n + 1, A, f"m{n}", n) for n in range(1, 6))])
    store.write(lambda tx: removal.clear(tx, A)).result()
    changes = (chat_change(1, A), message_change(2, A, "m1", 1), message_change(3, A, "new", 2))
    pull(store, account, changes, epoch="epoch-2")
    assert shown(store) == ["new"]
    found = store.read(lambda db: list(orders.of_subject(db, A, *ErrandKind)))
    assert [(each.kind, each.body) for each in found] == [
        (ErrandKind.DELETE_MESSAGES, {"p_message_ids": ["m1"]})
    ]


def test_a_page_from_before_a_deletion_does_not_bring_the_message_back(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(1, A), message_change(2, A, "m1", 1)])
    delete(store, account, "m1")
    # Asked before the deletion reached the server, answered after it.
    pull(store, account, [message_change(2, A, "m1", 1)], cursor=3)
    assert shown(store) == []
    store.write(
        lambda tx: history.apply(tx, account, history_page([message_change(2, A, "m1", 1)], [hole(A, 1, 1)]))
    ).result()
    assert shown(store) == []


def test_a_chat_of_the_server_that_is_not_here_is_asked_for(store: Store, account: AccountId) -> None:
    pull(store, account, [chat_change(1, A)])
    store.write(lambda tx: inbox.opened(tx, account, None)).result()
    compared(store, account, Head(A, 0, 0, "0" * 16))
    assert store.read(lambda db: openings.is_opened(db, account))
    compared(store, account, Head(A, 0, 0, "0" * 16), Head(ChatId("b"), 1, 1, "1" * 16))
    assert not store.read(lambda db: openings.is_opened(db, account))


def test_an_errand_that_rests_holds_up_its_own_chat_only(store: Store, account: AccountId) -> None:
    other = ChatId("b")
    pull(store, account, [chat_change(1, A), message_change(2, A, "m1", 1), message_change(3, A, "m2", 2)])
    pull(store, account, [chat_change(4, other), message_change(5, other, "m3", 1)])
    store.write(lambda tx: removal.delete(tx, A, [MessageId("m1")])).result()
    store.write(lambda tx: removal.delete(tx, A, [MessageId("m2")])).result()
    store.write(lambda tx: removal.delete(tx, other, [MessageId("m3")])).result()
    first = store.read(lambda db: errands.next(db, account))
    assert first is not None
    second = store.read(lambda db: errands.next(db, account, frozenset({first.number})))
    assert second is not None
    assert (first.subject, second.subject) == (A, other)
    assert store.read(lambda db: errands.next(db, account, frozenset({first.number, second.number}))) is None


def test_a_reply_that_grew_while_its_chat_was_found_different_is_not_sent_back(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(1, A), *(message_change(n + 1, A, f"m{n}", n) for n in range(1, 4))])
    head = Head(A, 3, 3, "0" * 16)
    compared(store, account, head)
    # The second head was on its way when the next message came.
    pull(store, account, [message_change(5, A, "reply", 4, "It")])
    assert store.write(lambda tx: heads.compare(tx, account, [head])).result() == 1
    rows = [message_change(n + 1, A, f"m{n}", n) for n in range(1, 4)]
    store.write(lambda tx: history.apply(tx, account, history_page(rows, [hole(A, 1, 3)]))).result()
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches == ()
    assert store.read(lambda db: history.holes(db, account)) == ((hole(A, 4, 4),),)


def test_a_row_that_got_lost_after_its_chat_was_found_equal_is_noticed(
    store: Store, account: AccountId
) -> None:
    pull(store, account, [chat_change(1, A), *(message_change(n + 1, A, f"m{n}", n) for n in range(1, 4))])
    head = store.read(lambda db: Head(A, *heads.digest(db, A)))
    compared(store, account, head)
    store.write(lambda tx: tx.db.execute("delete from messages where message_id = 'm2'")).result()
    compared(store, account, head)
    pull(store, account, [], cursor=4)
    assert store.write(lambda tx: heads.compare(tx, account, [head])).result() == 1


@pytest.mark.parametrize("choose", [aside.keep_mine, aside.keep_theirs, aside.discard])
def test_the_other_text_of_a_conflict_goes_to_a_server_that_lost_it(
    store: Store, account: AccountId, choose: Callable[[Transaction, ChatId, MessageId], object]
) -> None:
    mine = MessageId("m1")
    pull(store, account, [chat_change(1, A)])
    store.write(lambda tx: messages.commit(tx, A, "mine", message_id=mine)).result()
    pull(store, account, [message_change(2, A, mine, 1, "theirs")])
    told = [verdict(mine, VerdictStatus.CONFLICT)]
    store.write(lambda tx: record_verdicts(tx, account, "epoch-1", A, told)).result()
    pull(store, account, [chat_change(1, A), message_change(2, A, "other", 1)], epoch="epoch-2")
    store.write(lambda tx: choose(tx, A, mine)).result()
    (batch,) = store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches
    assert text("theirs") in [each.content for each in batch.messages]
    assert [m.message_id for m in messages_of(store) if m.sync_state is SyncState.SYNCED] == ["other"]


def test_an_older_page_does_not_undo_a_project_that_was_just_saved(store: Store, account: AccountId) -> None:
    pull(store, account, [project_change(5, P, "Old")])
    store.write(lambda tx: projects.rename(tx, P, "Mine")).result()
    parcel = store.read(lambda db: outbox.load_parcel(db, account)).parcel
    told = receipt(parcel)
    told = Receipt(told.projects, (), (), (project_change(7, P, "Mine"),), None)
    store.write(lambda tx: outbox.record_receipt(tx, account, "epoch-1", parcel, told)).result()
    pull(store, account, [project_change(6, P, "Theirs")])
    assert store.read(lambda db: projects.get(db, P)).name == "Mine"


def pull(
    store: Store, account: AccountId, changes: Iterable[Change], *, epoch: str = "epoch-1", **page: Any
) -> None:
    """A page of the first epoch, or of one that begins with it."""
    reset = store.read(lambda db: inbox.cursor(db, account)).epoch != epoch
    answer = change_page(changes, epoch=epoch, reset=reset, **page)
    assert store.write(lambda tx: inbox.apply(tx, account, answer)).result()


def delete(store: Store, account: AccountId, message_id: str) -> None:
    store.write(lambda tx: removal.delete(tx, A, [MessageId(message_id)])).result()
    errand = store.read(lambda db: errands.next(db, account))
    assert errand is not None
    store.write(lambda tx: errands.record(tx, account, errand.number, ErrandVerdict(True, None))).result()


def compared(store: Store, account: AccountId, *found: Head) -> None:
    assert store.write(lambda tx: heads.compare(tx, account, found)).result() == 0


def title(store: Store) -> str:
    return store.read(lambda db: chats.get(db, A)).title


def shown(store: Store) -> list[str]:
    return [each.message_id for each in messages_of(store)]


def messages_of(store: Store) -> tuple[Message, ...]:
    return store.read(lambda db: messages.page(db, A)).messages
