"""The engine's stories: what follows from what happens."""

import pytest

from storage.exchange import BatchFault, Span, VerdictStatus
from storage.records import ChatId, Cursor, Hole
from sync.engine.interface import (
    AdvanceCursor,
    ApplyChanges,
    ApplySummary,
    ChangesApplied,
    FinishOpening,
    FinishSync,
    LinkChanged,
    LoadWork,
    LocalCommitted,
    Poked,
    PublishStatus,
    PullChanges,
    PullHistory,
    PullSummary,
    Push,
    RecordReceipt,
    RequeueChat,
    SetAside,
    SetTimer,
    SignedIn,
    SignedOut,
    StoreFailed,
    SyncRequested,
    Timer,
    TimerFired,
    Woke,
)
from sync.errors import RetryLater, UnknownFunction, Unreachable
from sync.status import Phase
from tests.fakes.bench import ACCOUNT, CHAT, EPOCH, Bench, batch, page, said, work

NOWHERE = Unreachable("The server does not answer.")
BUSY = RetryLater("The server is busy.")


def test_a_new_device_opens_with_a_summary_then_pulls_then_fills() -> None:
    bench = Bench()
    bench.cursor, bench.opened = Cursor(), False
    bench.holes = [((Hole(CHAT, 1, 50),),)]
    bench.hear(SignedIn(ACCOUNT))
    assert bench.all(PullChanges) == []
    bench.summarise(page(cursor=30, head=90, more=True, reset=True))
    assert bench.last(PullSummary).cursor == Cursor(EPOCH, 30)
    bench.summarise(page(cursor=95, head=95))
    assert bench.last(FinishOpening).cursor == Cursor(EPOCH, 90)
    assert bench.last(PullChanges).cursor == Cursor(EPOCH, 90)
    assert bench.all(PullHistory) == []
    bench.pull()
    assert bench.last(PullHistory).holes == (Hole(CHAT, 1, 50),)
    bench.fill()
    assert bench.shows(Phase.SYNCED)


def test_a_new_device_pushes_once_it_is_opened() -> None:
    bench = Bench()
    bench.cursor, bench.opened = Cursor(), False
    bench.hear(SignedIn(ACCOUNT))
    assert bench.all(Push) == []
    bench.work = [said(1)]
    bench.summarise(page(reset=True))
    assert len(bench.all(Push)) == 1


def test_a_server_without_summaries_is_pulled_from_nothing() -> None:
    bench = Bench()
    bench.cursor, bench.opened = Cursor(), False
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullSummary, UnknownFunction("The server is too old."))
    assert bench.last(PullChanges).cursor == Cursor()
    bench.pull(page(reset=True))
    assert bench.shows(Phase.SYNCED)


def test_a_store_of_an_earlier_version_learns_the_other_kinds_when_it_is_level() -> None:
    bench = Bench()
    bench.opened = False
    bench.hear(SignedIn(ACCOUNT))
    assert bench.all(PullSummary) == []
    bench.pull()
    bench.summarise(page(cursor=9, reset=True))
    assert len(bench.all(ApplySummary)) == 1
    assert bench.last(FinishOpening).cursor is None
    assert bench.cursor == Cursor(EPOCH, 0)


def test_a_summary_without_an_answer_is_asked_for_again_though_nothing_changes() -> None:
    bench = Bench()
    bench.opened = False
    bench.hear(SignedIn(ACCOUNT))
    bench.pull()
    bench.fail(PullSummary, NOWHERE)
    bench.fire(Timer.RETRY)
    bench.fire(Timer.POLL)
    bench.pull()
    assert len(bench.all(PullSummary)) == 2
    bench.summarise(page(cursor=9, reset=True))
    assert bench.last(FinishOpening).cursor is None


def test_what_an_adoption_elsewhere_wants_is_asked_for_at_once() -> None:
    bench = Bench()
    bench.online()
    assert bench.all(PullSummary) == []
    bench.opened = False
    bench.hear(LocalCommitted())
    bench.summarise(page(cursor=9, reset=True))
    assert bench.last(FinishOpening).cursor is None
    bench.hear(LocalCommitted())
    bench.pull()
    assert len(bench.all(PullSummary)) == 1


