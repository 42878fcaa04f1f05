"""Filling holes: what a person looks at first, the rest in the background, gently and to the end."""

import pytest

from storage.exchange import HistoryPage
from storage.records import ChatId, Hole
from sync.engine.holes import without
from sync.engine.interface import (
    ApplyHistory,
    HistoryApplied,
    HistoryPulled,
    HistoryWanted,
    LoadHoles,
    LocalCommitted,
    NetworkChanged,
    Poked,
    PublishStatus,
    PullChanges,
    PullHistory,
    Push,
    SignedIn,
    StoreFailed,
    SyncRequested,
    Timer,
)
from sync.engine.interface import FinishSync as Finished
from sync.errors import Refused, RetryLater, UnknownFunction, Unreachable
from sync.status import Phase
from tests.fakes.bench import ACCOUNT, CHAT, Bench, page, said

OTHER = ChatId("other")
FIRST, SECOND, THIRD = (Hole(CHAT, 201, 300),), (Hole(CHAT, 101, 200),), (Hole(CHAT, 1, 100),)


def with_holes(*chunks: tuple[Hole, ...]) -> Bench:
    """Level, with these holes, and the first request on the wire."""
    bench = Bench()
    bench.holes = [chunks]
    bench.online()
    return bench


def test_holes_are_filled_one_after_the_other_until_none_is_left() -> None:
    bench = with_holes(FIRST, SECOND)
    assert bench.last(PullHistory).holes == FIRST
    bench.fill()
    assert bench.last(PullHistory).holes == SECOND
    bench.fill()
    assert len(bench.all(PullHistory)) == 2
    assert len(bench.all(ApplyHistory)) == 2
    assert bench.shows(Phase.SYNCED)


def test_the_next_request_is_on_the_wire_while_the_last_page_is_stored() -> None:
    bench = with_holes(FIRST, SECOND, THIRD)
    bench.holds_store = True
    bench.fill()
    assert bench.last(PullHistory).holes == SECOND
    bench.fill()
    assert len(bench.all(PullHistory)) == 2, "two pages wait for the store already"
    bench.holds_store = False
    bench.hear(HistoryApplied(bench.all(ApplyHistory)[0].request, True))
    assert bench.last(PullHistory).holes == THIRD


def test_what_an_answer_left_is_asked_for_next() -> None:
    bench = with_holes(FIRST, SECOND)
    bench.fill([Hole(CHAT, 250, 300)])
    assert bench.last(PullHistory).holes == (Hole(CHAT, 201, 249),)


def test_a_new_device_asks_for_little_at_first_so_that_it_soon_has_something_to_show() -> None:
    bench = with_holes(FIRST, SECOND)
    bench.fill([Hole(CHAT, 250, 300)])
    bench.fill()
    little, much, _ = (each.limit for each in bench.all(PullHistory))
    assert little < much


def test_an_answer_that_covers_nothing_is_not_asked_for_over_and_over() -> None:
    bench = with_holes(FIRST)
    bench.fill([])
    assert len(bench.all(PullHistory)) == 1
    assert Timer.FILL in bench.timers


def test_holes_that_the_store_still_has_after_filling_are_waited_out() -> None:
    bench = with_holes(FIRST)
    bench.holes = [(FIRST,)]
    bench.fill()
    assert len(bench.all(PullHistory)) == 1
    assert Timer.FILL in bench.timers


def test_holes_that_cannot_be_filled_are_asked_for_less_and_less_often() -> None:
    bench = with_holes(FIRST, SECOND)
    waits = []
    for _ in range(6):
        bench.holes = [(FIRST, SECOND)]
        bench.fill()
        bench.fill()
        waits.append(bench.timers[Timer.FILL].after)
        bench.holes = [(FIRST, SECOND)]
        bench.fire(Timer.FILL)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert not any(shown.status.phase is Phase.SYNCED for shown in bench.all(PublishStatus))


def test_what_a_person_looks_at_goes_first_even_while_a_pull_catches_up() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.holes = [(THIRD,)]
    bench.hear(HistoryWanted(CHAT, 101))
    assert bench.last(LoadHoles).chat_id == CHAT
    assert bench.last(LoadHoles).before == 101
    assert bench.last(PullHistory).holes == THIRD


def test_the_hole_looked_at_last_comes_first() -> None:
    bench = Bench()
    bench.online()
    bench.holds_store = True
    bench.hear(HistoryWanted(ChatId("a"), None))
    bench.hear(HistoryWanted(ChatId("b"), None))
    bench.hear(HistoryWanted(ChatId("c"), None))
    bench.holds_store = False
    bench.holes = [((Hole(ChatId(name), 1, 9),),) for name in "acb"]
    bench.hear(StoreFailed(bench.last(LoadHoles).request, "Busy."))
    bench.fire(Timer.STORE)
    asked = []
    for _ in range(3):
        asked.append(bench.last(PullHistory).holes[0].chat_id)
        bench.fill()
    assert asked == ["a", "c", "b"]


