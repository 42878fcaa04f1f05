"""The engine on a real store, with a server by hand: answers that overtake each other, and what is shown meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import accounts, chats, context, projects
from storage.exchange import Change, Errand, ErrandKind, Parcel, ProjectChange, ProjectVerdict, Receipt, Span
from storage.records import Account, Cursor, Hole, ProjectId
from storage.store import Store, Transaction
from sync.engine.interface import (
    ApplyChanges,
    ApplySummary,
    ChangesPulled,
    CountWork,
    Event,
    FinishOpening,
    LoadWork,
    LocalCommitted,
    Poked,
    PullChanges,
    PullHistory,
    PullSummary,
    Push,
    Pushed,
    RunErrand,
    SignedIn,
    Stored,
    StoreEffect,
    StoreFailed,
    Timer,
)
from sync.engine.opening import FIRST_REST
from sync.engine.storing import GIVE_UP_AFTER
from sync.errors import Refused, RetryLater, SyncError, Unreachable
from sync.performing import perform
from sync.status import Phase
from tests.fakes.bench import ACCOUNT, CHAT, EPOCH, NOTHING, Bench, page, parcel_work
from tests.fakes.changes import change_page, chat_change
from tests.fakes.kinds import context_change, project_change

P = ProjectId("project")
LATER = RetryLater("later", after=None)


class Device(Bench):
    """A bench whose store is real."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.disk = store

    def _store(self, effect: StoreEffect) -> Event:
        return perform(self.disk, effect)

    def opens(self, *changes: Change) -> None:
        """A new device learns what there is."""
        self.hear(SignedIn(ACCOUNT))
        self.summarise(change_page(changes, epoch=EPOCH, reset=True))
        self.pull()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    store = Store.open(tmp_path / "homing.sqlite3")
    record = Account(ACCOUNT, "http://127.0.0.1:1", "key", "a@example.org", "user-a", True)

    def sign_in(tx: Transaction) -> None:
        accounts.remember(tx, record)
        accounts.activate(tx, ACCOUNT)

    store.write(sign_in).result()
    yield Device(store)
    store.close()


def test_a_page_that_a_save_of_a_project_overtook_does_not_undo_it(device: Device) -> None:
    device.opens(project_change(5, P, "Old"))
    device.hear(Poked())
    late = device.last(PullChanges)
    device.disk.write(lambda tx: projects.rename(tx, P, "Mine")).result()
    device.hear(LocalCommitted())
    push = device.last(Push)
    device.hear(Pushed(push.request, saved(push.parcel, project_change(7, P, "Mine"))))
    device.hear(ChangesPulled(late.request, change_page([project_change(6, P, "Theirs")])))
    device.hear(Poked())
    assert device.last(PullChanges).cursor.change == 7, "what was saved does not come back"
    assert device.disk.read(lambda db: projects.get(db, P)).name == "Mine"


def test_no_pull_overtakes_a_page_of_what_an_earlier_version_left_out(device: Device) -> None:
    device.opens(chat_change(1, CHAT), context_change(2, CHAT, "readme", "old"))
    device.disk.write(lambda tx: tx.db.execute("update accounts set opened = 0")).result()
    device.hear(Poked())
    device.hear(LocalCommitted())
    assert len(device.all(PullSummary)) == 1, "a pull is under way, and may be answered behind the summary"
    device.pull()
    pulls = len(device.all(PullChanges))
    device.hear(Poked())
    assert len(device.all(PullChanges)) == pulls, "a summary is under way, and may be stored behind the pull"
    device.summarise(
        change_page([chat_change(1, CHAT), context_change(2, CHAT, "readme", "old")], reset=True)
    )
    device.pull(change_page([context_change(3, CHAT, "readme", "new")]))
    assert [each.body for each in device.disk.read(lambda db: context.list_pinned(db, CHAT))] == ["new"]