def test_an_adoption_during_an_opening_is_followed_by_another_one() -> None:
    bench = Bench()
    bench.cursor, bench.opened = Cursor(), False
    bench.hear(SignedIn(ACCOUNT))
    bench.owes_opening = True
    bench.summarise(page(cursor=9, reset=True))
    bench.pull()
    assert len(bench.all(PullSummary)) == 2
    bench.summarise(page(cursor=9, reset=True))
    assert [each.cursor for each in bench.all(FinishOpening)] == [Cursor(EPOCH, 9), None]
    assert bench.opened
    bench.opened, bench.owes_opening = False, True
    bench.hear(LocalCommitted())
    for asked in (3, 4):
        assert len(bench.all(PullSummary)) == asked
        bench.summarise(page(cursor=9, reset=True))
    assert bench.opened


def test_a_server_that_cannot_say_more_is_not_asked_again_and_again() -> None:
    bench = Bench()
    bench.online()
    bench.opened = False
    bench.hear(LocalCommitted())
    bench.fail(PullSummary, UnknownFunction("The server is too old."))
    bench.hear(LocalCommitted())
    assert len(bench.all(PullSummary)) == 1


def test_after_weeks_offline_titles_come_before_all_that_was_said() -> None:
    bench = Bench()
    bench.hear(SignedIn(ACCOUNT))
    bench.pull(page(cursor=500, head=9_000, more=True))
    assert bench.last(PullSummary).cursor == Cursor(EPOCH, 0)
    assert len(bench.all(PullChanges)) == 1
    bench.summarise(page(cursor=8_990, head=9_000))
    assert len(bench.all(PullChanges)) == 1


def test_a_local_commit_goes_out_without_delay() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    assert bench.sent() == [1]
    bench.take()
    assert bench.last(RecordReceipt).receipt.batches[0].verdicts[0].status is VerdictStatus.INSERTED


def test_a_chat_that_the_server_does_not_know_is_made_anew_once() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1, 2)]
    bench.hear(LocalCommitted())
    bench.blame(BatchFault.UNKNOWN)
    assert bench.last(RequeueChat).chat_id == CHAT
    bench.work = [said(1, 2)]
    bench.hear(LocalCommitted())
    bench.blame(BatchFault.UNKNOWN)
    assert len(bench.all(RequeueChat)) == 1
    assert bench.last(SetAside).message_ids == ("m1", "m2")


def test_messages_to_a_deleted_chat_are_set_aside_and_all_others_go() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1, 2)]
    bench.hear(LocalCommitted())
    bench.blame(BatchFault.DELETED)
    assert bench.last(SetAside).message_ids == ("m1", "m2")


def test_what_this_device_pushed_is_not_pulled_back() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.hear(Poked(7))
    bench.take(span=Span(EPOCH, 0, 7))
    assert len(bench.all(PullChanges)) == asked
    assert bench.all(AdvanceCursor) == []
    bench.fire(Timer.SETTLE)
    assert bench.last(AdvanceCursor).span == Span(EPOCH, 0, 7)
    assert len(bench.all(PullChanges)) == asked


def test_a_pull_starts_behind_what_this_device_pushed_and_stores_the_cursor_even_without_news() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.take(span=Span(EPOCH, 0, 7))
    stored = len(bench.all(ApplyChanges))
    bench.hear(Poked(8))
    assert bench.last(PullChanges).cursor == Cursor(EPOCH, 7)
    bench.pull()
    assert len(bench.all(ApplyChanges)) == stored + 1
    assert bench.cursor == Cursor(EPOCH, 7)


def test_a_cursor_that_is_behind_its_own_pushes_is_not_taken_for_one_that_was_wound_back() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.take(span=Span(EPOCH, 0, 7))
    asked = len(bench.all(PullChanges))
    bench.hear(LocalCommitted())
    assert len(bench.all(PullChanges)) == asked


