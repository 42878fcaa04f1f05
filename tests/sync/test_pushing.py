"""How parcels go out: what is refused as a whole is narrowed down, and author order holds."""

from math import ceil, log2

import pytest

from storage.exchange import Batch, BatchFault, ChatVerdict, Parcel, ProjectEdit, Receipt
from storage.records import ChatId, ProjectId
from sync.engine.interface import (
    ChangesPulled,
    Event,
    LoadWork,
    LocalCommitted,
    PullChanges,
    Push,
    Pushed,
    RecordReceipt,
    RequestFailed,
    RequeueChat,
    SetAside,
    SignedIn,
    StoreEffect,
    Timer,
)
from sync.engine.parcels import items, messages, pack
from sync.errors import Refused, RetryLater, SyncError, UpdateNeeded
from sync.status import Phase
from tests.fakes.bench import ACCOUNT, CHAT, Bench, batch, edit, page, parcel_work, receipt, said, work

BUSY = RetryLater("The server is busy.")
POISON = Refused("The message cannot be read.", "PT400")
OTHER = ChatId("other")


def sending(parcel: Parcel) -> Bench:
    """A bench with this parcel on the wire, and in its store until it is answered."""
    bench = Bench()
    bench.online()
    bench.work = [parcel_work(parcel)]
    bench.hear(LocalCommitted())
    return bench


def test_projects_go_before_chats_and_chats_before_messages() -> None:
    project = ProjectEdit(ProjectId("p"), 1, {"name": "Trip"})
    parcel = Parcel((project,), (edit(),), (batch([1, 2]), batch([3], OTHER)))
    assert pack(items(parcel)) == parcel
    assert pack(items(parcel)[:3]) == Parcel((project,), (edit(),), (batch([1]),))


def test_one_push_is_on_the_wire_at_a_time() -> None:
    bench = sending(work(batch([1], CHAT), batch([2], OTHER)).parcel)
    bench.work = [said(3)]
    bench.hear(LocalCommitted())
    assert len(bench.all(Push)) == 1


@pytest.mark.parametrize("culprit", [0, 1, 255, 256, 300, 510, 511])
@pytest.mark.parametrize("chats", [1, 64])
def test_poison_is_found_by_halving_and_set_aside_alone(culprit: int, chats: int) -> None:
    each = 512 // chats
    batches = [batch(range(n * each + 1, (n + 1) * each + 1), ChatId(f"c{n}")) for n in range(chats)]
    bench = sending(work(*batches).parcel)
    refusals = 0
    while not bench.all(SetAside):
        if culprit + 1 in bench.sent():
            refusals += 1
            bench.fail(Push, POISON)
        else:
            bench.take()
    assert bench.last(SetAside).message_ids == (f"m{culprit + 1}",)
    assert bench.last(SetAside).chat_id == f"c{culprit // each}"
    assert bench.last(SetAside).reason == str(POISON)
    assert len(bench.all(Push)) - 1 <= ceil(log2(512)) + 1
    assert refusals <= ceil(log2(512)) + 1
    recorded = [
        verdict.message_id
        for record in bench.all(RecordReceipt)
        for batch in record.receipt.batches
        for verdict in batch.verdicts
    ]
    assert recorded == [f"m{order}" for order in range(1, culprit + 1)]


def test_a_chat_that_poisons_the_call_is_refused_alone_and_its_reason_recorded() -> None:
    bench = sending(Parcel((), (edit(ChatId("a")), edit(ChatId("b"))), ()))
    bench.fail(Push, POISON)
    bench.take()
    bench.fail(Push, POISON)
    assert bench.last(RecordReceipt).receipt.chats == (ChatVerdict(ChatId("b"), False, str(POISON)),)
    assert bench.last(RecordReceipt).parcel.edits == (edit(ChatId("b")),)


def test_a_parcel_that_is_too_large_is_halved() -> None:
    bench = sending(said(1, 2, 3, 4).parcel)
    bench.fail(Push, Refused("Too large.", "PT413"))
    assert bench.sent() == [1, 2]
    bench.take()
    assert bench.sent() == [3, 4]


def test_messages_of_a_chat_that_was_refused_in_the_same_parcel_wait_with_it() -> None:
    bench = sending(Parcel((), (edit(),), (batch([1]),)))
    refused = Receipt((), (ChatVerdict(CHAT, False, "Not this title."),), (), (), None)
    taken = receipt(bench.last(Push).parcel)
    fault = tuple(each.__class__(each.chat_id, BatchFault.UNKNOWN, ()) for each in taken.batches)
    answer = Receipt((), refused.chats, fault, (), None)
    bench.hear(Pushed(bench.last(Push).request, answer))
    assert bench.all(RequeueChat) == []
    assert bench.all(SetAside) == []


