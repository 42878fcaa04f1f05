import hashlib

import pytest

from storage import projects, snapshots
from storage.errors import InvalidProject, UnknownProject
from storage.exchange import ErrandKind, ErrandVerdict, SnapshotChange
from storage.inbound import kinds
from storage.outbound import errands
from storage.records import AccountId, ProjectId
from storage.snapshots import Snapshot
from storage.standing import orders
from storage.store import Store
from tests.fakes.kinds import answer, project_change, snapshot_change

P = ProjectId("p")
FILES = {"a.txt": "hello", "b.txt": {"text": "x", "n": 1.5}}


def test_the_hash_is_that_of_what_postgresql_writes() -> None:
    files = {"long": 1e20, "b": 'é\n"\x01', "a": [1, -0.0, 1e-7, True, None], "ä": {}}
    text = (
        '[{"a": [1, 0.0, 0.0000001, true, null], "b": "é\\n\\"\\u0001", "ä": {}, "long": 100000000000000000000}, '
        '"done"]'
    )
    assert snapshots.measured(files, "done") == (
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
    assert errand.body == {"p_snapshot": {"files": FILES, "summary": "All of it"}}
    answer(store, account)
    assert not get(store).pending


def test_the_pull_of_what_was_saved_here_keeps_the_files(store: Store, account: AccountId) -> None:
    share(store, account)
    mine = save(store)
    take(store, account, snapshot_change(2, P, mine.content_hash, 7))
    answer(store, account)
    assert (get(store).files, get(store).revision) == (FILES, 7)


def test_a_save_that_waits_is_not_overwritten_and_the_server_has_the_last_word(
    store: Store, account: AccountId
) -> None:
    share(store, account)
    save(store)
    take(store, account, snapshot_change(2, P, "f" * 64))
    assert get(store).files == FILES
    answer(store, account)
    assert (get(store).files, get(store).content_hash) == (None, "f" * 64)


def test_files_that_were_got_are_kept_unless_others_are_known_by_then(
    store: Store, account: AccountId
) -> None:
    share(store, account)
    take(store, account, fetched := snapshot_change(2, P, "f" * 64))
    assert store.write(lambda tx: snapshots.keep(tx, fetched, FILES, None)).result()
    assert get(store).files == FILES
    take(store, account, snapshot_change(3, P, "e" * 64, 2))
    assert get(store).files is None
    assert not store.write(lambda tx: snapshots.keep(tx, fetched, FILES, None)).result()


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