def test_the_cursor_does_not_pass_what_another_device_changed_before_the_push() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.take(span=Span(EPOCH, 3, 4))
    assert bench.all(AdvanceCursor) == []
    bench.hear(Poked(4))
    assert bench.last(PullChanges).cursor == Cursor(EPOCH, 0)
    bench.pull(page(cursor=3))
    bench.hear(Poked(9))
    assert bench.last(PullChanges).cursor == Cursor(EPOCH, 4)


def test_a_receipt_that_is_not_durable_moves_no_cursor() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.holds_store = True
    bench.take(span=Span(EPOCH, 0, 1))
    bench.hear(Poked(9))
    bench.fire(Timer.SETTLE)
    assert bench.last(PullChanges).cursor == Cursor(EPOCH, 0)


def test_a_hint_of_unknown_news_waits_a_second_for_our_own_push() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.hear(Poked())
    assert len(bench.all(PullChanges)) == asked
    bench.fire(Timer.SETTLE)
    assert len(bench.all(PullChanges)) == asked + 1


def test_a_pull_goes_on_until_there_is_no_more_and_pokes_meanwhile_are_one() -> None:
    bench = Bench()
    bench.online()
    for _ in range(3):
        bench.hear(Poked())
    assert len(bench.all(PullChanges)) == 2
    bench.pull(page(cursor=5, more=True))
    assert bench.last(PullChanges).cursor.change == 5
    bench.pull(page(cursor=9))
    assert len(bench.all(PullChanges)) == 3


def test_a_page_that_contradicts_the_store_has_everything_pulled_anew() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.holds_store = True
    bench.pull(page(cursor=5))
    bench.holds_store = False
    bench.hear(ChangesApplied(bench.last(ApplyChanges).request, False))
    assert bench.last(PullChanges).cursor.epoch is None


def test_a_cursor_that_somebody_else_wound_back_in_the_store_is_followed() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.pull(page(cursor=5))
    bench.cursor = Cursor()
    bench.hear(LocalCommitted())
    assert bench.last(PullChanges).cursor == Cursor()


def test_answers_from_before_a_new_epoch_are_not_recorded() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(Poked())
    bench.hear(LocalCommitted())
    bench.pull(page(epoch="epoch-2", reset=True))
    bench.take()
    assert bench.all(RecordReceipt) == []


def test_a_receipt_of_another_epoch_is_not_recorded_and_shows_that_the_server_was_restored() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.take(span=Span("epoch-2", 0, 1))
    assert bench.all(RecordReceipt) == []
    assert len(bench.all(PullChanges)) == asked + 1


def test_answers_from_before_a_sign_out_are_not_heard() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.hear(SignedOut())
    bench.take()
    assert bench.all(RecordReceipt) == []
    assert bench.shows(Phase.SIGNED_OUT)


@pytest.mark.parametrize(("linked", "wait"), [(True, 60), (False, 15)])
def test_the_poll_is_slower_with_a_realtime_link(linked: bool, wait: float) -> None:
    bench = Bench()
    bench.hear(LinkChanged(linked))
    bench.online()
    assert bench.timers[Timer.POLL].after == wait
    before = len(bench.all(PullChanges))
    bench.fire(Timer.POLL)
    assert len(bench.all(PullChanges)) == before + 1


def test_a_timer_of_an_older_generation_is_ignored() -> None:
    bench = Bench()
    bench.online()
    before = len(bench.all(PullChanges))
    bench.hear(TimerFired(Timer.POLL, bench.timers[Timer.POLL].generation - 1))
    assert len(bench.all(PullChanges)) == before


def test_a_full_disk_is_waited_out_and_the_receipt_is_stored_after_all() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.holds_store = True
    bench.take()
    bench.hear(StoreFailed(bench.last(RecordReceipt).request, "The disk is full.", full=True))
    assert bench.shows(Phase.DISK_FULL)
    assert bench.status is not None
    assert bench.status.last_error == "The disk is full."
    bench.holds_store = False
    bench.fire(Timer.STORE)
    first, second = bench.all(RecordReceipt)
    assert first.receipt == second.receipt
    assert bench.shows(Phase.SYNCED)
    assert len(bench.all(Push)) == 1


