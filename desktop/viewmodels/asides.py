"""What is set aside in the open chat: send it again as it is or edited, or delete it, asked once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from desktop.bridge import Bridge
from desktop.engine import Engine
from desktop.viewmodels.props import PropsObject, prop
from storage import aside, messages
from storage.content import plain_text
from storage.errors import InvalidMessage, StorageError
from storage.records import ChatId, MessageId, Part
from storage.store import Store, Transaction

NOTHING: Final = MessageId("")


@dataclass(frozen=True, slots=True)
class Props:
    """Which message is in the editor, and which one's deletion is asked about; empty for none."""

    editing: str = NOTHING
    removing: str = NOTHING
    busy: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """`texts` holds what was typed into an editor that another chat or a scrolled view has put away."""

    chat_id: ChatId | None = None
    props: Props = field(default_factory=Props)
    texts: Mapping[MessageId, str] = field(default_factory=dict)


def with_text(content: Sequence[Part], text: str) -> list[Part]:
    """The parts of a message with its text replaced; what is no text stays."""
    return [{"type": "text", "text": text}, *(part for part in content if part.get("type") != "text")]


class Asides(PropsObject[Props]):
    """One editor and one question at a time; all writes go by the store's writer."""

    editingChanged = Signal()
    removingChanged = Signal()
    busyChanged = Signal()
    errorChanged = Signal()
    settled = Signal()
    """An editor or a question is over: the focus goes back to the timeline."""
    failed = Signal(str)

    def __init__(self, store: Store, bridge: Bridge, engine: Engine, parent: QObject | None = None) -> None:
        super().__init__(Props(), parent)
        self._store = store
        self._bridge = bridge
        self._engine = engine
        self._inputs = Inputs()

    def show(self, chat_id: ChatId | None) -> None:
        """Turns to another chat; an open editor waits in the one it belongs to."""
        if chat_id != self._inputs.chat_id:
            self._inputs = replace(self._inputs, chat_id=chat_id)
            self._fold(removing=NOTHING, busy=False, error="")

    @Slot(str)
    def retry(self, message_id: str) -> None:
        """Sends it again as it is."""
        if (chat_id := self._inputs.chat_id) is not None:
            self._engine.ask(
                lambda service: service.retry(chat_id, MessageId(message_id)), lambda _: None, self._tell
            )

    @Slot(str)
    def edit(self, message_id: str) -> None:
        """Opens the editor in the message's place."""
        self._fold(editing=message_id, removing=NOTHING, error="")

    @Slot(str, result=str)
    def text_of(self, message_id: str) -> str:
        """What the editor starts with: what was typed before, else the message."""
        known = self._inputs.texts.get(MessageId(message_id))
        chat_id = self._inputs.chat_id
        if known is not None or chat_id is None:
            return known or ""
        try:
            message = self._store.read(lambda db: messages.get(db, chat_id, MessageId(message_id)))
        except StorageError as error:
            self._tell(error)
            return ""
        return plain_text(message.content) if message else ""

    @Slot(str, str)
    def typed(self, message_id: str, text: str) -> None:
        """Keeps what stands in the editor."""
        texts = {**self._inputs.texts, MessageId(message_id): text}
        self._inputs = replace(self._inputs, texts=texts)

    @Slot()
    def cancel(self) -> None:
        """The message stays as it was, set aside."""
        self._forget(MessageId(self.props.editing))
        self._fold(editing=NOTHING, removing=NOTHING, error="")
        self.settled.emit()

    @Slot(str)
    def resend(self, text: str) -> None:
        """Sends the edited text in the old place, as a new message: the old id may be known to the server."""
        chat_id, message_id = self._inputs.chat_id, MessageId(self.props.editing)
        if chat_id is None or not message_id or self.props.busy or not text.strip():
            return

        def job(tx: Transaction) -> None:
            message = messages.get(tx.db, chat_id, message_id)
            if message is None:
                raise InvalidMessage("This message is not here any more: copy the text into a new one")
            aside.resend(tx, chat_id, message_id, with_text(message.content, text))

        self._write(job, message_id)

    @Slot(str)
    def ask_discard(self, message_id: str) -> None:
        """Delete it? Asked once."""
        self._fold(removing=message_id, error="")

    @Slot()
    def discard(self) -> None:
        """Yes."""
        chat_id, message_id = self._inputs.chat_id, MessageId(self.props.removing)
        if chat_id is not None and message_id and not self.props.busy:
            self._write(lambda tx: aside.discard(tx, chat_id, message_id), message_id)

    def _write(self, job: Callable[[Transaction], object], message_id: MessageId) -> None:
        self._fold(busy=True, error="")
        self._bridge.deliver(self._store.write(job), lambda _: self._written(message_id), self._refused)

    def _written(self, message_id: MessageId) -> None:
        self._forget(message_id)
        self._fold(editing=NOTHING, removing=NOTHING, busy=False)
        self.settled.emit()

    def _refused(self, error: BaseException) -> None:
        self._fold(busy=False, error=str(error))
        if not self.props.editing:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        self.failed.emit(str(error))

    def _forget(self, message_id: MessageId) -> None:
        texts = {known: text for known, text in self._inputs.texts.items() if known != message_id}
        self._inputs = replace(self._inputs, texts=texts)

    def _fold(self, **moved: object) -> None:
        props = replace(self.props, **moved)  # type: ignore[arg-type]  # the fields of Props, by name
        self._inputs = replace(self._inputs, props=props)
        self._become(props)

    editing = prop(str, "editing", editingChanged)
    removing = prop(str, "removing", removingChanged)
    busy = prop(bool, "busy", busyChanged)
    error = prop(str, "error", errorChanged)