def test_after_a_fault_no_more_messages_of_that_chat_go_in_the_same_parcel() -> None:
    bench = sending(said(1, 2, 3, 4).parcel)
    bench.fail(Push, Refused("Too large.", "PT413"))
    bench.blame(BatchFault.UNKNOWN)
    assert len(bench.all(Push)) == 2
    assert bench.all(SetAside) == []


def test_what_was_read_ahead_does_not_go_when_its_forerunner_fails() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1, 2), said(3, 4)]
    bench.hear(LocalCommitted())
    assert bench.last(LoadWork).after == {CHAT: 2}
    bench.fail(Push, BUSY)
    bench.fire(Timer.RETRY)
    assert len(bench.all(Push)) == 1


def test_what_was_read_ahead_does_not_go_when_its_forerunner_was_not_taken_in_whole() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1, 2), said(3, 4)]
    bench.hear(LocalCommitted())
    bench.blame(BatchFault.DELETED)
    assert len(bench.all(Push)) == 1


def test_edits_that_are_on_the_wire_are_not_sent_again_with_what_was_read_ahead() -> None:
    bench = Bench()
    bench.online()
    bench.work = [work(batch([1, 2]), edits=[edit()]), work(batch([3]), edits=[edit()])]
    bench.hear(LocalCommitted())
    bench.take()
    assert bench.sent() == [3]
    assert bench.last(Push).parcel.edits == ()


@pytest.mark.parametrize("error", [Refused("Not allowed.", "42501"), UpdateNeeded("Unreadable."), BUSY])
def test_nothing_is_set_aside_for_what_is_not_the_messages_fault(error: SyncError) -> None:
    bench = sending(said(1, 2).parcel)
    bench.fail(Push, error)
    assert bench.all(SetAside) == []
    assert Timer.RETRY in bench.timers


@pytest.mark.parametrize(
    "answer",
    [
        Receipt((), (), (), (), None),
        receipt(work(Batch(OTHER, batch([1]).messages)).parcel),
        receipt(said(1, 2).parcel),
    ],
    ids=["nothing", "another chat", "one too many"],
)
def test_a_receipt_that_does_not_fit_the_parcel_is_not_believed(answer: Receipt) -> None:
    bench = sending(said(1).parcel)
    bench.hear(Pushed(bench.last(Push).request, answer))
    assert bench.all(RecordReceipt) == []
    assert bench.shows(Phase.UPDATE_NEEDED)


class Choking(Bench):
    """A server that answers every push with a failure that holds one message, and all else as it should."""

    def __init__(self, waiting: list[int], bad: int) -> None:
        super().__init__()
        self.waiting = waiting
        self.bad = bad
        self.answered: set[int] = set()

    def _store(self, effect: StoreEffect) -> Event:
        if isinstance(effect, LoadWork):
            free = [n for n in self.waiting if f"c{n}" not in {*effect.blocked, *effect.after}]
            self.work = [work(*(batch([n], ChatId(f"c{n}")) for n in free))]
        return super()._store(effect)

    def answer(self) -> bool:
        """The next thing happens; False when there is nothing to answer and nothing to wait for."""
        asked = [
            effect
            for effect in self.effects
            if isinstance(effect, Push | PullChanges) and effect.request not in self.answered
        ]
        self.answered |= {effect.request for effect in asked[:1]}
        match asked:
            case [Push(request, _, parcel), *_] if self.bad in [m.local_order for m in messages(parcel)]:
                self.hear(RequestFailed(request, BUSY))
            case [Push(request, _, parcel), *_]:
                self.waiting = [n for n in self.waiting if n not in [m.local_order for m in messages(parcel)]]
                self.hear(Pushed(request, receipt(parcel)))
            case [PullChanges(request, _, cursor), *_]:
                self.hear(ChangesPulled(request, page(cursor=cursor.change)))
            case _ if Timer.RETRY in self.timers:
                self.fire(Timer.RETRY)
            case _:
                return False
        return True


@pytest.mark.parametrize("bad", [1, 5, 8])
def test_a_server_that_chokes_on_one_message_gets_all_others(bad: int) -> None:
    bench = Choking(list(range(1, 9)), bad)
    bench.hear(SignedIn(ACCOUNT))
    steps = 0
    while bench.answer() and bench.waiting != [bad]:
        steps += 1
        assert steps < 60
    assert bench.waiting == [bad]
    assert bench.all(SetAside) == []
