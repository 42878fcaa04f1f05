"""The chat list: grouped by day, filtered by title, each row saying what of it is not on the server yet."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from PySide6.QtCore import Property, QObject, Signal, Slot

from desktop.bridge import Bridge
from desktop.viewmodels import words
from desktop.viewmodels.rows import RowsModel
from storage import chats
from storage.errors import StorageError
from storage.records import LOCAL_ACCOUNT, AccountId, Chat, ChatId
from storage.store import Store

PAGE: Final = 200
FILTERED: Final = 10_000
"""How many of the newest chats the title filter looks at."""


@dataclass(frozen=True, slots=True)
class ChatRow:
    """One chat as the list shows it. `mark` is where an eye should go: rejected, pending or nothing."""

    chat_id: ChatId
    title: str
    section: str
    when: str
    mark: str
    mark_count: int
    local_only: bool
    hint: str
    spoken: str

    @property
    def key(self) -> ChatId:
        """A chat is its id."""
        return self.chat_id


def derive_rows(
    listed: Sequence[Chat], *, needle: str, account: AccountId | None, now: datetime
) -> list[ChatRow]:
    """Pinned chats first, the rest by day of their last activity, in the order given."""
    wanted = needle.strip().casefold()
    shown = [chat for chat in listed if wanted in title_of(chat).casefold()]
    return [_row(chat, account, now) for chat in sorted(shown, key=lambda chat: not chat.pinned)]


def title_of(chat: Chat) -> str:
    """The title on one line, or what stands in for it."""
    return " ".join(chat.title.split()) or words.tr("New chat")


def _row(chat: Chat, account: AccountId | None, now: datetime) -> ChatRow:
    when = words.local(chat.updated_at)
    local_only = account is not None and chat.account_id == LOCAL_ACCOUNT
    mark, count, hint = _mark(chat, waits=not local_only)
    title = title_of(chat)
    where = words.tr("On this computer") if local_only else ""
    short = words.short_day(when, now.date())
    return ChatRow(
        chat_id=chat.chat_id,
        title=title,
        section=_section(chat, when, now),
        when=short,
        mark=mark,
        mark_count=count,
        local_only=local_only,
        hint=hint,
        spoken=". ".join(filter(None, (title, short, where, hint))),
    )


def _section(chat: Chat, when: datetime, now: datetime) -> str:
    if chat.pinned:
        return words.tr("Pinned")
    age = (now.date() - when.date()).days
    if age <= 0:
        return words.tr("Today")
    return words.tr("Yesterday") if age == 1 else words.tr("Earlier")


def _mark(chat: Chat, *, waits: bool) -> tuple[str, int, str]:
    if chat.rejected:
        return (
            "rejected",
            chat.rejected,
            words.plural(chat.rejected, "1 message set aside", "%n messages set aside"),
        )
    if chat.sync_error:
        return "rejected", 0, words.first_line(chat.sync_error)
    if chat.pending and waits:
        hint = words.plural(chat.pending, "1 message not yet synced", "%n messages not yet synced")
        return "pending", chat.pending, hint
    return "", 0, ""


class ChatList(RowsModel[ChatRow]):
    """The visible chats: those of the active account and those that belong to this computer only."""

    needleChanged = Signal()
    failed = Signal(str)

    def __init__(
        self,
        store: Store,
        bridge: Bridge,
        readers: Executor,
        now: Callable[[], datetime],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(ChatRow, parent)
        self._store = store
        self._bridge = bridge
        self._readers = readers
        self._now = now
        self._needle = ""
        self._limit = PAGE
        self._account: AccountId | None = None
        self._asked = 0

    def use_account(self, account: AccountId | None) -> None:
        """Whose chats to show beside the local ones."""
        self._account = account
        self.refresh()

    def refresh(self) -> None:
        """Reads again; a filtered list may be long, so it is read off the GUI thread."""
        self._asked += 1
        if not self._needle.strip():
            try:
                self.become(self._read(self._needle, self._account, self._limit))
            except StorageError as error:
                self.failed.emit(str(error))
            return
        asked = self._asked
        future = self._readers.submit(self._read, self._needle, self._account, FILTERED)
        self._bridge.deliver(
            future, lambda rows: self._show(asked, rows), lambda error: self.failed.emit(str(error))
        )

    @Slot()
    def more(self) -> None:
        """The list was scrolled to its end: a longer one, when there is more."""
        if not self._needle.strip() and len(self.rows) >= self._limit:
            self._limit += PAGE
            self.refresh()

    @Slot(str, str)
    def rename(self, chat_id: str, title: str) -> None:
        """Gives a chat another title; a blank one changes nothing."""
        title = " ".join(title.split())
        if not title:
            return
        future = self._store.write(lambda tx: chats.rename(tx, ChatId(chat_id), title))
        self._bridge.deliver(future, lambda _: None, lambda error: self.failed.emit(str(error)))

    def find_aside(self, chat_id: str, found: Callable[[str], None]) -> None:
        """Tells the next chat after this one that holds something set aside, round the whole list; none: nothing."""

        def pick(rows: list[ChatRow]) -> None:
            at = next((i for i, row in enumerate(rows) if row.chat_id == chat_id), -1) + 1
            after = [*rows[at:], *rows[:at]]
            if row := next((row for row in after if row.mark == "rejected" and row.mark_count), None):
                found(row.chat_id)

        future = self._readers.submit(self._read, "", self._account, FILTERED)
        self._bridge.deliver(future, pick, lambda error: self.failed.emit(str(error)))

    @Slot(str, result=int)
    def row_of(self, chat_id: str) -> int:
        """Where a chat stands, -1 when it does not."""
        return next((i for i, row in enumerate(self.rows) if row.chat_id == chat_id), -1)

    @Slot(int, result=str)
    def chat_at(self, row: int) -> str:
        """The id of the chat in that row, empty outside the list."""
        return self.rows[row].chat_id if 0 <= row < len(self.rows) else ""

    def _read(self, needle: str, account: AccountId | None, limit: int) -> list[ChatRow]:
        owners = [LOCAL_ACCOUNT] if account is None else [account, LOCAL_ACCOUNT]
        listed = self._store.read(lambda db: chats.list_chats(db, owners, limit=limit))
        return derive_rows(listed, needle=needle, account=account, now=self._now())

    def _show(self, asked: int, rows: list[ChatRow]) -> None:
        if asked == self._asked:
            self.become(rows)

    def _set_needle(self, needle: str) -> None:
        if needle != self._needle:
            self._needle = needle
            self.needleChanged.emit()
            self.refresh()

    needle = Property(str, lambda self: self._needle, _set_needle, notify=needleChanged)
