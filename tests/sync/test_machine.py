"""The engine's rules, one event at a time."""

from math import ceil, log2

import pytest

from storage.exchange import VerdictStatus
from storage.records import ChatId, Cursor
from sync.engine.interface import (
    AppendMessages,
    ApplyChanges,
    ChangesApplied,
    ChangesPulled,
    FinishSync,
    LinkChanged,
    LoadWork,
    LocalCommitted,
    MessagesAppended,
    Poked,
    PublishStatus,
    PullChanges,
    RecordVerdicts,
    RequeueChat,
    SaveChats,
    SetAside,
    SetTimer,
    SignedIn,
    SignedOut,
    StoreFailed,
    SyncRequested,
    Timer,
    TimerFired,
)
from sync.errors import Refused, RetryLater, SyncError, Unreachable, UpdateNeeded
from sync.status import Phase
from tests.fakes.bench import ACCOUNT, CHAT, Bench, batch, edits, page

NOWHERE = Unreachable("The server does not answer.")
BUSY = RetryLater("The server is busy.")
POISON = Refused("The message cannot be read.", "PT400")
UNKNOWN = Refused("The server does not know this chat.", "PT404")


def test_a_new_device_pulls_before_it_pushes() -> None:
    bench = Bench()
    bench.work = [batch([1]), batch([1])]
    bench.hear(SignedIn(ACCOUNT))
    assert len(bench.all(PullChanges)) == 1
    assert bench.all(AppendMessages) == []
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(reset=True)))
    assert len(bench.all(AppendMessages)) == 1


def test_a_local_commit_goes_out_without_delay() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1])]
    bench.hear(LocalCommitted())
    assert bench.last(AppendMessages).batch.messages[0].message_id == "m1"
    bench.accept()
    assert bench.last(RecordVerdicts).verdicts[0].status is VerdictStatus.INSERTED


def test_a_chat_is_saved_before_its_messages_go() -> None:
    bench = Bench()
    bench.online()
    bench.work = [edits(then=batch([1]))]
    bench.hear(LocalCommitted())
    assert len(bench.all(SaveChats)) == 1
    assert bench.all(AppendMessages) == []
    bench.save()
    assert len(bench.all(AppendMessages)) == 1


def test_messages_of_a_chat_that_was_not_among_the_saved_ones_wait() -> None:
    bench = Bench()
    bench.online()
    bench.work = [edits(ChatId("other"), then=batch([1]))]
    bench.hear(LocalCommitted())
    bench.save()
    assert bench.all(AppendMessages) == []


def test_one_append_is_in_flight_per_chat_and_several_chats_go_side_by_side() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1], ChatId("a")), batch([2], ChatId("b")), batch([3], ChatId("a"))]
    bench.hear(LocalCommitted())
    assert [append.batch.chat_id for append in bench.all(AppendMessages)] == ["a", "b"]


def test_the_next_batch_is_sent_while_the_last_verdicts_are_being_stored() -> None:
    bench = Bench(batch_limit=2)
    bench.online()
    bench.work = [batch([1, 2]), batch([3, 4])]
    bench.hear(LocalCommitted())
    assert 2 in [load.after for load in bench.all(LoadWork)]
    bench.holds_store = True
    effects = [effect for effect in bench.accept() if isinstance(effect, AppendMessages | RecordVerdicts)]
    assert [type(effect) for effect in effects] == [AppendMessages, RecordVerdicts]
    assert [m.local_order for m in bench.last(AppendMessages).batch.messages] == [3, 4]


def test_a_failed_batch_stops_the_later_ones_of_its_chat() -> None:
    bench = Bench(batch_limit=2)
    bench.online()
    bench.work = [batch([1, 2]), batch([3, 4])]
    bench.hear(LocalCommitted())
    bench.fail(AppendMessages, BUSY)
    assert len(bench.all(AppendMessages)) == 1


def test_a_server_that_only_fails_pulls_still_gets_the_messages() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.fail(PullChanges, BUSY)
    bench.work = [batch([1])]
    bench.hear(LocalCommitted())
    bench.fire(Timer.RETRY)
    assert len(bench.all(AppendMessages)) == 1


@pytest.mark.parametrize("culprit", [0, 1, 255, 256, 300, 510, 511])
def test_poison_is_found_by_halving_and_set_aside_alone(culprit: int) -> None:
    bench = Bench()
    bench.online()
    orders = list(range(1, 513))
    bench.work = [batch(orders)]
    bench.hear(LocalCommitted())
    refusals = 0
    while not bench.all(SetAside):
        sent = [message.local_order for message in bench.last(AppendMessages).batch.messages]
        if culprit + 1 in sent:
            refusals += 1
            bench.fail(AppendMessages, POISON)
        else:
            bench.accept()
    assert bench.last(SetAside).message_ids == (f"m{culprit + 1}",)
    assert bench.last(SetAside).reason == str(POISON)
    assert len(bench.all(AppendMessages)) - 1 <= ceil(log2(512)) + 1
    recorded = [v.message_id for record in bench.all(RecordVerdicts) for v in record.verdicts]
    assert recorded == [f"m{order}" for order in orders[:culprit]]
    assert refusals <= ceil(log2(512)) + 1


