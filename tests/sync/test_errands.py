"""Errands: one at a time, behind what they depend on, repeated until they are answered."""

from dataclasses import replace

import pytest

from storage.exchange import Errand, ErrandKind, ErrandVerdict
from storage.records import Hole
from sync.engine.interface import (
    ErrandRun,
    FinishSync,
    LocalCommitted,
    Poked,
    Push,
    RecordErrand,
    RunErrand,
    SyncRequested,
    Timer,
)
from sync.errors import Refused, RetryLater, SyncError, UnknownFunction, Unreachable
from sync.status import Phase
from tests.fakes.bench import CHAT, NOTHING, Bench, page, parcel_work, said
from tests.fakes.changes import chat_change

FIRST = Errand(1, ErrandKind.CLEAR_CHAT, CHAT, {"p_through": 4})
SECOND = Errand(2, ErrandKind.CLEAR_CHAT, CHAT, {"p_through": 9})
DONE = ErrandVerdict(True, None)


def running() -> Bench:
    bench = Bench()
    bench.online()
    bench.work = [parcel_work(NOTHING, FIRST)]
    bench.hear(LocalCommitted())
    return bench


def answer(bench: Bench, verdict: ErrandVerdict = DONE) -> None:
    bench.hear(ErrandRun(bench.last(RunErrand).request, verdict))


def test_an_errand_waits_for_the_messages_before_it() -> None:
    bench = Bench()
    bench.online()
    bench.work = [parcel_work(said(1).parcel, FIRST), parcel_work(NOTHING, FIRST)]
    bench.hear(LocalCommitted())
    assert bench.all(RunErrand) == []
    bench.take()
    assert bench.last(RunErrand).errand == FIRST


def test_errands_run_one_after_the_other_and_are_recorded() -> None:
    bench = running()
    bench.work = [parcel_work(NOTHING, SECOND)]
    bench.hear(LocalCommitted())
    assert len(bench.all(RunErrand)) == 1
    answer(bench)
    assert bench.last(RecordErrand).number == 1
    assert bench.last(RunErrand).errand == SECOND


def test_what_a_pull_made_the_store_queue_goes_out_at_once() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.work = [parcel_work(NOTHING, FIRST)]
    bench.pull(replace(page(cursor=4), changes=(chat_change(4, CHAT),)))
    assert bench.last(RunErrand).errand == FIRST


def test_what_filling_made_the_store_queue_goes_out_once_nothing_is_missing() -> None:
    bench = Bench()
    bench.holes = [((Hole(CHAT, 1, 9),),)]
    bench.online()
    bench.work = [parcel_work(NOTHING, FIRST)]
    bench.fill()
    assert bench.last(RunErrand).errand == FIRST


def test_what_is_not_done_in_one_go_is_asked_for_again() -> None:
    bench = running()
    answer(bench, ErrandVerdict(True, None, more=True))
    assert [run.errand for run in bench.all(RunErrand)] == [FIRST, FIRST]
    assert bench.all(RecordErrand) == []
    answer(bench)
    assert len(bench.all(RecordErrand)) == 1


def test_a_refused_errand_is_recorded_with_its_reason() -> None:
    bench = running()
    bench.fail(RunErrand, Refused("There is no such project.", "PT404"))
    assert bench.last(RecordErrand).verdict == ErrandVerdict(False, "There is no such project.")
    assert bench.shows(Phase.SYNCED)


@pytest.mark.parametrize("error", [RetryLater("Too slow."), UnknownFunction("Too old.")])
def test_an_errand_that_fails_by_itself_holds_up_nothing_else(error: SyncError) -> None:
    bench = running()
    bench.fail(RunErrand, error)
    assert Timer.ERRANDS in bench.timers
    assert Timer.RETRY not in bench.timers
    bench.work = [parcel_work(said(1).parcel, FIRST)]
    bench.hear(LocalCommitted())
    assert len(bench.all(Push)) == 1
    bench.take()
    bench.work = [parcel_work(NOTHING, FIRST)]
    bench.fire(Timer.ERRANDS)
    assert len(bench.all(RunErrand)) == 2


def test_an_errand_is_asked_again_when_the_network_is_back() -> None:
    bench = running()
    bench.fail(RunErrand, Unreachable("No network."))
    assert bench.shows(Phase.OFFLINE)
    bench.work = [parcel_work(NOTHING, FIRST)]
    bench.fire(Timer.RETRY)
    assert len(bench.all(RunErrand)) == 2


def test_a_round_says_that_an_errand_waits() -> None:
    bench = running()
    bench.hear(SyncRequested(1))
    bench.fail(RunErrand, RetryLater("Too slow."))
    bench.pull()
    assert bench.last(FinishSync).error is not None
