"""Heads are compared in the background, rarely, twice before they are believed, and what differs is fetched anew."""

from dataclasses import replace

import pytest

from storage.exchange import Head
from storage.records import ChatId, Cursor, Hole
from sync.engine.heads import EVERY, FIRST, PAGE
from sync.engine.interface import (
    ApplyChanges,
    CompareHeads,
    FinishSync,
    HeadsCompared,
    HeadsPulled,
    LoadHoles,
    Poked,
    PullChanges,
    PullHeads,
    PullHistory,
    SyncRequested,
    Timer,
    Woke,
)
from sync.errors import RetryLater, SyncError, UnknownFunction
from sync.status import Phase
from tests.fakes.bench import CHAT, Bench, page
from tests.fakes.changes import chat_change


def heads(count: int) -> tuple[Head, ...]:
    return tuple(Head(ChatId(f"c{n:04}"), 1, 1, "0" * 16) for n in range(count))


def answer(bench: Bench, count: int = 1) -> None:
    bench.hear(HeadsPulled(bench.last(PullHeads).request, heads(count)))


def due() -> Bench:
    bench = Bench()
    bench.online()
    bench.fire(Timer.HEADS)
    # The poll is late by then, and goes first.
    bench.pull()
    return bench


def test_the_first_comparison_comes_ten_minutes_after_being_level_then_every_six_hours() -> None:
    bench = Bench()
    bench.online()
    assert bench.timers[Timer.HEADS].after == FIRST == 600
    bench.fire(Timer.HEADS)
    bench.pull()
    answer(bench)
    bench.pull()
    answer(bench)
    assert bench.timers[Timer.HEADS].after == EVERY == 6 * 3600


def test_all_pages_are_compared_and_a_pull_comes_before_the_second_time() -> None:
    bench = due()
    asked = len(bench.all(PullChanges))
    answer(bench, PAGE)
    assert bench.last(PullHeads).after == f"c{PAGE - 1:04}"
    answer(bench, 3)
    assert [compare.last for compare in bench.all(CompareHeads)] == [False, True]
    assert len(bench.all(PullChanges)) == asked + 1
    stored = len(bench.all(ApplyChanges))
    bench.pull()
    assert len(bench.all(ApplyChanges)) == stored + 1, "the store has to note that the pull came to its end"
    assert bench.last(PullHeads).after is None
    answer(bench, 3)
    assert len(bench.all(PullChanges)) == asked + 1


def test_a_chat_that_went_on_between_two_looks_is_looked_at_once_more() -> None:
    bench = due()
    answer(bench)
    bench.pull(replace(page(cursor=4), changes=(chat_change(4, CHAT),)))
    answer(bench)
    assert bench.all(PullHeads)[2:] == []
    bench.pull()
    answer(bench)
    bench.pull()
    assert len(bench.all(PullHeads)) == 3


def test_what_is_suspect_is_filled_again() -> None:
    bench = due()
    answer(bench)
    bench.pull()
    bench.holds_store = True
    answer(bench)
    bench.holds_store = False
    bench.holes = [((Hole(CHAT, 1, 5),),)]
    bench.hear(HeadsCompared(bench.last(CompareHeads).request, 1))
    assert bench.last(LoadHoles).chat_id is None
    assert bench.last(PullHistory).holes == (Hole(CHAT, 1, 5),)


def test_what_is_suspect_is_pulled_from_nothing_where_no_history_is_told() -> None:
    bench = Bench()
    bench.holes = [((Hole(CHAT, 1, 5),),)]
    bench.online()
    bench.fail(PullHistory, UnknownFunction("The server is too old."))
    bench.pull(page(reset=True))
    bench.fire(Timer.HEADS)
    bench.pull()
    bench.holds_store = True
    answer(bench)
    bench.holds_store = False
    assert bench.last(PullChanges).cursor != Cursor()
    bench.hear(HeadsCompared(bench.last(CompareHeads).request, 1))
    assert bench.last(PullChanges).cursor == Cursor()


def test_a_round_waits_for_what_the_heads_say_is_missing() -> None:
    bench = due()
    answer(bench)
    bench.pull()
    bench.hear(SyncRequested(7))
    bench.pull()
    bench.holes = [((Hole(CHAT, 1, 5),),)]
    answer(bench)
    assert bench.all(FinishSync) == []
    bench.fill()
    assert bench.all(FinishSync) == [FinishSync(7, None)]


def test_only_what_is_level_is_compared() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.fire(Timer.HEADS)
    assert bench.all(PullHeads) == []
    bench.pull(page(cursor=4))
    bench.pull()
    assert len(bench.all(PullHeads)) == 1


@pytest.mark.parametrize(("slept", "asked"), [(3600.0, 0), (2 * 86400.0, 1)])
def test_a_long_sleep_calls_for_a_comparison(slept: float, asked: int) -> None:
    bench = Bench()
    bench.online()
    bench.hear(Woke(slept))
    bench.pull()
    assert len(bench.all(PullHeads)) == asked


@pytest.mark.parametrize("error", [RetryLater("Busy."), UnknownFunction("Too old.")])
def test_a_server_that_cannot_tell_heads_syncs_all_the_same(error: SyncError) -> None:
    bench = due()
    bench.fail(PullHeads, error)
    assert bench.shows(Phase.SYNCED)
    assert (Timer.HEADS in bench.timers) == isinstance(error, RetryLater)


def test_after_weeks_away_all_last_numbers_are_learnt_before_the_pull_goes_on() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.pull(page(cursor=10, head=5_000, more=True))
    asked = len(bench.all(PullChanges))
    bench.summarise(page(cursor=4_999, head=5_000))
    assert len(bench.all(PullHeads)) == 1
    assert len(bench.all(PullChanges)) == asked
    answer(bench)
    assert len(bench.all(PullChanges)) == asked + 1
