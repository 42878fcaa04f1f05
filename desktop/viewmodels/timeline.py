"""The timeline of one chat: a window of rows over its pages, newest first, that follows the store."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

from PySide6.QtCore import Property, QObject, Signal, Slot

from desktop.rendering import Segment, segments
from desktop.viewmodels import words
from desktop.viewmodels.rows import RowsModel
from storage import messages
from storage.content import plain_text
from storage.errors import StorageError
from storage.records import ChatId, Message, MessageId, Page, Part, Position, Role
from storage.store import Store

PAGE: Final = 50
WINDOW: Final = 400
"""Rows held at once. What scrolls out of it is read again when the person comes back."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The rendering of a message, made when a delegate first asks for it."""

    parts: tuple[Part, ...]
    rich: bool
    _made: list[list[Segment]] = field(default_factory=list, compare=False)

    def __call__(self) -> list[Segment]:
        """The segments, rendered once."""
        if not self._made:
            self._made.append(segments(self.parts, rich=self.rich))
        return self._made[0]


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message as the timeline shows it. `day` is set where a new day begins."""

    message_id: MessageId
    author: str
    segments: Segments
    plain: str
    badge: str
    badge_text: str
    status: str
    time: str
    moment: str
    day: str
    spoken: str

    @property
    def key(self) -> MessageId:
        """A message is its id."""
        return self.message_id


@dataclass(frozen=True, slots=True)
class RowInputs:
    """All that a row depends on."""

    message: Message
    day: str
    rich: bool
    today: date


def derive_inputs(held: Sequence[Message], *, complete: bool, rich: bool, today: date) -> list[RowInputs]:
    """What the rows of messages that come newest first depend on. `complete`: nothing older exists, so the oldest
    begins its day."""
    days = [words.local(message.created_at).date() for message in held]
    begins = [*(day != older for day, older in pairwise(days)), complete]
    return [
        RowInputs(message, words.day(day, today) if begin else "", rich, today)
        for message, day, begin in zip(held, days, begins, strict=False)
    ]


def derive_row(inputs: RowInputs) -> MessageRow:
    """One row."""
    message = inputs.message
    when = words.local(message.created_at)
    text = plain_text(message.content)
    badge = words.badge(message)
    return MessageRow(
        message_id=message.message_id,
        author=message.role.value,
        segments=Segments(message.content, inputs.rich and message.role is not Role.USER),
        plain=text,
        badge=message.sync_state.value,
        badge_text=badge,
        status=message.status.value,
        time=words.clock(when),
        moment=words.moment(when, inputs.today),
        day=inputs.day,
        spoken=f"{words.speaker(message.role)}, {words.clock(when)}: {text[:2000]}. {badge}",
    )


def place(message: Message) -> Position:
    """Where a message stands in its chat."""
    return Position(message.sequence_num, message.local_order)


def just_above(message: Message) -> Position:
    """The place from which a page begins with this message."""
    if message.sequence_num is None:
        return Position(None, message.local_order + 1)
    return Position(message.sequence_num + 1, message.local_order)


class Timeline(RowsModel[MessageRow]):
    """Follows one chat. While it holds the newest message it grows with the chat; else it waits to be asked."""

    atNewestChanged = Signal()
    failed = Signal(str)

    def __init__(self, store: Store, now: Callable[[], datetime], parent: QObject | None = None) -> None:
        super().__init__(MessageRow, parent)
        self._store = store
        self._now = now
        self._chat_id: ChatId | None = None
        self._held: list[Message] = []
        self._older: Position | None = None
        self._at_newest = True
        self._rich = False
        self._made: dict[MessageId, tuple[RowInputs, MessageRow]] = {}

    def show(self, chat_id: ChatId | None) -> None:
        """The newest page of another chat, or nothing for one that is not written yet."""
        self._chat_id = chat_id
        self._read_newest()

    def use_rich_text(self) -> None:
        """The Markdown parser is loaded: what was shown as typed is now rendered."""
        self._rich = True
        self._derive()

    def refresh(self) -> None:
        """Reads the window again after a commit touched this chat."""
        if self._chat_id is None:
            return
        with self._telling():
            if self._at_newest:
                self._follow()
            elif self._held:
                page = self._page(just_above(self._held[0]), len(self._held))
                self._held, self._older = list(page.messages), page.older
            self._derive()

    @Slot()
    def load_older(self) -> None:
        """The next page towards the past; the window forgets its newest rows when it is full."""
        if self._chat_id is None or self._older is None:
            return
        with self._telling():
            page = self._page(self._older, PAGE)
            self._held += page.messages
            self._older = page.older
            if len(self._held) > WINDOW:
                del self._held[: len(self._held) - WINDOW]
                self._set_at_newest(False)
            self._derive()

    @Slot()
    def load_newer(self) -> None:
        """The next page towards the present; the window forgets its oldest rows when it is full."""
        if self._chat_id is None or self._at_newest or not self._held:
            return
        chat_id, top = self._chat_id, place(self._held[0])
        with self._telling():
            newer = self._store.read(lambda db: messages.newer(db, chat_id, top, limit=PAGE))
            self._held[:0] = reversed(newer)
            self._set_at_newest(len(newer) < PAGE)
            if len(self._held) > WINDOW:
                del self._held[WINDOW:]
                self._older = place(self._held[-1])
            self._derive()

    @Slot()
    def jump_to_newest(self) -> None:
        """Back to the end of the chat, from wherever."""
        if not self._at_newest:
            self._read_newest()

    def text_of(self, message_id: str) -> str:
        """All text of a message, for the clipboard."""
        return next((row.plain for row in self.rows if row.message_id == message_id), "")

    def _read_newest(self) -> None:
        page = Page((), None)
        with self._telling():
            page = self._page(None, PAGE) if self._chat_id is not None else page
        self._held, self._older = list(page.messages), page.older
        self._set_at_newest(True)
        self.replace(self._rows_now())

    def _page(self, before: Position | None, limit: int) -> Page:
        chat_id = self._chat_id
        assert chat_id is not None
        return self._store.read(lambda db: messages.page(db, chat_id, before=before, limit=limit))

    def _follow(self) -> None:
        """The newest rows, down to the oldest that was held: a refresh does not grow the window's past."""
        oldest = self._held[-1].message_id if self._held else None
        page = self._page(None, min(WINDOW, len(self._held) + PAGE))
        found = next(
            (i for i, message in enumerate(page.messages) if message.message_id == oldest), len(page.messages)
        )
        end = max(found + 1, PAGE)
        self._held = list(page.messages[:end])
        self._older = place(self._held[-1]) if end < len(page.messages) else page.older

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            self.failed.emit(str(error))

    def _derive(self) -> None:
        self.become(self._rows_now())

    def _rows_now(self) -> list[MessageRow]:
        """Only rows whose inputs moved are made again: a window of 400 is derived after every commit."""
        today = self._now().date()
        wanted = derive_inputs(self._held, complete=self._older is None, rich=self._rich, today=today)
        made = [self._made.get(inputs.message.message_id) for inputs in wanted]
        fresh = [
            (inputs, kept[1] if kept is not None and kept[0] == inputs else derive_row(inputs))
            for inputs, kept in zip(wanted, made, strict=True)
        ]
        self._made = {inputs.message.message_id: (inputs, row) for inputs, row in fresh}
        return [row for _, row in fresh]

    def _set_at_newest(self, value: bool) -> None:
        if value != self._at_newest:
            self._at_newest = value
            self.atNewestChanged.emit()

    atNewest: Any = Property(bool, lambda self: self._at_newest, notify=atNewestChanged)
