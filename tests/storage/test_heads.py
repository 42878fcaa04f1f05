"""A chat that is not what the server has is noticed, filled again, and loses nothing."""

from hashlib import md5

import pytest

from storage import messages
from storage.exchange import Change, Head, MessageChange
from storage.inbound import heads, history, inbox
from storage.outbound import outbox
from storage.records import AccountId, ChatId, MessageId
from storage.store import Store
from tests.fakes.changes import change_page, chat_change, history_page, message_change

CHAT = ChatId("a")


def rows(*numbers: int) -> list[MessageChange]:
    return [message_change(number + 1, CHAT, f"a{number}", number) for number in numbers]


def head(*changes: MessageChange) -> Head:
    """As the server sums its rows up."""
    digest = 0
    for row in changes:
        text = f"{row.sequence_num}:{row.message_id}:{row.revision}"
        digest ^= int(md5(text.encode()).hexdigest()[:16], 16)
    live = sum(not row.deleted for row in changes)
    return Head(CHAT, max(row.sequence_num for row in changes), live, f"{digest:016x}")


def pull(store: Store, account: AccountId, *changes: Change, cursor: int, reset: bool = False) -> None:
    page = change_page(changes, cursor=cursor, reset=reset)
    assert store.write(lambda tx: inbox.apply(tx, account, page)).result()


def compare(store: Store, account: AccountId, *told: Head) -> int:
    return store.write(lambda tx: heads.compare(tx, account, told)).result()


def column(store: Store, name: str) -> object:
    return store.read(lambda db: db.execute(f"select {name} from chats").fetchone()[0])


def shown(store: Store) -> list[tuple[str, int | None]]:
    page = store.read(lambda db: messages.page(db, CHAT))
    return [(message.message_id, message.sequence_num) for message in page.messages]


def start(store: Store, account: AccountId, *changes: MessageChange) -> None:
    pull(store, account, chat_change(1, CHAT), *changes, cursor=99, reset=True)


def test_the_digest_is_the_server_s_over_all_rows_with_tombstones(store: Store, account: AccountId) -> None:
    changes = [*rows(1, 2), message_change(9, CHAT, "a3", 3, revision=4, deleted=True)]
    start(store, account, *changes)
    told = head(*changes)
    expected = (told.last_sequence_num, told.message_count, told.digest)
    assert store.read(lambda db: heads.digest(db, CHAT)) == expected == (3, 2, told.digest)


def test_an_equal_chat_is_verified_until_one_of_its_messages_changes(
    store: Store, account: AccountId
) -> None:
    start(store, account, *rows(1, 2))
    assert compare(store, account, head(*rows(1, 2))) == 0
    assert column(store, "verified") == head(*rows(1, 2)).digest
    pull(store, account, message_change(9, CHAT, "a2", 2, "edited", revision=2), cursor=100)
    assert column(store, "verified") is None


def test_a_chat_is_suspect_when_it_differs_twice_with_a_pull_between(
    store: Store, account: AccountId
) -> None:
    start(store, account, *rows(1, 2))
    other = head(rows(1)[0], message_change(9, CHAT, "a2", 2, revision=7))
    assert [compare(store, account, other) for _ in range(3)] == [0, 0, 0]
    pull(store, account, cursor=99)
    assert compare(store, account, other) == 1
    assert store.read(lambda db: history.missing(db, [account])) == (2, 2)
    assert shown(store) == [("a2", 2), ("a1", 1)]


def test_a_head_that_moves_on_is_no_second_proof(store: Store, account: AccountId) -> None:
    start(store, account, *rows(1, 2))
    for revision in (2, 3, 4):
        moved = head(rows(1)[0], message_change(9, CHAT, "a2", 2, revision=revision))
        assert compare(store, account, moved) == 0
        pull(store, account, cursor=99)


def test_a_head_with_more_messages_makes_a_hole_and_no_suspicion(store: Store, account: AccountId) -> None:
    start(store, account, *rows(1, 2))
    for _ in range(3):
        assert compare(store, account, head(*rows(1, 2, 3))) == 0
        pull(store, account, cursor=99)
    assert store.read(lambda db: history.holes(db, account))[0][0].first == 3


