"""The engine: pure, told what happened and when, it answers what to do. Its parts have one module each."""

from collections.abc import Callable
from typing import assert_never

from storage.exchange import ChangePage
from storage.records import AccountId
from sync.engine.desk import Desk
from sync.engine.gate import Gate
from sync.engine.interface import (
    ApplyChanges,
    ChangesApplied,
    ChangesPulled,
    ChatsSaved,
    CountWork,
    Effect,
    Event,
    FinishSync,
    LinkChanged,
    LoadWork,
    LocalCommitted,
    MessagesAppended,
    NetworkChanged,
    Poked,
    RecordVerdicts,
    RequestFailed,
    SignedIn,
    SignedOut,
    StoreAnswer,
    Stored,
    StoreEffect,
    StoreFailed,
    SyncRequested,
    Timer,
    TimerFired,
    TokenRefreshed,
    WorkCounted,
    WorkLoaded,
)
from sync.engine.pulling import Pulling
from sync.engine.pushing import Pushing
from sync.engine.reporting import Reporting
from sync.engine.storing import StoreLine
from sync.errors import SyncError
from sync.protocol import APPEND_MAX_MESSAGES, PULL_MAX_CHANGES


class Engine:
    """One account's sync at a time. `uniform` gives numbers of [0, 1); nothing else comes from outside but events.

    Not thread-safe: one runner feeds it events one by one and performs the effects in order.
    """

    def __init__(
        self,
        uniform: Callable[[], float],
        *,
        batch_limit: int = APPEND_MAX_MESSAGES,
        page_limit: int = PULL_MAX_CHANGES,
    ) -> None:
        self._desk = Desk()
        self._line = StoreLine(self._desk, uniform)
        self._gate = Gate(self._desk, uniform)
        self._pulling = Pulling(self._desk, self._gate, self._line, page_limit)
        self._pushing = Pushing(self._desk, self._gate, self._line, uniform, batch_limit)
        self._reporting = Reporting(self._desk, self._line)
        self._account: AccountId | None = None
        self._tickets: list[int] = []
        self._owes_pull = False
        self._pull_failed_last = False
        self._recovering = True

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened; `now` is monotonic, in seconds."""
        self._desk.now = now
        self._hear(event)
        self._advance()
        return self._desk.take()

    def _hear(self, event: Event) -> None:
        match event:
            case SignedIn(account_id):
                self._enter(account_id)
            case SignedOut():
                self._enter(None)
            case LocalCommitted() | Poked() | LinkChanged() | NetworkChanged():
                self._hear_hint(event)
            case SyncRequested(ticket):
                self._request_sync(ticket)
            case TimerFired(timer, generation):
                if self._desk.fired(timer, generation):
                    self._time_out(timer)
            case WorkLoaded() | WorkCounted() | Stored() | ChangesApplied():
                self._hear_store(event)
            case StoreFailed(request, reason):
                self._store_failed(request, reason)
            case ChatsSaved() | MessagesAppended() | ChangesPulled() | TokenRefreshed():
                self._hear_server(event)
            case RequestFailed(request, error):
                self._request_failed(request, error)
            case _:
                assert_never(event)

    def _hear_hint(self, event: LocalCommitted | Poked | LinkChanged | NetworkChanged) -> None:
        match event:
            case LocalCommitted():
                self._line.resume()
                self._pushing.dirty = self._account is not None
                self._reporting.outdate()
            case Poked():
                self._gate.hurry()
                self._want_pull()
            case NetworkChanged(online):
                if online:
                    self._gate.reconnected()
                    self._want_pull()
                else:
                    self._gate.network_lost()
            case LinkChanged(up):
                self._pulling.linked = up
                if up:
                    self._gate.reconnected()
                    self._want_pull()
            case _:
                assert_never(event)

    def _enter(self, account: AccountId | None) -> None:
        self._account = account
        self._recovering = True
        self._owes_pull = False
        self._finish_tickets("Sync was interrupted by a change of account; ask again.")
        self._line.clear()
        self._gate.enter(account)
        self._pulling.enter(account)
        self._pushing.enter(account)
        self._reporting.enter(account)

    def _want_pull(self) -> None:
        self._pulling.wanted = self._account is not None

    def _request_sync(self, ticket: int) -> None:
        self._tickets.append(ticket)
        if self._account is None:
            self._finish_tickets("Nobody is signed in; sign in first.")
            return
        self._line.resume()
        self._gate.insist()
        self._pushing.unblock_all()
        self._owes_pull = True

    def _time_out(self, timer: Timer) -> None:
        match timer:
            case Timer.POLL:
                self._pulling.wanted = True
            case Timer.RETRY:
                self._gate.retry()
            case Timer.CHATS:
                self._pushing.unblock()
            case Timer.STORE:
                self._line.resume()
            case Timer.FILL | Timer.HEADS | Timer.SETTLE:
                pass
            case _:
                assert_never(timer)

    def _hear_store(self, event: StoreAnswer) -> None:
        effect = self._line.answered(event.request)
        if effect is None:
            return
        match event:
            case WorkLoaded(_, work):
                self._pulling.loaded(work.cursor)
                self._pushing.loaded(work, self._pulling.epoch)
            case WorkCounted():
                self._reporting.counted(event)
            case ChangesApplied(_, applied):
                assert isinstance(effect, ApplyChanges)
                self._pulling.applied(applied)
                self._page_stored(effect.page)
            case Stored():
                if isinstance(effect, RecordVerdicts) and self._tickets:
                    self._owes_pull = True
                self._reporting.outdate()
            case _:
                assert_never(event)

    def _page_stored(self, page: ChangePage) -> None:
        """At the head of a pull that began anew, the store queues what the server lost."""
        self._recovering = self._recovering or page.reset
        if not page.more:
            self._reporting.outdate()
            self._pushing.dirty = self._pushing.dirty or self._recovering
            self._recovering = False

    def _store_failed(self, request: int, reason: str) -> None:
        given_up = self._line.failed(request, reason)
        if given_up is not None:
            self._forget(given_up)
        if self._line.trouble is not None:
            self._finish_tickets(reason)

    def _forget(self, effect: StoreEffect) -> None:
        match effect:
            case ApplyChanges():
                self._recovering = True
                self._pulling.lost()
            case LoadWork():
                self._pushing.load_failed()
            case CountWork():
                self._reporting.count_failed()
            case _:
                self._pushing.dirty = True

    def _hear_server(self, event: ChatsSaved | MessagesAppended | ChangesPulled | TokenRefreshed) -> None:
        request = event.request
        if self._gate.probes(request):
            self._gate.succeeded(request)
        match event:
            case TokenRefreshed():
                if self._gate.owns(request):
                    self._gate.refreshed()
            case ChangesPulled(_, page):
                if self._pulling.owns(request):
                    self._gate.succeeded(request)
                    if self._pulling.pulled(page):
                        self._pushing.abort()
            case ChatsSaved(_, chat_verdicts):
                if self._pushing.owns(request):
                    self._gate.succeeded(request)
                    self._pushing.chats_saved(request, chat_verdicts, self._pulling.epoch)
            case MessagesAppended(_, verdicts):
                if self._pushing.owns(request):
                    self._gate.succeeded(request)
                    self._pushing.appended(request, verdicts, self._pulling.epoch)
            case _:
                assert_never(event)

    def _request_failed(self, request: int, error: SyncError) -> None:
        if self._gate.owns(request):
            self._gate.refresh_failed(error)
        elif self._pulling.owns(request):
            self._pull_failed_last = True
            self._pulling.failed(error, request)
        elif self._pushing.owns(request):
            self._pull_failed_last = False
            self._pushing.failed(request, error, self._pulling.epoch)
        elif self._gate.probes(request):
            self._gate.failed(request, error)
        else:
            return
        if not self._gate.patient:
            self._finish_tickets(str(self._gate.error))

    def _advance(self) -> None:
        if self._line.trouble is None and self._account is not None:
            self._settle_pull()
            if not self._probes_by_push():
                self._pulling.advance()
            self._pushing.advance(self._pulling.epoch, self._pulling.needs_cursor)
        self._reporting.record(self._gate.error)
        self._reporting.advance(
            self._gate.error,
            self._line.trouble,
            working=self._pushing.sending or self._pulling.catching_up,
            settled=not self._pushing.busy,
        )
        self._finish_round()

    def _settle_pull(self) -> None:
        """A round pulls once, behind its last push; a push that meets with trouble does not hold it up."""
        if self._owes_pull and (self._gate.error is not None or not self._pushing.busy):
            self._owes_pull = False
            self._pulling.wanted = True

    def _probes_by_push(self) -> bool:
        """A server that only fails to answer pulls still gets the messages."""
        return (
            self._pull_failed_last
            and self._gate.may_probe
            and self._pulling.epoch is not None
            and self._pushing.busy
        )

    def _finish_round(self) -> None:
        quiet = self._line.idle and self._pulling.quiet and not self._pushing.busy
        if self._tickets and quiet and self._line.trouble is None and self._gate.error is None:
            waits = "Some messages wait for their next try; sync again later."
            self._finish_tickets(waits if self._pushing.waiting_chats else None)

    def _finish_tickets(self, error: str | None) -> None:
        for ticket in self._tickets:
            self._desk.emit(FinishSync(ticket, error))
        self._tickets.clear()
