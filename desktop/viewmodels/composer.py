"""The composer: a draft per chat, and messages that leave it only when the disk has them."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from PySide6.QtCore import Property, QObject, QTimer, Signal, Slot

from desktop.bridge import Bridge
from storage import chats, messages, settings
from storage.errors import DiskFull, UnknownChat, UnknownOutcome
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, MessageId
from storage.store import Store, Transaction

NEW_CHAT_DRAFT: Final = "draft.new-chat"
DRAFT_DELAY_MS: Final = 300
ROOM_MS: Final = 5000
"""How often a full disk is tried again."""
ROOM_KEY: Final = "window.room"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text on its way to the disk. Its ids are minted once, so that sending it again cannot double it."""

    text: str
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Writing:
    """What the composer holds: `kept` (sent, refused, still the person's), then what is on its way, then what is new."""

    text: str = ""
    kept: tuple[Outgoing, ...] = ()
    leaving: tuple[Outgoing, ...] = ()

    @property
    def front(self) -> str:
        """The text that is not new."""
        return "".join(out.text for out in (*self.kept, *self.leaving))

    @property
    def fresh(self) -> str:
        """What a press of Enter sends now. With nothing on its way what was refused goes again, with the rest; an
        edit inside the front makes all of it new."""
        if self.text.startswith(self.front) and self.leaving:
            return self.text[len(self.front) :]
        return self.text


def sent(writing: Writing, message_id: MessageId) -> tuple[Writing, Outgoing | None]:
    """A press of Enter: the fresh text is on its way, nothing when it is blank. A refused text that goes again unchanged
    keeps its id: the disk may have it after all."""
    text = writing.fresh
    if not text.strip():
        return writing, None
    if writing.kept and not writing.leaving:
        if text == writing.front and len(writing.kept) == 1:
            message_id = writing.kept[0].message_id
        writing = replace(writing, kept=())
    out = Outgoing(text, message_id)
    return replace(writing, leaving=(*writing.leaving, out)), out


def saved(writing: Writing, out: Outgoing) -> tuple[Writing, tuple[int, int] | None]:
    """The disk has it: its characters leave the text, as a span (start, end), unless the person edited them."""
    whole = writing.text.startswith(writing.front)
    start = sum(len(other.text) for other in (*writing.kept, *writing.leaving[: writing.leaving.index(out)]))
    writing = replace(writing, leaving=tuple(other for other in writing.leaving if other is not out))
    if not whole:
        return writing, None
    end = start + len(out.text)
    return replace(writing, text=writing.text[:start] + writing.text[end:]), (start, end)


def refused(writing: Writing, out: Outgoing) -> Writing:
    """The disk does not have it: the text stays where it is."""
    leaving = tuple(other for other in writing.leaving if other is not out)
    return replace(writing, kept=(*writing.kept, out), leaving=leaving)


