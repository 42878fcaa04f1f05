import hashlib

import pytest

from storage import digests, projects, snapshots
from storage.errors import InvalidProject, UnknownProject
from storage.exchange import ErrandKind, ErrandVerdict, SnapshotChange
from storage.inbound import inbox, kinds
from storage.outbound import errands
from storage.records import AccountId, ProjectId
from storage.snapshots import Snapshot
from storage.standing import openings, orders
from storage.store import Store
from tests.fakes.changes import AT, change_page
from tests.fakes.kinds import answer, project_change, snapshot_change

P = ProjectId("p")
THEIRS = "f" * 64
CONFLICT = ErrandVerdict(False, "Another snapshot was saved before.")
OTHERS = {"theirs.txt": "x"}
FILES = {"a.txt": "hello", "b.txt": {"text": "x", "n": 1.5}}


def test_the_hash_is_that_of_what_postgresql_writes() -> None:
    files = {"long": 1e20, "b": 'é\n"\x01', "a": [1, -0.0, 1e-7, True, None], "ä": {}}
    text = (
        '[{"a": [1, 0.0, 0.0000001, true, null], "b": "é\\n\\"\\u0001", "ä": {}, "long": 100000000000000000000}, '
        '"done"]'
    )
    assert digests.measured(files, "done") == (
        hashlib.sha256(text.encode()).hexdigest(),
        len(text.encode()),
    )


def test_files_are_here_at_once_and_go_out_once_the_server_has_the_project(
    store: Store, account: AccountId
) -> None:
    store.write(lambda tx: projects.create(tx, "Home", account_id=account, project_id=P)).result()
    saved = save(store)
    assert (saved.files, saved.pending) == (FILES, True)
    assert store.read(lambda db: errands.next(db, account)) is None
    share(store, account)
    errand = store.read(lambda db: errands.next(db, account))
    assert errand is not None
    assert (errand.kind, errand.subject) == (ErrandKind.SAVE_SNAPSHOT, P)
    assert errand.body == {"p_snapshot": {"files": FILES, "summary": "All of it"}, "p_expected_hash": ""}
    answer(store, account)
    assert not get(store).pending


def test_the_pull_of_what_was_saved_here_keeps_the_files(store: Store, account: AccountId) -> None:
    share(store, account)
    mine = save(store)
    take(store, account, snapshot_change(2, P, mine.content_hash, 7))
    answer(store, account)
    assert (get(store).files, get(store).revision) == (FILES, 7)


def test_a_later_save_of_another_device_that_overtakes_the_answer_is_the_last_word(
    store: Store, account: AccountId
) -> None:
    share(store, account)
    save(store)
    take(store, account, snapshot_change(3, P, THEIRS, 2))
    assert get(store).files == FILES
    answer(store, account)
    assert (get(store).files, get(store).content_hash) == (None, THEIRS)


def test_what_a_save_replaced_does_not_come_back_with_its_answer(store: Store, account: AccountId) -> None:
    share(store, account)
    take(store, account, old := snapshot_change(2, P, THEIRS, 4))
    save(store)
    for shown in (old, snapshot_change(1, P, "e" * 64, 3)):
        take(store, account, shown)
        assert get(store).theirs == shown
    answer(store, account)
    assert (get(store).files, get(store).pending) == (FILES, False)


def test_a_save_that_was_seen_to_arrive_needs_no_answer_and_is_no_conflict_with_what_follows(
    store: Store, account: AccountId
) -> None:
    share(store, account)
    mine = save(store)
    take(store, account, snapshot_change(2, P, mine.content_hash, 1))
    take(store, account, snapshot_change(3, P, THEIRS, 2))
    assert answer(store, account, CONFLICT) == 0
    assert (get(store).content_hash, get(store).sync_error) == (THEIRS, None)


def test_files_that_were_got_are_kept_unless_others_are_known_by_then(
    store: Store, account: AccountId
) -> None:
    share(store, account)
    take(store, account, snapshot_change(2, P, THEIRS))
    assert keep(store, 1)
    assert get(store).files == OTHERS
    take(store, account, snapshot_change(3, P, "e" * 64, 3))
    assert get(store).files is None
    assert not keep(store, 1)
    assert keep(store, 4)
    assert (get(store).content_hash, get(store).revision) == (THEIRS, 4)


def test_a_save_names_what_it_replaces(store: Store, account: AccountId) -> None:
    share(store, account)
    take(store, account, snapshot_change(2, P, THEIRS))
    first = save(store)
    assert expected(store, account) == THEIRS
    # The first may have arrived, for all that is known here.
    store.write(lambda tx: snapshots.save(tx, P, {"new": "1"})).result()
    assert expected(store, account) == THEIRS
    store.write(lambda tx: errands.record(tx, account, number(store, account), CONFLICT)).result()
    assert expected(store, account) == first.content_hash
    store.write(lambda tx: errands.record(tx, account, number(store, account), CONFLICT)).result()
    assert get(store).sync_error == CONFLICT.reason


@pytest.mark.parametrize("clashed", [False, True])
def test_a_save_that_waits_while_the_server_loses_all_files_expects_none(
    store: Store, account: AccountId, clashed: bool
) -> None:
    share(store, account)
    take(store, account, snapshot_change(2, P, THEIRS, 4))
    save(store)
    if clashed:
        answer(store, account, CONFLICT)
        take(store, account, snapshot_change(3, P, "e" * 64, 5))
    restored = change_page([project_change(1, P)], epoch="epoch-2", reset=True)
    assert store.write(lambda tx: inbox.apply(tx, account, restored)).result()
    assert expected(store, account) == ""
    answer(store, account)
    assert (get(store).files, get(store).revision, get(store).theirs) == (FILES, 1, None)


