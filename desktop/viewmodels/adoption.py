"""The signed-out chats that an account may take over: a list with a mark each, all on at first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from PySide6.QtCore import Property, QObject, Signal, Slot

from desktop.viewmodels import words
from desktop.viewmodels.chat_list import title_of
from desktop.viewmodels.rows import RowsModel
from storage import chats
from storage.errors import StorageError
from storage.records import LOCAL_ACCOUNT, Chat, ChatId
from storage.store import Reader, Store


@dataclass(frozen=True, slots=True)
class AdoptionRow:
    """One signed-out chat; `chosen` when it shall move."""

    chat_id: ChatId
    title: str
    when: str
    chosen: bool

    @property
    def key(self) -> ChatId:
        """A chat is its id."""
        return self.chat_id


def adoptable(db: Reader) -> list[Chat]:
    """Signed-out chats with something in them, archived ones last."""
    found = [
        chat
        for archived in (False, True)
        for chat in chats.list_chats(db, [LOCAL_ACCOUNT], archived=archived)
    ]
    return [chat for chat in found if chat.title or chat.pending or chat.rejected]


class Adoption(RowsModel[AdoptionRow]):
    """Which of them move."""

    chosenChanged = Signal()

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(AdoptionRow, parent)
        self._store = store

    def read(self) -> None:
        """All there are, all chosen."""
        try:
            found = self._store.read(adoptable)
        except StorageError:
            found = []
        today = date.today()  # noqa: DTZ011 the person's day, as their clock has it
        self.replace(
            [
                AdoptionRow(
                    chat.chat_id, title_of(chat), words.short_day(words.local(chat.updated_at), today), True
                )
                for chat in found
            ]
        )
        self.chosenChanged.emit()

    @property
    def choice(self) -> tuple[ChatId, ...] | None:
        """The chats that move, None for all."""
        chosen = tuple(row.chat_id for row in self.rows if row.chosen)
        return None if len(chosen) == len(self.rows) else chosen

    @Slot(str)
    def toggle(self, chat_id: str) -> None:
        """This one, or not."""
        self._choose(lambda row: row.chosen != (row.chat_id == chat_id))

    @Slot()
    def toggle_all(self) -> None:
        """All, or when all are chosen none."""
        every = all(row.chosen for row in self.rows)
        self._choose(lambda _: not every)

    def _choose(self, chosen: Callable[[AdoptionRow], bool]) -> None:
        self.become([AdoptionRow(row.chat_id, row.title, row.when, chosen(row)) for row in self.rows])
        self.chosenChanged.emit()

    def _count(self) -> int:
        return sum(row.chosen for row in self.rows)

    chosenCount: Any = Property(int, _count, notify=chosenChanged)
    allChosen: Any = Property(bool, lambda self: all(row.chosen for row in self.rows), notify=chosenChanged)
    moveLabel: Any = Property(
        str,
        lambda self: words.plural(self._count(), "Move 1 chat", "Move %n chats"),
        notify=chosenChanged,
    )
