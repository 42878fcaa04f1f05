"""The chooser between two texts of one message: the person's own and the server's. Nothing is chosen for them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from PySide6.QtCore import QObject, Signal, Slot

from desktop.bridge import Bridge
from desktop.viewmodels import words
from desktop.viewmodels.props import PropsObject, prop
from storage import aside
from storage.content import plain_text
from storage.errors import StorageError
from storage.records import ChatId, Message, MessageId
from storage.store import Store, Transaction


@dataclass(frozen=True, slots=True)
class Props:
    """Both texts, and when each was written."""

    mine: str = ""
    mine_when: str = ""
    theirs: str = ""
    theirs_when: str = ""
    busy: bool = False
    error: str = ""


class Choice(PropsObject[Props]):
    """Both texts are kept until the person has chosen."""

    mineChanged = Signal()
    mineWhenChanged = Signal()
    theirsChanged = Signal()
    theirsWhenChanged = Signal()
    busyChanged = Signal()
    errorChanged = Signal()
    opened = Signal()
    finished = Signal()
    failed = Signal(str)

    def __init__(
        self, store: Store, bridge: Bridge, now: Callable[[], datetime], parent: QObject | None = None
    ) -> None:
        super().__init__(Props(), parent)
        self._store = store
        self._bridge = bridge
        self._now = now
        self._of: tuple[ChatId, MessageId] | None = None

    def compare(self, chat_id: ChatId, message_id: MessageId) -> None:
        """Reads both texts and asks for the dialog."""
        try:
            found = self._store.read(lambda db: aside.conflict(db, chat_id, message_id))
        except StorageError as error:
            self.failed.emit(str(error))
            return
        if found is None:
            return
        self._of = (chat_id, message_id)
        mine, theirs = found
        self._become(
            Props(plain_text(mine.content), self._when(mine), plain_text(theirs.content), self._when(theirs))
        )
        self.opened.emit()

    @Slot()
    def keep_mine(self) -> None:
        """The person's text goes out as a message of its own; the server's stays where it is."""
        self._settle(aside.keep_mine)

    @Slot()
    def keep_theirs(self) -> None:
        """The server's text takes the place of the person's."""
        self._settle(aside.keep_theirs)

    def _settle(self, choose: Callable[[Transaction, ChatId, MessageId], object]) -> None:
        if self._of is None or self.props.busy:
            return
        chat_id, message_id = self._of
        self._become(replace(self.props, busy=True, error=""))
        future = self._store.write(lambda tx: choose(tx, chat_id, message_id))
        self._bridge.deliver(future, lambda _: self._done(), self._refused)

    def _done(self) -> None:
        self._of = None
        self._become(replace(self.props, busy=False))
        self.finished.emit()

    def _refused(self, error: BaseException) -> None:
        self._become(replace(self.props, busy=False, error=str(error)))

    def _when(self, message: Message) -> str:
        return words.moment(words.local(message.created_at), self._now().date())

    mine = prop(str, "mine", mineChanged)
    mineWhen = prop(str, "mine_when", mineWhenChanged)
    theirs = prop(str, "theirs", theirsChanged)
    theirsWhen = prop(str, "theirs_when", theirsWhenChanged)
    busy = prop(bool, "busy", busyChanged)
    error = prop(str, "error", errorChanged)