class Composer(QObject):
    """Writes on behalf of one chat at a time, or of a chat that its first message will create."""

    canSendChanged = Signal()
    errorChanged = Signal()
    fullChanged = Signal()
    """The disk is full, or has room again: the text stays until then, and is saved as soon as it can be."""
    replaced = Signal(str)
    """The text field shall show this text: another chat's draft."""
    cut = Signal(int, int)
    """The text field shall remove this span; the rest, the caret and a composition in progress stay."""
    created = Signal(str)
    """The first message of a new chat is on the disk; this is the chat's id."""
    committed = Signal()

    def __init__(self, store: Store, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._bridge = bridge
        self._account = LOCAL_ACCOUNT
        self._chat_id: ChatId | None = None
        self._minted: ChatId | None = None
        self._writing = Writing()
        self._stranded: dict[ChatId | None, str] = {}
        self._error = ""
        self._can_send = False
        self._dirty = False
        self._full = False
        self._later = QTimer(self, interval=DRAFT_DELAY_MS, singleShot=True)
        self._later.timeout.connect(self.flush)
        self._room = QTimer(self, interval=ROOM_MS, singleShot=True)
        self._room.timeout.connect(self._probe)

    def use_account(self, account: AccountId | None) -> None:
        """Who owns a chat that is created from now on."""
        self._account = account or LOCAL_ACCOUNT

    def show(self, chat_id: ChatId | None, draft: str) -> None:
        """Turns to another chat, after the draft of this one is handed to the store."""
        self.flush()
        self._chat_id, self._minted = chat_id, None
        self._writing = Writing(text=self._stranded.pop(chat_id, "") + draft)
        self._set_error("")
        self.replaced.emit(self._writing.text)
        self._weigh()

    @Slot(str)
    def edited(self, text: str) -> None:
        """The person changed the text."""
        if text == self._writing.text:
            return
        self._writing = replace(self._writing, text=text)
        self._dirty = True
        self._later.start()
        self._weigh()

    @Slot()
    def send(self) -> None:
        """Commits what is fresh; it leaves the composer when the store says so."""
        self._writing, out = sent(self._writing, MessageId(str(uuid.uuid4())))
        if out is None:
            return
        self._later.stop()
        self._dirty = False
        new = self._chat_id is None
        chat_id = self._chat_id or self._minted or ChatId(str(uuid.uuid4()))
        self._minted = chat_id if new else None
        account = self._account

        def job(tx: Transaction) -> None:
            if new:
                _create_once(tx, chat_id, account)
            messages.commit(tx, chat_id, out.text, message_id=out.message_id)

        self._commit(job, chat_id, out, again=True)
        self._weigh()

    def _commit(
        self, job: Callable[[Transaction], None], chat_id: ChatId, out: Outgoing, *, again: bool
    ) -> None:
        def failed(error: BaseException) -> None:
            if isinstance(error, UnknownOutcome) and again:
                # It may be there or not. The same ids once more find it, or save it: never twice (I3).
                self._commit(job, chat_id, out, again=False)
            else:
                self._refused(chat_id, out, error)

        self._bridge.deliver(self._store.write(job), lambda _: self._saved(chat_id, out), failed)

    @Slot()
    def flush(self) -> None:
        """Hands the unsent text to the store as the chat's draft, now."""
        self._later.stop()
        if not self._dirty:
            return
        self._dirty = False
        kept = "".join(out.text for out in self._writing.kept)
        text = kept + self._writing.fresh if self._writing.leaving else self._writing.text
        self._keep_draft(self._chat_id or self._minted, text, new=self._chat_id is None)

    @Slot()
    def dismiss_error(self) -> None:
        """The person has read it."""
        self._set_error("")

    def _saved(self, chat_id: ChatId, out: Outgoing) -> None:
        if out in self._writing.leaving:
            self._writing, span = saved(self._writing, out)
            if span is not None:
                self.cut.emit(*span)
            self._set_error("")
            self._set_full(False)
            self._redraft()
        if self._chat_id is None and chat_id == self._minted:
            self._chat_id, self._minted = chat_id, None
            self.created.emit(chat_id)
        self.committed.emit()
        self._weigh()

    def _redraft(self) -> None:
        if self._writing.text:
            self._dirty = True
            self._later.start()

    def _refused(self, chat_id: ChatId, out: Outgoing, error: BaseException) -> None:
        if out in self._writing.leaving:
            self._writing = refused(self._writing, out)
            self._redraft()
        else:
            self._stranded[chat_id] = self._stranded.get(chat_id, "") + out.text
        self._not_kept(error)
        self._weigh()

    def _keep_draft(self, chat_id: ChatId | None, text: str, *, new: bool) -> None:
        def job(tx: Transaction) -> None:
            if chat_id is None or (new and not _exists(tx, chat_id)):
                settings.put(tx, NEW_CHAT_DRAFT, text)
            else:
                chats.save_draft(tx, chat_id, text)

        self._bridge.deliver(self._store.write(job), lambda _: None, self._not_kept)

    def _not_kept(self, error: BaseException) -> None:
        if isinstance(error, DiskFull):
            self._set_full(True)
            self._room.start()
        else:
            self._set_error(str(error))

    @Slot()
    def _probe(self) -> None:
        """Goes on where the full disk stopped: with the message if nobody touched it, else with the draft."""
        writing = self._writing
        if len(writing.kept) == 1 and not writing.leaving and writing.text == writing.front:
            self.send()
            return
        # A draft that is there already would write nothing, and so tell nothing of the disk.
        room = self._store.write(lambda tx: settings.put(tx, ROOM_KEY, str(uuid.uuid4())))
        self._bridge.deliver(room, lambda _: self._has_room(), self._not_kept)

    def _has_room(self) -> None:
        self._set_full(False)
        self._dirty = True
        self.flush()

    def _set_full(self, full: bool) -> None:
        if full != self._full:
            self._full = full
            self.fullChanged.emit()

    def _weigh(self) -> None:
        can_send = bool(self._writing.fresh.strip())
        if can_send != self._can_send:
            self._can_send = can_send
            self.canSendChanged.emit()

    def _set_error(self, error: str) -> None:
        if error != self._error:
            self._error = error
            self.errorChanged.emit()

    canSend: Any = Property(bool, lambda self: self._can_send, notify=canSendChanged)
    error: Any = Property(str, lambda self: self._error, notify=errorChanged)
    full: Any = Property(bool, lambda self: self._full, notify=fullChanged)
    text: Any = Property(str, lambda self: self._writing.text, constant=True)


def _exists(tx: Transaction, chat_id: ChatId) -> bool:
    try:
        chats.get(tx.db, chat_id)
    except UnknownChat:
        return False
    return True


def _create_once(tx: Transaction, chat_id: ChatId, account: AccountId) -> None:
    if not _exists(tx, chat_id):
        chats.create(tx, "", account_id=account, chat_id=chat_id)
    settings.put(tx, NEW_CHAT_DRAFT, "")
