"""The engine: pure, told what happened and when, it answers what to do. It hears; its rooms, one module each, decide."""

from collections.abc import Callable
from typing import Final, assert_never

from sync.engine.interface import (
    AdvanceCursor,
    ApplyChanges,
    ApplyHistory,
    ApplySummary,
    ChangesApplied,
    ChangesPulled,
    CompareHeads,
    CountWork,
    Effect,
    ErrandRun,
    Event,
    FinishOpening,
    HeadsCompared,
    HeadsPulled,
    HistoryApplied,
    HistoryPulled,
    HistoryWanted,
    HolesLoaded,
    LinkChanged,
    LoadHoles,
    LoadWork,
    LocalCommitted,
    NetworkChanged,
    Poked,
    Pushed,
    RecordReceipt,
    RequestFailed,
    ServerAnswer,
    SignedIn,
    SignedOut,
    StoreAnswer,
    Stored,
    StoreEffect,
    StoreFailed,
    SummaryPulled,
    SyncRequested,
    Timer,
    TimerFired,
    TokenRefreshed,
    Woke,
    WorkCounted,
    WorkLoaded,
)
from sync.engine.opening import FAR
from sync.engine.rooms import Rooms
from sync.errors import SyncError
from sync.protocol import HISTORY_MAX_MESSAGES, PULL_MAX_CHANGES, PUSH_MAX_MESSAGES

LEAP: Final = 60.0
"""Seconds by which a timer is late before the clock is held to have leapt, or the computer to have slept."""


