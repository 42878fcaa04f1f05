"""The window's one view model: which chat is open, and what a commit anywhere means for each part."""

from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import Property, QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication, QTextBlockFormat, QTextCursor
from PySide6.QtQuick import QQuickTextDocument

from desktop.bridge import Bridge
from desktop.changes import Changes
from desktop.engine import Engine
from desktop.links import host_of, safe_url
from desktop.viewmodels import words
from desktop.viewmodels.account import AccountDialog
from desktop.viewmodels.asides import Asides
from desktop.viewmodels.chat_list import ChatList, title_of
from desktop.viewmodels.choice import Choice
from desktop.viewmodels.composer import NEW_CHAT_DRAFT, Composer
from desktop.viewmodels.preferences import Preferences
from desktop.viewmodels.status_words import Action
from desktop.viewmodels.sync_status import SyncStatusLine
from desktop.viewmodels.timeline import Timeline
from storage import chats, settings
from storage.errors import StorageError, UnknownChat
from storage.records import LOCAL_ACCOUNT, Chat, ChatId, MessageId, Touched
from storage.store import Store
from sync.status import SyncStatus

OPEN_CHAT: Final = "window.chat"
LINE_HEIGHT: Final = 130
ASIDE: Final = frozenset({"rejected", "conflict"})


@dataclass(frozen=True, slots=True)
class Parts:
    """The view models that the window shows, made by the composition root."""

    chats: ChatList
    timeline: Timeline
    composer: Composer
    asides: Asides
    choice: Choice
    sync: SyncStatusLine
    account: AccountDialog
    preferences: Preferences