def test_a_requested_round_ends_when_all_is_quiet_and_nothing_is_missing() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.holes = [((Hole(CHAT, 1, 9),),)]
    bench.hear(SyncRequested(7))
    bench.take()
    assert bench.all(FinishSync) == []
    bench.pull(page(cursor=2))
    assert bench.all(FinishSync) == []
    bench.fill()
    assert bench.all(FinishSync) == [FinishSync(7, None)]


def test_a_requested_round_ends_with_the_reason_when_the_server_is_out_of_reach() -> None:
    bench = Bench()
    bench.online()
    bench.hear(SyncRequested(7))
    bench.fail(PullChanges, NOWHERE)
    assert bench.all(FinishSync) == [FinishSync(7, str(NOWHERE))]


def test_a_round_that_nobody_can_run_ends_at_once() -> None:
    bench = Bench()
    bench.hear(SignedOut())
    bench.hear(SyncRequested(1))
    assert bench.last(FinishSync).error is not None


def test_a_requested_round_pulls_once_behind_its_last_push() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [said(1, 2), said(3, 4)]
    bench.hear(SyncRequested(1))
    bench.take()
    assert len(bench.all(PullChanges)) == asked
    bench.take()
    assert len(bench.all(PullChanges)) == asked + 1
    assert bench.all(FinishSync) == []
    bench.pull(page(cursor=4))
    assert bench.all(FinishSync) == [FinishSync(1, None)]


def test_a_push_that_meets_with_trouble_does_not_hold_up_the_pull_of_a_round() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [said(1)]
    bench.hear(SyncRequested(1))
    bench.fail(Push, BUSY)
    bench.fire(Timer.RETRY)
    assert len(bench.all(PullChanges)) == asked + 1


def test_a_status_is_published_only_when_it_differs() -> None:
    bench = Bench()
    bench.online()
    for _ in range(5):
        bench.hear(LocalCommitted())
    published = bench.all(PublishStatus)
    assert len(published) == len({effect.status for effect in published})


def test_nothing_is_asked_for_while_all_is_well() -> None:
    bench = Bench()
    bench.online()
    assert [e for e in bench.hear(LocalCommitted()) if isinstance(e, Push | SetTimer)] == []


def test_at_rest_only_the_poll_and_the_comparison_are_timed() -> None:
    bench = Bench()
    bench.online()
    assert set(bench.timers) == {Timer.POLL, Timer.HEADS}


def test_a_clock_that_leaps_is_met_with_a_pull_and_no_failure() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.now += 40_000
    bench.hear(LocalCommitted())
    assert len(bench.all(PullChanges)) == asked + 1
    bench.pull()
    assert bench.shows(Phase.SYNCED)


def test_a_request_that_died_while_the_computer_slept_is_asked_again_at_once() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    asked = len(bench.all(PullChanges))
    bench.hear(Woke(3600.0))
    bench.fail(PullChanges, NOWHERE)
    assert len(bench.all(PullChanges)) == asked + 1
    assert not bench.shows(Phase.OFFLINE)


def test_the_next_parcel_is_read_while_the_last_one_is_on_the_wire_and_goes_before_the_receipt_is_stored() -> (
    None
):
    bench = Bench()
    bench.online()
    other = ChatId("other")
    bench.work = [work(batch([1, 2]), batch([3], other)), said(4)]
    bench.hear(LocalCommitted())
    assert bench.last(LoadWork).after == {CHAT: 2, other: 3}
    bench.holds_store = True
    effects = [effect for effect in bench.take() if isinstance(effect, Push | RecordReceipt)]
    assert [type(effect) for effect in effects] == [Push, RecordReceipt]
    assert bench.sent() == [4]