@pytest.mark.parametrize("error", [Unreachable("No answer."), LATER, Refused("No.", "XX000")])
def test_a_summary_that_fails_holds_no_pull_up_and_is_asked_for_again(
    device: Device, error: SyncError
) -> None:
    device.opens(chat_change(1, CHAT))
    device.disk.write(lambda tx: tx.db.execute("update accounts set opened = 0")).result()
    device.hear(SignedIn(ACCOUNT))
    device.pull()
    for tries in range(1, 4):
        assert len(device.all(PullSummary)) == 1 + tries
        device.fail(PullSummary, error)
        assert not device.shows(Phase.SYNCED), "something was left out so far"
        if Timer.RETRY in device.timers:
            device.fire(Timer.RETRY)
        device.hear(Poked())
        device.pull(change_page([chat_change(1 + tries, CHAT, f"Renamed {tries}")]))
        assert device.disk.read(lambda db: chats.get(db, CHAT)).title == f"Renamed {tries}"
        assert len(device.all(PullSummary)) == 1 + tries, "it rests, and changes come meanwhile"
        device.now += FIRST_REST * 2**tries
        device.hear(Poked())
        device.pull()
    device.summarise(change_page([chat_change(4, CHAT)], reset=True))
    device.hear(Poked())
    device.pull()
    assert device.shows(Phase.SYNCED)


@pytest.mark.parametrize("given_up", [1, 2])
def test_an_account_is_not_opened_without_a_page_that_the_store_could_not_take(given_up: int) -> None:
    bench = Bench()
    bench.cursor, bench.opened = Cursor(), False
    bench.hear(SignedIn(ACCOUNT))
    bench.holds_store = True
    bench.summarise(page(cursor=5, head=9, more=True, reset=True))
    bench.summarise(page(cursor=9))
    if given_up == 2:
        bench.hear(Stored(bench.last(ApplySummary).request))
    for tries in range(GIVE_UP_AFTER):
        bench.hear(StoreFailed(bench.last(ApplySummary).request, "The disk is full.", full=True))
        bench.holds_store = tries < GIVE_UP_AFTER - 1
        bench.fire(Timer.STORE)
    assert bench.all(FinishOpening) == []
    bench.summarise(page(cursor=9, reset=True))
    assert bench.last(FinishOpening).cursor == Cursor(EPOCH, 9)


def test_nothing_is_said_to_be_synced_while_an_errand_waits_for_its_next_try() -> None:
    bench = Bench()
    bench.online()
    order = parcel_work(NOTHING, Errand(1, ErrandKind.DELETE_MESSAGES, CHAT, {"p_message_ids": ["m1"]}))
    bench.work = [order]
    bench.hear(LocalCommitted())
    bench.work = [order]
    bench.fail(RunErrand, LATER)
    assert bench.shows(Phase.PENDING)


def test_an_errand_that_rests_is_not_loaded_again_before_its_time() -> None:
    bench = Bench()
    bench.online()
    bench.work = [parcel_work(NOTHING, Errand(1, ErrandKind.CLEAR_CHAT, CHAT, {"p_through": 3}))]
    bench.hear(LocalCommitted())
    bench.fail(RunErrand, LATER)
    assert bench.last(LoadWork).resting == {1}
    bench.fire(Timer.ERRANDS)
    assert bench.last(LoadWork).resting == frozenset()


def test_nothing_is_said_to_be_synced_while_older_messages_wait_for_their_next_try() -> None:
    bench = Bench()
    bench.holes = [((Hole(CHAT, 1, 100),),)]
    bench.online()
    bench.fail(PullHistory, LATER)
    assert bench.shows(Phase.PENDING)
    bench.holes = [((Hole(CHAT, 1, 100),),)]
    bench.fire(Timer.FILL)
    bench.fill()
    assert bench.shows(Phase.SYNCED)


def test_nothing_is_said_to_be_synced_before_a_page_of_unknown_fate_was_asked_for_again() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.holds_store = True
    bench.pull(page(cursor=5))
    bench.hear(StoreFailed(bench.last(ApplyChanges).request, "The disk failed."))
    bench.holds_store = False
    counts = len(bench.all(CountWork))
    bench.fire(Timer.STORE)
    assert bench.shows(Phase.SYNCING)
    bench.pull()
    assert bench.shows(Phase.SYNCED)
    assert len(bench.all(CountWork)) > counts


def saved(parcel: Parcel, change: ProjectChange) -> Receipt:
    """The server saved the project, with nobody else's change just before it."""
    told = tuple(ProjectVerdict(each.project_id, True, None) for each in parcel.projects)
    return Receipt(told, (), (), (change,), Span(EPOCH, change.change - 1, change.change))