def test_a_batch_that_is_too_large_is_halved() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1, 2, 3, 4])]
    bench.hear(LocalCommitted())
    bench.fail(AppendMessages, Refused("Too large.", "PT413"))
    assert [m.local_order for m in bench.last(AppendMessages).batch.messages] == [1, 2]
    bench.accept()
    assert [m.local_order for m in bench.last(AppendMessages).batch.messages] == [3, 4]


def test_a_chat_that_the_server_does_not_know_is_made_anew_once() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1, 2]), edits(then=batch([1, 2]))]
    bench.hear(LocalCommitted())
    bench.fail(AppendMessages, UNKNOWN)
    assert bench.last(RequeueChat).chat_id == CHAT
    bench.work = [edits(then=batch([1, 2]))]
    bench.hear(LocalCommitted())
    bench.save()
    bench.fail(AppendMessages, UNKNOWN)
    assert len(bench.all(RequeueChat)) == 1
    assert bench.last(SetAside).message_ids == ("m1", "m2")


def test_messages_to_a_deleted_chat_are_set_aside() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1, 2])]
    bench.hear(LocalCommitted())
    bench.fail(AppendMessages, Refused("This chat was deleted.", "PT410"))
    assert bench.last(SetAside).message_ids == ("m1", "m2")


@pytest.mark.parametrize("error", [Refused("Not allowed.", "42501"), UpdateNeeded("Unreadable."), BUSY])
def test_nothing_is_set_aside_for_what_is_not_the_messages_fault(error: SyncError) -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1, 2])]
    bench.hear(LocalCommitted())
    bench.fail(AppendMessages, error)
    assert bench.all(SetAside) == []
    assert Timer.RETRY in bench.timers


def test_verdicts_that_do_not_fit_the_request_are_not_believed() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1])]
    bench.hear(LocalCommitted())
    bench.hear(MessagesAppended(bench.last(AppendMessages).request, ()))
    assert bench.all(RecordVerdicts) == []
    assert bench.shows(Phase.ERROR)


def test_a_pull_goes_on_until_there_is_no_more_and_pokes_meanwhile_are_one() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.hear(Poked())
    bench.hear(Poked())
    assert len(bench.all(PullChanges)) == 2
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(cursor=5, more=True)))
    assert bench.last(PullChanges).cursor.change == 5
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(cursor=9)))
    assert len(bench.all(PullChanges)) == 3


def test_a_page_that_contradicts_the_store_has_everything_pulled_anew() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.holds_store = True
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(cursor=5)))
    bench.holds_store = False
    bench.hear(ChangesApplied(bench.last(ApplyChanges).request, False))
    assert bench.last(PullChanges).cursor.epoch is None


def test_a_cursor_that_somebody_else_wound_back_in_the_store_is_followed() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(cursor=5)))
    bench.cursor = Cursor()
    bench.hear(LocalCommitted())
    assert bench.last(PullChanges).cursor == Cursor()


def test_answers_from_before_a_new_epoch_are_not_recorded() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1])]
    bench.hear(LocalCommitted())
    bench.hear(Poked())
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(epoch="epoch-2", reset=True)))
    bench.accept()
    assert bench.all(RecordVerdicts) == []


def test_answers_from_before_a_sign_out_are_not_heard() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1])]
    bench.hear(LocalCommitted())
    bench.hear(SignedOut())
    bench.accept()
    assert bench.all(RecordVerdicts) == []
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


def test_a_full_disk_is_waited_out_and_the_verdicts_are_stored_after_all() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1])]
    bench.hear(LocalCommitted())
    bench.holds_store = True
    bench.accept()
    bench.hear(StoreFailed(bench.last(RecordVerdicts).request, "The disk is full."))
    assert bench.shows(Phase.ERROR)
    assert bench.status is not None
    assert bench.status.last_error == "The disk is full."
    bench.holds_store = False
    bench.fire(Timer.STORE)
    first, second = bench.all(RecordVerdicts)
    assert first.verdicts == second.verdicts
    assert bench.shows(Phase.SYNCED)
    assert len(bench.all(AppendMessages)) == 1


def test_a_requested_round_ends_when_all_is_quiet() -> None:
    bench = Bench()
    bench.online()
    bench.work = [batch([1])]
    bench.hear(SyncRequested(7))
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page()))
    assert bench.all(FinishSync) == []
    bench.accept()
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(cursor=2)))
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
    assert [
        e for e in bench.hear(LocalCommitted()) if isinstance(e, AppendMessages | SaveChats | SetTimer)
    ] == []


def test_a_requested_round_pulls_once_behind_its_last_push() -> None:
    bench = Bench(batch_limit=2)
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [batch([1, 2]), batch([3, 4])]
    bench.hear(SyncRequested(1))
    bench.accept()
    assert len(bench.all(PullChanges)) == asked
    bench.accept()
    assert len(bench.all(PullChanges)) == asked + 1
    assert bench.all(FinishSync) == []
    bench.hear(ChangesPulled(bench.last(PullChanges).request, page(cursor=4)))
    assert bench.all(FinishSync) == [FinishSync(1, None)]


def test_a_push_that_meets_with_trouble_does_not_hold_up_the_pull_of_a_round() -> None:
    bench = Bench()
    bench.online()
    asked = len(bench.all(PullChanges))
    bench.work = [batch([1])]
    bench.hear(SyncRequested(1))
    bench.fail(AppendMessages, BUSY)
    bench.fire(Timer.RETRY)
    assert len(bench.all(PullChanges)) == asked + 1