def test_the_background_yields_to_pushes_and_pulls() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.hear(Poked())
    bench.holes = [(FIRST,)]
    bench.hear(SyncRequested(1))
    assert bench.all(PullHistory) == []
    bench.take()
    assert bench.all(PullHistory) == []
    bench.pull()
    assert bench.last(PullHistory).holes == FIRST


def test_it_rests_offline_and_goes_on_afterwards() -> None:
    bench = with_holes(FIRST)
    bench.hear(NetworkChanged(False))
    bench.fail(PullHistory, Unreachable("No network."))
    assert len(bench.all(PullHistory)) == 1
    bench.holes = [(FIRST,)]
    bench.hear(NetworkChanged(True))
    bench.fire(Timer.RETRY)
    bench.pull()
    assert bench.last(PullHistory).holes == FIRST
    assert len(bench.all(PullHistory)) == 2


def test_it_rests_while_the_disk_is_full() -> None:
    bench = with_holes(FIRST, SECOND)
    bench.holds_store = True
    bench.fill()
    bench.fill()
    bench.hear(StoreFailed(bench.last(ApplyHistory).request, "The disk is full.", full=True))
    assert bench.shows(Phase.DISK_FULL)
    assert len(bench.all(PullHistory)) == 2


@pytest.mark.parametrize("error", [RetryLater("Too much at once."), Refused("Not now.", "57014")])
def test_a_server_that_only_fails_to_tell_history_still_syncs(error: RetryLater | Refused) -> None:
    bench = with_holes(FIRST)
    bench.fail(PullHistory, error)
    assert Timer.FILL in bench.timers
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    assert bench.sent() == [1]
    bench.take()
    assert bench.shows(Phase.PENDING)
    bench.holes = [(FIRST,)]
    bench.fire(Timer.FILL)
    assert len(bench.all(PullHistory)) == 2


def test_a_round_says_that_older_messages_could_not_be_fetched() -> None:
    bench = with_holes(FIRST)
    bench.hear(SyncRequested(3))
    bench.pull()
    bench.fail(PullHistory, RetryLater("Too much at once."))
    assert bench.all(Finished) == [Finished(3, "Too much at once.")]


def test_history_that_contradicts_what_is_held_has_everything_pulled_anew() -> None:
    bench = with_holes(FIRST)
    bench.holds_store = True
    bench.fill()
    bench.holds_store = False
    bench.hear(HistoryApplied(bench.last(ApplyHistory).request, False))
    assert bench.last(PullChanges).cursor.epoch is None


def test_history_of_another_epoch_is_not_stored() -> None:
    bench = with_holes(FIRST)
    asked = len(bench.all(PullChanges))
    bench.hear(HistoryPulled(bench.last(PullHistory).request, HistoryPage("epoch-2", (), FIRST)))
    assert bench.all(ApplyHistory) == []
    assert len(bench.all(PullChanges)) == asked + 1


def test_a_server_that_lost_the_function_is_pulled_from_nothing() -> None:
    bench = with_holes(FIRST)
    bench.fail(PullHistory, UnknownFunction("The server is too old."))
    assert bench.last(PullChanges).cursor.epoch is None
    bench.pull(page(reset=True))
    assert bench.shows(Phase.SYNCED)


def test_an_answer_from_before_a_sign_in_is_not_heard() -> None:
    bench = with_holes(FIRST)
    asked = bench.last(PullHistory)
    bench.hear(SignedIn(ACCOUNT))
    bench.hear(HistoryPulled(asked.request, HistoryPage("epoch-1", (), FIRST)))
    assert bench.all(ApplyHistory) == []
    assert bench.all(Push) == []


@pytest.mark.parametrize(
    ("covered", "left"),
    [
        ([Hole(CHAT, 1, 9)], []),
        ([Hole(CHAT, 5, 9)], [Hole(CHAT, 1, 4)]),
        ([Hole(CHAT, 1, 4)], [Hole(CHAT, 5, 9)]),
        ([Hole(CHAT, 4, 6)], [Hole(CHAT, 7, 9), Hole(CHAT, 1, 3)]),
        ([Hole(OTHER, 1, 9)], [Hole(CHAT, 1, 9)]),
        ([Hole(CHAT, 10, 20)], [Hole(CHAT, 1, 9)]),
        ([Hole(CHAT, 8, 20), Hole(CHAT, 1, 2)], [Hole(CHAT, 3, 7)]),
    ],
)
def test_what_is_left_of_a_hole(covered: list[Hole], left: list[Hole]) -> None:
    assert list(without([Hole(CHAT, 1, 9)], covered)) == left