def test_a_suspect_chat_is_mended_by_filling_it(store: Store, account: AccountId) -> None:
    """The server holds another text at one number, a row that is not here, and lacks one that is."""
    start(store, account, *rows(1, 2, 3))
    write = (
        "insert into messages (chat_id, message_id, role, content, status, sync_state, created_at) values "
    )
    store.write(
        lambda tx: tx.db.execute(f"{write} ('a', 'mine', 'user', '[]', 'complete', 'pending', '')").rowcount
    ).result()
    theirs = [
        rows(1)[0],
        message_change(8, CHAT, "b2", 2),
        message_change(9, CHAT, "a3", 3, "new", revision=2),
    ]
    assert compare(store, account, head(*theirs)) == 0
    pull(store, account, cursor=99)
    assert compare(store, account, head(*theirs)) == 1
    assert compare(store, account, head(*theirs)) == 0
    (chunk,) = store.read(lambda db: history.holes(db, account))
    assert store.write(lambda tx: history.apply(tx, account, history_page(theirs, chunk))).result()
    assert shown(store) == [("mine", None), ("a2", None), ("a3", 3), ("b2", 2), ("a1", 1)]
    work = store.read(lambda db: outbox.load_parcel(db, account))
    assert [[each.message_id for each in batch.messages] for batch in work.parcel.batches] == [["a2", "mine"]]
    assert compare(store, account, head(*theirs)) == 0
    assert column(store, "verified") == head(*theirs).digest
    assert column(store, "suspect") == 0


def test_a_server_that_holds_less_gets_back_what_it_lacks(store: Store, account: AccountId) -> None:
    start(store, account, *rows(1, 2, 3))
    for _ in range(2):
        compare(store, account, head(*rows(1)))
        pull(store, account, cursor=99)
    (chunk,) = store.read(lambda db: history.holes(db, account))
    assert store.write(lambda tx: history.apply(tx, account, history_page(rows(1), chunk))).result()
    work = store.read(lambda db: outbox.load_parcel(db, account))
    assert [m.message_id for m in work.parcel.batches[0].messages] == ["a2", "a3"]


def test_a_tombstone_that_only_this_device_knows_does_not_return(store: Store, account: AccountId) -> None:
    start(store, account, *rows(1), message_change(9, CHAT, "a2", 2, deleted=True))
    for _ in range(2):
        compare(store, account, head(*rows(1)))
        pull(store, account, cursor=99)
    (chunk,) = store.read(lambda db: history.holes(db, account))
    assert store.write(lambda tx: history.apply(tx, account, history_page(rows(1), chunk))).result()
    assert store.read(lambda db: outbox.load_parcel(db, account)).parcel.batches == ()
    assert compare(store, account, head(*rows(1))) == 0
    assert column(store, "verified") == head(*rows(1)).digest


def test_chats_that_are_not_here_or_another_account_s_are_passed_over(
    store: Store, account: AccountId
) -> None:
    start(store, account, *rows(1))
    unknown = Head(ChatId("unknown"), 4, 4, "0" * 16)
    assert compare(store, account, unknown) == 0
    assert store.write(lambda tx: heads.compare(tx, AccountId("local"), [head(*rows(1, 2))])).result() == 0
    assert column(store, "last_num") == 1


def test_that_all_heads_were_compared_is_remembered(store: Store, account: AccountId) -> None:
    assert store.read(lambda db: heads.checked_at(db, account)) is None
    store.write(lambda tx: heads.checked(tx, account)).result()
    assert store.read(lambda db: heads.checked_at(db, account)) is not None


def test_an_id_that_was_never_here_costs_nothing(store: Store, account: AccountId) -> None:
    assert store.read(lambda db: heads.digest(db, ChatId("nowhere"))) == (0, 0, "0" * 16)
    assert store.read(lambda db: messages.get(db, CHAT, MessageId("a1"))) is None


@pytest.mark.parametrize("deleted", [False, True], ids=["other words", "a tombstone"])
def test_what_the_server_has_under_the_id_of_unsent_words_counts_as_its_own(
    store: Store, account: AccountId, deleted: bool
) -> None:
    """Else the chat would differ for ever, and be filled again at each look."""
    start(store, account, *rows(1))
    store.write(lambda tx: messages.commit(tx, CHAT, "mine", message_id=MessageId("a2"))).result()
    theirs = [rows(1)[0], message_change(9, CHAT, "a2", 2, "theirs", revision=3, deleted=deleted)]
    pull(store, account, *theirs, cursor=100)
    assert compare(store, account, head(*theirs)) == 0
    assert column(store, "verified") == head(*theirs).digest