class Engine:
    """One account's sync at a time. `uniform` gives numbers of [0, 1); nothing else comes from outside but events.

    Not thread-safe: one runner feeds it events one by one and performs the effects in order.
    """

    def __init__(
        self,
        uniform: Callable[[], float],
        *,
        batch_limit: int = PUSH_MAX_MESSAGES,
        page_limit: int = PULL_MAX_CHANGES,
        history_limit: int = HISTORY_MAX_MESSAGES,
        far: int = FAR,
    ) -> None:
        self._rooms = Rooms(uniform, batch_limit, page_limit, history_limit, far)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened; `now` is monotonic, in seconds."""
        rooms = self._rooms
        leapt = rooms.desk.advance(now)
        if leapt > LEAP and not isinstance(event, Woke):
            rooms.wake(leapt)
        self._hear(event)
        rooms.advance()
        return rooms.desk.take()

    def _hear(self, event: Event) -> None:
        rooms = self._rooms
        match event:
            case SignedIn() | SignedOut() | SyncRequested():
                self._hear_person(event)
            case LocalCommitted() | Poked() | LinkChanged() | NetworkChanged() | Woke() | HistoryWanted():
                self._hear_hint(event)
            case TimerFired(timer, generation):
                if rooms.desk.fired(timer, generation):
                    self._time_out(timer)
            case StoreFailed(request, reason, full):
                self._hear_trouble(request, reason, full=full)
            case RequestFailed(request, error):
                self._hear_failure(request, error)
            case _ if isinstance(event, StoreAnswer):
                self._hear_store(event)
            case _ if isinstance(event, ServerAnswer):
                self._hear_server(event)
            case _:
                assert_never(event)

    def _hear_person(self, event: SignedIn | SignedOut | SyncRequested) -> None:
        match event:
            case SignedIn(account_id):
                self._rooms.enter(account_id)
            case SignedOut():
                self._rooms.enter(None)
            case SyncRequested(ticket):
                self._rooms.request_round(ticket)
            case _:
                assert_never(event)

    def _hear_hint(
        self, event: LocalCommitted | Poked | LinkChanged | NetworkChanged | Woke | HistoryWanted
    ) -> None:
        rooms = self._rooms
        match event:
            case LocalCommitted():
                rooms.line.resume()
                rooms.pushing.dirty = rooms.account is not None
                rooms.reporting.outdate()
            case Poked(head):
                rooms.gate.hurry()
                rooms.pokes.hear(head)
            case NetworkChanged(False):
                rooms.gate.network_lost()
            case NetworkChanged():
                rooms.gate.reconnected()
                rooms.want_pull()
            case LinkChanged(up):
                rooms.pulling.linked = up
                if up:
                    rooms.gate.reconnected()
                    rooms.want_pull()
            case Woke(slept):
                rooms.wake(slept)
            case HistoryWanted(chat_id, before):
                rooms.filling.want(chat_id, before)
            case _:
                assert_never(event)

    def _time_out(self, timer: Timer) -> None:
        rooms = self._rooms
        match timer:
            case Timer.POLL:
                rooms.want_pull()
            case Timer.RETRY:
                rooms.gate.retry()
            case Timer.CHATS:
                rooms.pushing.release()
            case Timer.ERRANDS:
                rooms.errands.release()
                rooms.pushing.dirty = True
            case Timer.STORE:
                rooms.line.resume()
            case Timer.FILL:
                rooms.filling.rest()
            case Timer.HEADS:
                rooms.heads.fall_due()
            case Timer.SETTLE:
                rooms.pokes.waited()
                rooms.paused = True
            case _:
                assert_never(timer)

    def _hear_store(self, event: StoreAnswer) -> None:
        rooms = self._rooms
        effect = rooms.line.answered(event.request)
        match effect, event:
            case LoadWork(), WorkLoaded(_, work):
                rooms.work_loaded(work)
            case CountWork(), WorkCounted():
                rooms.counted(event)
            case LoadHoles(), HolesLoaded(_, chunks):
                rooms.filling.loaded(effect, chunks)
                rooms.pushing.look_up()
            case ApplyChanges(), ChangesApplied(_, applied):
                rooms.page_stored(effect.page, applied)
            case AdvanceCursor(), ChangesApplied(_, applied):
                rooms.pulling.saved(moved=applied)
            case ApplyHistory(), HistoryApplied(_, applied):
                rooms.history_stored(applied)
            case CompareHeads(), HeadsCompared(_, suspects):
                rooms.compared(suspects, last=effect.last)
            case RecordReceipt(), Stored():
                rooms.recorded(effect.epoch, effect.receipt)
            case ApplySummary(), Stored():
                rooms.summary_stored()
            case FinishOpening(), Stored():
                rooms.opened(effect.cursor)
            case None, _:
                pass
            case _:
                rooms.reporting.outdate()

    def _hear_trouble(self, request: int, reason: str, *, full: bool) -> None:
        rooms = self._rooms
        given_up = rooms.line.failed(request, reason, full=full)
        if given_up is not None:
            # It may have been done: no figure is sure any more.
            rooms.reporting.outdate()
            self._forget(given_up)
        if rooms.line.trouble is not None:
            rooms.tickets.finish(reason)

    def _forget(self, effect: StoreEffect) -> None:
        rooms = self._rooms
        match effect:
            case ApplyChanges():
                rooms.pushing.stirred = True
                rooms.pulling.lost()
            case AdvanceCursor():
                rooms.pulling.lost()
            case LoadWork():
                rooms.pushing.load_failed()
            case CountWork():
                rooms.reporting.count_failed()
            case LoadHoles() | ApplyHistory():
                rooms.filling.lost()
            case ApplySummary() | FinishOpening():
                rooms.opening.lost()
            case CompareHeads():
                rooms.heads.lost()
            case _:
                rooms.pushing.dirty = True

    def _hear_server(self, event: ServerAnswer) -> None:
        rooms = self._rooms
        request = event.request
        if rooms.gate.probes(request):
            rooms.gate.succeeded(request)
        match event:
            case TokenRefreshed():
                if rooms.gate.owns(request):
                    rooms.gate.refreshed()
                return
            case Pushed(_, receipt) if rooms.pushing.owns(request):
                rooms.gate.succeeded(request)
                rooms.pushed(request, receipt)
                return
            case ErrandRun(_, verdict) if rooms.errands.owns(request):
                rooms.gate.succeeded(request)
                rooms.errands.ran(verdict)
                rooms.pushing.dirty = True
            case ChangesPulled(_, page) if rooms.pulling.owns(request):
                rooms.gate.succeeded(request)
                rooms.pulled(page)
            case SummaryPulled(_, page) if rooms.opening.owns(request):
                rooms.gate.succeeded(request)
                rooms.opening.pulled(page, rooms.pulling.epoch)
            case HistoryPulled(_, history) if rooms.filling.owns(request):
                rooms.gate.succeeded(request)
                rooms.history_pulled(history)
            case HeadsPulled(_, heads) if rooms.heads.owns(request):
                rooms.gate.succeeded(request)
                rooms.heads.pulled(heads)
            case _:
                return
        rooms.pushing.server_answers()

    def _hear_failure(self, request: int, error: SyncError) -> None:
        rooms = self._rooms
        if rooms.gate.owns(request):
            rooms.gate.refresh_failed(error)
        elif not rooms.request_failed(request, error) and rooms.gate.probes(request):
            rooms.gate.failed(request, error)
        rooms.give_up_rounds()