def clash(store: Store, account: AccountId) -> None:
    """Another device saved first."""
    share(store, account)
    save(store)
    answer(store, account, CONFLICT)
    take(store, account, snapshot_change(2, P, THEIRS, 7))


def test_of_two_saves_both_are_kept_until_a_person_chooses(store: Store, account: AccountId) -> None:
    clash(store, account)
    mine = get(store)
    assert (mine.files, mine.sync_error) == (FILES, CONFLICT.reason)
    assert mine.theirs is not None
    assert mine.theirs.content_hash == THEIRS
    assert not keep(store, 7)
    assert store.write(lambda tx: orders.retry(tx, [account])).result() == 0
    assert get(store) == mine


def test_keeping_mine_replaces_the_files_that_were_known_when_choosing(
    store: Store, account: AccountId
) -> None:
    clash(store, account)
    for _ in range(2):
        store.write(lambda tx: snapshots.keep_mine(tx, P)).result()
    assert expected(store, account) == THEIRS
    take(store, account, snapshot_change(2, P, THEIRS, 7))
    answer(store, account)
    settled = get(store)
    assert (settled.files, settled.pending, settled.sync_error, settled.revision) == (FILES, False, None, 8)


def test_keeping_theirs_drops_mine_and_sends_nothing(store: Store, account: AccountId) -> None:
    clash(store, account)
    for _ in range(2):
        store.write(lambda tx: snapshots.keep_theirs(tx, P)).result()
    assert answer(store, account) == 0
    assert (get(store).content_hash, get(store).files, get(store).pending) == (THEIRS, None, False)
    assert keep(store, 7)


def test_choosing_changes_nothing_where_there_is_no_choice(store: Store, account: AccountId) -> None:
    share(store, account)
    mine = save(store)
    store.write(lambda tx: snapshots.keep_mine(tx, P)).result()
    store.write(lambda tx: snapshots.keep_theirs(tx, P)).result()
    assert get(store) == mine


def test_what_was_refused_for_itself_is_dropped_by_keeping_theirs(store: Store, account: AccountId) -> None:
    share(store, account)
    save(store)
    answer(store, account, ErrandVerdict(False, "Too large."))
    store.write(lambda tx: tx.db.execute("update accounts set opened = 1").rowcount).result()
    store.write(lambda tx: snapshots.keep_theirs(tx, P)).result()
    assert store.read(lambda db: snapshots.get(db, P)) is None
    assert not store.read(lambda db: openings.is_opened(db, account))


def test_only_the_last_save_goes_out_and_an_answer_to_an_earlier_one_is_none_to_it(
    store: Store, account: AccountId
) -> None:
    share(store, account)
    save(store)
    first = store.read(lambda db: errands.next(db, account))
    assert first is not None
    store.write(lambda tx: snapshots.save(tx, P, {"new": "1"})).result()
    store.write(lambda tx: errands.record(tx, account, first.number, ErrandVerdict(True, None))).result()
    assert get(store).pending
    assert answer(store, account) == 1
    assert not get(store).pending


def test_a_refused_save_shows_why_and_can_be_tried_again_or_dropped(store: Store, account: AccountId) -> None:
    share(store, account)
    save(store)
    answer(store, account, ErrandVerdict(False, "Too large."))
    assert (get(store).sync_error, get(store).files) == ("Too large.", FILES)
    assert store.write(lambda tx: orders.retry(tx, [account])).result() == 1
    assert get(store).sync_error is None
    answer(store, account, ErrandVerdict(False, "Too large."))
    ((refused),) = store.read(lambda db: errands.refused(db, [account]))
    store.write(lambda tx: errands.discard(tx, refused.errand.number)).result()
    assert store.read(lambda db: snapshots.get(db, P)) is None


@pytest.mark.parametrize("files", [{"a": "\0"}, {"\0": "a"}, {"a": "\ud800"}, {"a": "x" * 50_000_000}])
def test_what_the_server_would_not_take_is_refused_here(
    store: Store, account: AccountId, files: dict[str, str]
) -> None:
    share(store, account)
    with pytest.raises(InvalidProject):
        store.write(lambda tx: snapshots.save(tx, P, files)).result()
    with pytest.raises(UnknownProject):
        store.write(lambda tx: snapshots.save(tx, ProjectId("nowhere"), {})).result()


def keep(store: Store, revision: int) -> bool:
    """The files of THEIRS were got from the server."""
    fetched = Snapshot(P, THEIRS, 10, revision, OTHERS, None, AT, False, None)
    return store.write(lambda tx: snapshots.keep(tx, fetched)).result()


def expected(store: Store, account: AccountId) -> str:
    """What the next errand expects on the server."""
    errand = store.read(lambda db: errands.next(db, account))
    assert errand is not None
    return str(errand.body["p_expected_hash"])


def number(store: Store, account: AccountId) -> int:
    errand = store.read(lambda db: errands.next(db, account))
    assert errand is not None
    return errand.number


def save(store: Store) -> Snapshot:
    return store.write(lambda tx: snapshots.save(tx, P, FILES, "All of it")).result()


def share(store: Store, account: AccountId) -> None:
    store.write(lambda tx: kinds.apply(tx, account, 0, project_change(1, P))).result()


def take(store: Store, account: AccountId, change: SnapshotChange) -> None:
    store.write(lambda tx: kinds.apply(tx, account, 0, change)).result()


def get(store: Store) -> Snapshot:
    found = store.read(lambda db: snapshots.get(db, P))
    assert found is not None
    return found
