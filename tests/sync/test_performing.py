"""The engine's store effects on the real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import accounts, chats, messages
from storage.inbound import inbox
from storage.records import Account, AccountId, ChatId, Cursor
from storage.store import Store
from sync.engine.interface import ApplyChanges, ChangesApplied, LoadWork, WorkLoaded
from sync.performing import perform
from tests.fakes.changes import change_page, chat_change, message_change

ACCOUNT = AccountId("account")
CHAT = ChatId("chat")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "homing.sqlite3")
    account = Account(ACCOUNT, "http://127.0.0.1", "key", "ada@example.org", "ada", signed_in=True)
    store.write(lambda tx: accounts.remember(tx, account)).result()
    yield store
    store.close()


def test_a_long_page_is_stored_in_parts_between_which_a_person_gets_a_turn(store: Store) -> None:
    said = [message_change(n + 1, CHAT, f"m{n}", n) for n in range(1, 8)]
    cursors: list[Cursor] = []
    store.subscribe(lambda _: cursors.append(store.read(lambda db: inbox.cursor(db, ACCOUNT))))
    effect = ApplyChanges(1, ACCOUNT, change_page([chat_change(1, CHAT), *said], cursor=9, reset=True))
    assert perform(store, effect, most_changes=3) == ChangesApplied(1, True)
    assert [cursor.change for cursor in cursors] == [3, 6, 9]
    assert len(store.read(lambda db: messages.page(db, CHAT)).messages) == 7


def test_parts_before_one_that_contradicts_stay_with_an_honest_cursor(store: Store) -> None:
    perform(store, ApplyChanges(1, ACCOUNT, change_page([chat_change(1, CHAT)], reset=True)))
    changes = [
        message_change(2, CHAT, "m1", 1),
        message_change(3, CHAT, "m2", 2),
        message_change(4, CHAT, "m3", 2),
    ]
    assert perform(store, ApplyChanges(2, ACCOUNT, change_page(changes)), 2) == ChangesApplied(2, False)
    assert store.read(lambda db: inbox.cursor(db, ACCOUNT)) == Cursor("epoch-1", 3)


def test_a_first_save_is_remembered_before_it_goes_out(store: Store) -> None:
    store.write(lambda tx: chats.create(tx, "Trip", account_id=ACCOUNT, chat_id=CHAT)).result()
    sent = []
    for request in (1, 2):
        answer = perform(store, LoadWork(request, ACCOUNT, {}, frozenset(), 500))
        assert isinstance(answer, WorkLoaded)
        sent.append([edit.fields.get("title") for edit in answer.work.parcel.edits])
    assert sent == [["Trip"], [None]]