class Window(QObject):
    """Opens chats and passes on what changed; each part refreshes itself."""

    currentChatIdChanged = Signal()
    titleChanged = Signal()
    noticeChanged = Signal()
    asideShown = Signal(int)
    """The message in this row is set aside: the view goes there."""
    raised = Signal()
    """A second start asks for this window."""

    def __init__(
        self,
        store: Store,
        bridge: Bridge,
        changes: Changes,
        engine: Engine,
        parts: Parts,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._bridge = bridge
        self._engine = engine
        self._parts = parts
        self._chat: Chat | None = None
        self._title = ""
        self._notice = ""
        changes.touched.connect(self._refresh)
        engine.statusChanged.connect(self._use_status)
        engine.memoryOnly.connect(parts.account.use_memory)
        parts.account.accountChanged.connect(self._use_account)
        parts.composer.created.connect(self._created)
        parts.composer.committed.connect(parts.timeline.jump_to_newest)
        parts.timeline.wanted.connect(self._want)
        for part in (parts.chats, parts.timeline, parts.asides, parts.choice):
            part.failed.connect(self.tell)
        self._use_account()
        self._use_status(engine.status)
        self._show(self._read_chat(self._stored_chat()))

    @Slot(str)
    def open(self, chat_id: str) -> None:
        """Turns to a chat."""
        if chat_id and chat_id != self.current_chat_id:
            self._show(self._read_chat(chat_id))
            self._remember()

    @Slot()
    def new_chat(self) -> None:
        """Turns to a chat that its first message will create."""
        if self._chat is not None:
            self._show(None)
            self._remember()

    @Slot(str)
    def copy(self, text: str) -> None:
        """Puts text on the clipboard."""
        QGuiApplication.clipboard().setText(text)

    @Slot(QQuickTextDocument)
    def air(self, text: QQuickTextDocument) -> None:
        """Gives plain text the line height of rendered prose, which QML's own properties cannot."""
        cursor = QTextCursor(text.textDocument())
        cursor.select(QTextCursor.SelectionType.Document)
        airy = QTextBlockFormat()
        airy.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.mergeBlockFormat(airy)

    @Slot(str)
    def act(self, name: str) -> None:
        """What a person can do about the state of sync, by the name of its button."""
        match Action(name):
            case Action.SYNC_NOW:
                self._engine.sync_now()
            case Action.RETRY_ALL:
                self._engine.ask(
                    lambda service: service.retry_all(), lambda _: None, lambda error: self.tell(str(error))
                )
            case Action.SHOW_ASIDE:
                self.show_aside()
            case Action.SIGN_IN | Action.KEEP_CHATS:
                pass  # the account dialog's

    @Slot()
    def show_aside(self) -> None:
        """Turns to the next chat that holds something set aside, and to its newest message of that kind."""
        self._parts.chats.find_aside(self.current_chat_id, self._show_aside)

    def _show_aside(self, chat_id: str) -> None:
        self.open(chat_id)
        self._parts.timeline.jump_to_newest()
        if (row := self._parts.timeline.row_of(ASIDE)) >= 0:
            self.asideShown.emit(row)

    @Slot(str)
    def compare(self, message_id: str) -> None:
        """Shows both texts of a message."""
        if self._chat is not None:
            self._parts.choice.compare(self._chat.chat_id, MessageId(message_id))

    @Slot(str)
    def follow(self, href: str) -> None:
        """Opens a link outside, when it may leave the window."""
        url = safe_url(href)
        if url is None:
            self.tell(words.tr("This link is not opened: only web and mail addresses are."))
        else:
            QDesktopServices.openUrl(QUrl(url))

    @Slot(str, result=str)
    def link_hint(self, href: str) -> str:
        """Where a link leads, before it is followed."""
        url = safe_url(href)
        return host_of(url) if url else ""

    @Slot(str)
    def tell(self, notice: str) -> None:
        """One line above the composer; an empty one takes it away."""
        if notice != self._notice:
            self._notice = notice
            self.noticeChanged.emit()

    @property
    def current_chat_id(self) -> str:
        """The open chat's id, empty for one that is not written yet."""
        return self._chat.chat_id if self._chat else ""

    def _show(self, chat: Chat | None) -> None:
        self._chat = chat
        self._parts.composer.show(chat.chat_id if chat else None, chat.draft if chat else self._new_draft())
        self._parts.asides.show(chat.chat_id if chat else None)
        self._parts.timeline.show(chat.chat_id if chat else None)
        self.tell("")
        self.currentChatIdChanged.emit()
        self._retitle()

    @Slot(str)
    def _created(self, chat_id: str) -> None:
        """The chat exists now; its text field is already the right one."""
        self._chat = self._read_chat(chat_id)
        self._parts.asides.show(ChatId(chat_id))
        self._parts.timeline.show(ChatId(chat_id))
        self.currentChatIdChanged.emit()
        self._retitle()
        self._remember()

    @Slot(object)
    def _refresh(self, touched: Touched | str) -> None:
        """What a commit touched, or EVERYTHING."""
        news = touched if isinstance(touched, Touched) else None
        if news is None or news.accounts:
            self._parts.account.refresh()
        if news is None or news.chats | news.messages:
            self._parts.chats.refresh()
        if self._chat is None or not (news is None or self._chat.chat_id in news.chats | news.messages):
            return
        self._chat = self._read_chat(self._chat.chat_id)
        self._retitle()
        if self._chat is None:
            self._show(None)
        elif news is None or self._chat.chat_id in news.messages:
            self._parts.timeline.refresh()

    @Slot()
    def _use_account(self) -> None:
        account = self._parts.account.account
        owner = account.account_id if account else None
        self._parts.chats.use_account(owner)
        self._parts.composer.use_account(owner)
        self._parts.sync.use_account(signed_in=account is not None)
        if self._chat is not None and self._chat.account_id not in {owner, LOCAL_ACCOUNT}:
            self.new_chat()

    @Slot(object)
    def _use_status(self, status: SyncStatus) -> None:
        self._parts.account.use_status(status)
        self._parts.timeline.use_phase(status.phase)

    @Slot(str, object)
    def _want(self, chat_id: str, before: int) -> None:
        self._engine.tell(lambda service: service.want_history(ChatId(chat_id), before))

    def _retitle(self) -> None:
        title = title_of(self._chat) if self._chat else words.tr("New chat")
        if title != self._title:
            self._title = title
            self.titleChanged.emit()

    def _read_chat(self, chat_id: str) -> Chat | None:
        if not chat_id:
            return None
        try:
            chat = self._store.read(lambda db: chats.get(db, ChatId(chat_id)))
        except UnknownChat:
            return None
        except StorageError as error:
            self.tell(str(error))
            return self._chat
        account = self._parts.account.account
        visible = {LOCAL_ACCOUNT, account.account_id if account else LOCAL_ACCOUNT}
        # A chat deleted on another device stays open to its owner while words in it were never sent.
        gone = chat.deleted and not (chat.pending or chat.rejected)
        return chat if chat.account_id in visible and not gone else None

    def _stored_chat(self) -> str:
        return self._read_setting(OPEN_CHAT)

    def _new_draft(self) -> str:
        return self._read_setting(NEW_CHAT_DRAFT)

    def _read_setting(self, key: str) -> str:
        try:
            return self._store.read(lambda db: settings.get(db, key)) or ""
        except StorageError:
            return ""

    def _remember(self) -> None:
        chat_id = self.current_chat_id
        future = self._store.write(lambda tx: settings.put(tx, OPEN_CHAT, chat_id))
        self._bridge.deliver(future, lambda _: None, lambda error: self.tell(str(error)))

    currentChatId: Any = Property(str, lambda self: self.current_chat_id, notify=currentChatIdChanged)
    title: Any = Property(str, lambda self: self._title, notify=titleChanged)
    notice: Any = Property(str, lambda self: self._notice, notify=noticeChanged)
    chats: Any = Property(QObject, lambda self: self._parts.chats, constant=True)
    timeline: Any = Property(QObject, lambda self: self._parts.timeline, constant=True)
    composer: Any = Property(QObject, lambda self: self._parts.composer, constant=True)
    asides: Any = Property(QObject, lambda self: self._parts.asides, constant=True)
    choice: Any = Property(QObject, lambda self: self._parts.choice, constant=True)
    sync: Any = Property(QObject, lambda self: self._parts.sync, constant=True)
    account: Any = Property(QObject, lambda self: self._parts.account, constant=True)
    preferences: Any = Property(QObject, lambda self: self._parts.preferences, constant=True)
