"""How the parts of the engine work together: who goes before whom, and what one's news mean for another."""

from typing import Final

from storage.exchange import ChangePage, HistoryPage, ParcelWork, Receipt
from storage.records import Cursor
from sync.engine.interface import Timer, WorkCounted
from sync.engine.parts import Parts
from sync.engine.pokes import PATIENCE
from sync.engine.reporting import Trouble
from sync.errors import SyncError

NOBODY: Final = "Nobody is signed in; sign in first."
WAITING: Final = "Some messages wait for their next try; sync again later."


class Rooms(Parts):
    """Says of each event what it means beyond the part that heard it."""

    def want_pull(self) -> None:
        """There may be news."""
        self.pulling.wanted = self.account is not None

    def wake(self, slept: float) -> None:
        """The computer slept, or its clock leapt: whatever was timed is tried now, and nothing counts as failure."""
        self.line.resume()
        self.gate.woke()
        self.want_pull()
        self.heads.slept(slept)
        if self.account is not None:
            self.pushing.release_all()
            self.errands.release_all()
            self.filling.rest()

    def request_round(self, ticket: int) -> None:
        """Somebody waits for everything to be level."""
        self.tickets.add(ticket)
        if self.account is None:
            self.tickets.finish(NOBODY)
            return
        self.line.resume()
        self.gate.insist()
        self.pushing.release_all()
        self.errands.release_all()
        self.opening.release()
        self.filling.rest()
        self.filling.look_up()
        self.owes_pull = True

    def give_up_rounds(self) -> None:
        """Nobody waits for a server that needs longer."""
        if not self.gate.patient:
            self.tickets.finish(str(self.gate.error))

    def work_loaded(self, work: ParcelWork) -> None:
        """The store said what is to push, and how far it is."""
        first = self.pulling.needs_cursor
        self.pulling.loaded(work.cursor)
        self.opening.loaded(work.opened)
        if first:
            self.opening.start(work.cursor)
            self.filling.look_up()
        if self.pulling.level:
            self.opening.level()
        self.errands.run(self.pushing.loaded(work, self.pulling.epoch))

    def counted(self, figures: WorkCounted) -> None:
        """The store has the figures."""
        self.reporting.counted(figures)
        if figures.missing:
            self.filling.look_up()

    def page_stored(self, page: ChangePage, applied: bool) -> None:
        """What came may have made the store queue something: what the server lost, or what it shows again."""
        self.pulling.applied(applied)
        if page.changes:
            self.heads.news()
        self.pushing.stirred |= page.reset or bool(page.changes)
        if not page.more:
            self.reporting.outdate()
            self.pushing.look_up()
        if self.pulling.level:
            self.opening.level()
            self.heads.level()

    def history_stored(self, applied: bool) -> None:
        """Missing messages are here, or contradict what is."""
        self.filling.stored()
        self.reporting.outdate()
        self.pushing.stirred = True
        if not applied:
            self.begin_anew()

    def compared(self, suspects: int, *, last: bool) -> None:
        """A page of heads is compared: what is suspect is fetched anew, higher last numbers are holes, and for a chat
        that is not here the store asks for all of them."""
        self.pushing.dirty = True
        self.filling.look_up()
        self.reporting.outdate()
        if self.heads.compared(last=last):
            self.pulling.prove()
        if suspects and self.filling.impossible:
            self.begin_anew()

    def recorded(self, epoch: str, receipt: Receipt) -> None:
        """The server's word on a parcel is durable."""
        self.reporting.outdate()
        self.owes_pull = self.owes_pull or bool(self.tickets)
        if receipt.span is not None and receipt.span.epoch == epoch:
            self.spans.add(receipt.span)

    def summary_stored(self) -> None:
        """A page of chats is durable."""
        self.reporting.outdate()
        if self.opening.stored():
            self.heads.hurry()

    def opened(self, cursor: Cursor | None) -> None:
        """All chats are known."""
        self.opening.finished()
        self.pushing.dirty = True
        self.filling.look_up()
        if cursor is not None:
            self.pushing.stirred = True
            self.pulling.opened(cursor)

    def pushed(self, request: int, receipt: Receipt) -> None:
        """The server answered a push."""
        if not self.pushing.pushed(request, receipt, self.pulling.epoch):
            self.want_pull()

    def pulled(self, page: ChangePage) -> None:
        """A page of changes came."""
        asked = self.pulling.asked
        if self.pulling.pulled(page):
            self.abort()
            return
        self.opening.far_behind(page, asked)
        if self.pulling.level and self.pulling.still:
            # Nothing to store: what a summary without an answer left open is asked for once more.
            self.opening.level()

    def history_pulled(self, page: HistoryPage) -> None:
        """Missing messages came, of this epoch or of another one."""
        if page.epoch == self.pulling.epoch:
            self.filling.pulled(page)
        else:
            self.filling.lost()
            self.want_pull()

    def request_failed(self, request: int, error: SyncError) -> bool:
        """Whether it was one that somebody here waits for."""
        if self.pulling.owns(request):
            self.pull_failed_last = True
            self.pulling.failed(error, request)
        elif self.pushing.owns(request):
            self.pull_failed_last = False
            self.pushing.failed(request, error)
        elif self.errands.owns(request):
            self.errands.failed(request, error)
            self.pushing.dirty = True
        elif self.opening.owns(request):
            self.opening.failed(request, error)
        elif self.heads.owns(request):
            self.heads.failed(request, error)
        elif self.filling.owns(request):
            self.filling.failed(request, error)
            if self.filling.impossible:
                self.begin_anew()
        else:
            return False
        return True

    def advance(self) -> None:
        """Ask for what can be asked for now, and say how things are."""
        if self.line.trouble is None and self.account is not None:
            self._settle_pull()
            self.opening.advance(pulling=not self.pulling.still)
            self._move_cursor()
            if not (self._probes_by_push() or self.opening.holds_pull or self.heads.holds_pull):
                self.pulling.advance()
            if not self.errands.busy:
                self.pushing.advance(
                    self.pulling.epoch,
                    needs_cursor=self.pulling.needs_cursor,
                    resting=self.errands.resting,
                )
            self._advance_background()
        self._report()
        self._finish_round()

    def _settle_pull(self) -> None:
        """A round pulls once, behind its last push; a push that meets with trouble does not hold it up."""
        if self.owes_pull and (self.gate.error is not None or not self.pushing.busy):
            self.owes_pull = False
            self.pulling.wanted = True
        if self.pulling.wanted:
            self.pokes.clear()
        reached = self.spans.reach(self.pulling.cursor) if self.pulling.cursor else 0
        if self.pokes.asks_for_pull(reached, pushing=self.pushing.busy or not self.line.idle):
            self.pulling.wanted = True

    def _move_cursor(self) -> None:
        """What this device pushed itself need not come back, if nobody else changed anything before it.

        In the store the cursor follows once the pushes have paused for a second: it costs a commit of its own.
        """
        if self.pulling.cursor is None or not self.pulling.still:
            return
        span = self.spans.next(self.pulling.cursor)
        if span is not None:
            self.pulling.skip(span)
            self.paused = False
        if self.pulling.behind and not self.pulling.wanted:
            if self.paused:
                self.pulling.save()
            elif not (self.pushing.busy or self.desk.runs(Timer.SETTLE)):
                self.desk.set_timer(Timer.SETTLE, PATIENCE)

    def _probes_by_push(self) -> bool:
        """A server that only fails to answer pulls still gets the messages."""
        return (
            self.pull_failed_last
            and self.gate.may_probe
            and self.pulling.epoch is not None
            and self.pushing.busy
        )

    def _advance_background(self) -> None:
        epoch = self.pulling.epoch
        if epoch is None or self.pulling.needs_cursor:
            return
        rests = self.pulling.quiet and not (self.pushing.busy or self.errands.busy or self.opening.holds_pull)
        self.filling.advance(background=rests)
        self.heads.advance(level=rests and self.pulling.level and self.filling.quiet)

    def _report(self) -> None:
        error = self.gate.error
        self.reporting.record(error)
        trouble = Trouble(error, self.gate.retries_at, self.line.trouble, self.line.full)
        working = self.pushing.sending or self.errands.busy or self.pulling.catching_up or self.filling.active
        waiting = self.pushing.waiting or bool(self.errands.resting) or self.filling.trouble is not None
        waiting = waiting or self.opening.resting
        settled = self.filling.quiet and not self.pushing.busy
        self.reporting.advance(trouble, working=working, waiting=waiting, settled=settled)

    def _finish_round(self) -> None:
        if not self.tickets or self.line.trouble is not None or self.gate.error is not None:
            return
        quiet = self.line.idle and self.pulling.quiet and self.opening.quiet and self.heads.quiet
        if quiet and self.filling.quiet and not (self.pushing.busy or self.errands.busy or self.owes_pull):
            waits = self.pushing.waiting or self.errands.resting or self.opening.resting
            self.tickets.finish(WAITING if waits else self.filling.trouble)
