"""The timeline of one chat: a window of rows over its pages, newest first, that follows the store."""

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from PySide6.QtCore import Property, QObject, Signal, Slot

from desktop.viewmodels.message_rows import COMING, MessageRow, RowInputs, derive_inputs, derive_row, hole_row
from desktop.viewmodels.rows import RowsModel
from desktop.viewmodels.stretch import Stretch, just_above, place, read
from storage import aside, messages
from storage.errors import StorageError
from storage.records import ChatId, Hole, MessageId, Page, Position, SyncState
from storage.store import Reader, Store
from sync.status import Phase

PAGE: Final = 50
WINDOW: Final = 400
"""Rows held at once. What scrolls out of it is read again when the person comes back."""


class Timeline(RowsModel[MessageRow]):
    """Follows one chat. While it holds the newest message it grows with the chat; else it waits to be asked."""

    atNewestChanged = Signal()
    olderChanged = Signal()
    """What lies above the oldest row may be another thing now: the view looks whether it wants it."""
    wanted = Signal(str, object)
    """Messages of this chat before this number are looked at and are not here."""
    failed = Signal(str)

    def __init__(self, store: Store, now: Callable[[], datetime], parent: QObject | None = None) -> None:
        super().__init__(MessageRow, parent)
        self._store = store
        self._now = now
        self._chat_id: ChatId | None = None
        self._stretch = Stretch()
        self._at_newest = True
        self._rich = False
        self._phase = Phase.SYNCED
        self._asked: Hole | None = None
        self._made: dict[MessageId, tuple[RowInputs, MessageRow]] = {}

    def show(self, chat_id: ChatId | None) -> None:
        """The newest page of another chat, or nothing for one that is not written yet."""
        self._chat_id = chat_id
        self._asked = None
        self._stretch = Stretch()
        self._read_newest()

    def use_rich_text(self) -> None:
        """The Markdown parser is loaded: what was shown as typed is now rendered."""
        self._rich = True
        self._derive()

    def use_phase(self, phase: Phase) -> None:
        """Whether what is missing comes now; while it does not, the view goes on below a hole."""
        before, self._phase = self._phase, phase
        if before is phase:
            return
        if phase in COMING and before not in COMING:
            self._asked = None
            self._want(self._stretch.newest_hole)
        if self._stretch.newest_hole is not None:
            with self._telling():
                self._follow()
            self._derive()

    def refresh(self) -> None:
        """Reads the window again after a commit touched this chat."""
        if self._chat_id is None:
            return
        with self._telling():
            if self._at_newest or self._stretch.held:
                self._follow()
            self._derive()

    @Slot()
    def load_older(self) -> None:
        """The next page towards the past; the window forgets its newest rows when it is full."""
        stretch = self._stretch
        if self._chat_id is None or stretch.onwards is None:
            return
        if stretch.gap is not None:
            self._want(stretch.gap)
            if self._phase in COMING:
                return
        with self._telling():
            longer = stretch.then(self._read(stretch.onwards, PAGE))
            if longer == stretch:
                return
            excess = len(longer.held) - WINDOW
            if excess > 0:
                longer = longer.without_newest(excess)
                self._set_at_newest(False)
            self._stretch = longer
            self._derive()

    @Slot()
    def load_newer(self) -> None:
        """The next page towards the present; the window forgets its oldest rows when it is full."""
        if self._chat_id is None or self._at_newest or not self._stretch.held:
            return
        chat_id, top = self._chat_id, self._stretch.held[0]
        with self._telling():
            newer = self._store.read(lambda db: messages.newer(db, chat_id, place(top), limit=PAGE))
            last = newer[-1] if newer else top
            hole = None
            if len(newer) < PAGE:
                hole = self._store.read(lambda db: messages.gap_above(db, chat_id, place(last)))
            self._want(hole)
            more = hole is not None or len(newer) == PAGE
            limit = min(WINDOW, len(self._stretch.held) + len(newer))
            self._stretch = self._read(just_above(last) if more else None, limit)
            self._set_at_newest(not more)
            self._derive()

    @Slot()
    def jump_to_newest(self) -> None:
        """Back to the end of the chat, from wherever."""
        if not self._at_newest:
            self._read_newest()

    def row_of(self, badges: Container[str]) -> int:
        """The newest row with one of these badges, -1 for none."""
        return next((at for at, row in enumerate(self.rows) if row.badge in badges), -1)

    def _read_newest(self) -> None:
        stretch = Stretch()
        with self._telling():
            stretch = self._read(None, PAGE) if self._chat_id is not None else stretch
        self._stretch = stretch
        self._set_at_newest(True)
        self.replace(self._rows_now())
        self._want(stretch.newest_hole)

    def _read(self, before: Position | None, limit: int) -> Stretch:
        chat_id = self._chat_id
        assert chat_id is not None

        def page(before: Position | None, limit: int) -> Page:
            return self._store.read(lambda db: messages.page(db, chat_id, before=before, limit=limit))

        # What already stands below a hole stays there while the hole is filled.
        across = self._phase not in COMING or bool(self._stretch.holes)
        return read(page, before, limit, across=across)

    def _follow(self) -> None:
        """Reads the window again. Its past grows only out of a hole that was filled, so that the view need not wait."""
        old = self._stretch
        limit = len(old.held) + PAGE
        fresh = self._read(None if self._at_newest else just_above(old.held[0]), min(WINDOW, limit))
        if old.gap is None:
            oldest = old.held[-1].message_id if old.held else None
            found = (at for at, message in enumerate(fresh.held) if message.message_id == oldest)
            fresh = fresh.cut(max(next(found, len(fresh.held)) + 1, PAGE))
        self._stretch = fresh

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            self.failed.emit(str(error))

    def _derive(self) -> None:
        self.become(self._rows_now())
        self.olderChanged.emit()

    def _rows_now(self) -> list[MessageRow]:
        """Only rows whose inputs moved are made again: a window of 400 is derived after every commit."""
        stretch = self._stretch
        wanted = derive_inputs(
            stretch.held,
            complete=stretch.onwards is None,
            rich=self._rich,
            today=self._now().date(),
            conflicts=self._conflicts(),
            breaks=stretch.holes,
        )
        made = [self._made.get(inputs.message.message_id) for inputs in wanted]
        fresh = [
            (inputs, kept[1] if kept is not None and kept[0] == inputs else derive_row(inputs))
            for inputs, kept in zip(wanted, made, strict=True)
        ]
        self._made = {inputs.message.message_id: (inputs, row) for inputs, row in fresh}
        rows = [row for _, row in fresh]
        ends = {len(rows): stretch.gap} if stretch.gap else {}
        for at, hole in sorted({**stretch.holes, **ends}.items(), reverse=True):
            rows.insert(at, hole_row(hole, self._phase, alone=not stretch.held))
        return rows

    def _conflicts(self) -> frozenset[MessageId]:
        """Those of the messages set aside whose id belongs to another text on the server."""
        chat_id = self._chat_id
        refused = [each.message_id for each in self._stretch.held if each.sync_state is SyncState.REJECTED]
        if not refused or chat_id is None:
            return frozenset()

        def query(db: Reader) -> frozenset[MessageId]:
            return frozenset(each for each in refused if aside.conflict(db, chat_id, each) is not None)

        return self._store.read(query)

    def _want(self, hole: Hole | None) -> None:
        if hole is not None and self._chat_id is not None and hole != self._asked:
            self._asked = hole
            self.wanted.emit(self._chat_id, hole.last + 1)

    def _set_at_newest(self, value: bool) -> None:
        if value != self._at_newest:
            self._at_newest = value
            self.atNewestChanged.emit()

    atNewest: Any = Property(bool, lambda self: self._at_newest, notify=atNewestChanged)
