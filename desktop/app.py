"""The composition root: makes every part once, hands it over by constructor, and runs the window."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

import shiboken6
from PySide6.QtCore import QObject, QSize, QSocketNotifier, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QIcon, QWindow
from PySide6.QtQuick import QQuickWindow
from PySide6.QtQuickControls2 import QQuickStyle

from desktop import __version__, rendering
from desktop.assets import resources
from desktop.bridge import Bridge
from desktop.changes import Changes
from desktop.engine import Engine, Loaded
from desktop.instance import Instance
from desktop.network import Network
from desktop.scene import load
from desktop.viewmodels.account import AccountDialog
from desktop.viewmodels.asides import Asides
from desktop.viewmodels.chat_list import ChatList
from desktop.viewmodels.choice import Choice
from desktop.viewmodels.composer import Composer
from desktop.viewmodels.preferences import Preferences
from desktop.viewmodels.sync_status import SyncStatusLine
from desktop.viewmodels.timeline import Timeline
from desktop.viewmodels.window import Parts, Window
from storage import accounts, settings
from storage.errors import StorageError
from storage.paths import profile_dir, store_path
from storage.records import LOCAL_ACCOUNT
from storage.standing import unsynced
from storage.store import Store
from sync.status import Phase, SyncStatus

TRACE: Final = "HOMING_TRACE_START"
SIZE_KEY: Final = "window.size"


def local_now() -> datetime:
    """This computer's clock, with its zone."""
    return datetime.now().astimezone()


def first_status(store: Store) -> SyncStatus:
    """What the status line says before the engine has spoken."""
    account = store.read(accounts.active)
    if account is None:
        counts = store.read(lambda db: unsynced.counts(db, [LOCAL_ACCOUNT]))
        return SyncStatus(Phase.SIGNED_OUT, counts.pending, counts.rejected, counts.oldest_pending_at)
    counts = store.read(lambda db: unsynced.counts(db, [account.account_id]))
    facts = store.read(lambda db: accounts.sync_facts(db, account.account_id))
    phase = Phase.SYNCING if account.signed_in else Phase.NEEDS_SIGN_IN
    return SyncStatus(
        phase,
        counts.pending,
        counts.rejected,
        counts.oldest_pending_at,
        facts.last_success_at,
        facts.last_error,
        counts.conflicts,
    )


class Desktop:
    """The window and all that lives behind it, over an open store."""

    def __init__(
        self, store: Store, make_service: Callable[[], Loaded], now: Callable[[], datetime] = local_now
    ) -> None:
        self.store = store
        self.bridge = Bridge()
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read")
        self.engine = Engine(make_service, self.bridge, first_status(store))
        self.changes = Changes(store, self.bridge)
        account = AccountDialog(store, self.engine)
        self.parts = Parts(
            chats=ChatList(store, self.bridge, self._readers, now),
            timeline=Timeline(store, now),
            composer=Composer(store, self.bridge),
            asides=Asides(store, self.bridge, self.engine),
            choice=Choice(store, self.bridge, now),
            sync=SyncStatusLine(self.engine, signed_in=account.account is not None),
            account=account,
            preferences=Preferences(store, self.bridge, QGuiApplication.styleHints()),
        )
        self.network = Network()
        self.network.changed.connect(self._use_network)
        self.view_model = Window(store, self.bridge, self.changes, self.engine, self.parts)
        self.qml, self.window = load(
            "Main", self.view_model, dark=self.parts.preferences.is_dark, size=size_of(store)
        )

    def _keep_size(self) -> None:
        if self.window.visibility() == QWindow.Visibility.Windowed:
            size = f"{self.window.width()}x{self.window.height()}"
            self.store.write(lambda tx: settings.put(tx, SIZE_KEY, size))

    def start(self) -> None:
        """All that the first frame does not need: the engine, the Markdown parser, other processes, the network."""
        self.engine.start()
        self.changes.watch()
        self.network.start()
        threading.Thread(target=self._warm, name="warm", daemon=True).start()

    def _use_network(self, online: bool) -> None:
        self.engine.tell(lambda service: service.network_changed(online))

    def _warm(self) -> None:
        rendering.warm()
        self.bridge.post(self.parts.timeline.use_rich_text)

    def close(self) -> None:
        """Ends in the order that loses nothing: the draft, the engine, the writer."""
        self.parts.composer.flush()
        self._keep_size()
        self.window.hide()
        self.engine.stop()
        self.changes.close()
        self._readers.shutdown()
        self.store.close()
        self.bridge.close()
        # Before the view models that its bindings read.
        shiboken6.delete(self.qml)


def run_window(data_dir: Path, profile: str, argv: list[str]) -> int:
    """Opens the window and stays until it is closed. 0, or 1 when the store cannot be opened."""
    began = time.perf_counter()
    app = application(argv)
    folder = profile_dir(data_dir, profile)
    store = _open_store(store_path(data_dir, profile))
    if store is None:
        return 1
    instance = Instance(folder)
    if not instance.is_first():
        store.close()
        return 0
    desktop = Desktop(store, lambda: load_service(store, folder))
    instance.raiseAsked.connect(desktop.view_model.raised)
    once_painted(desktop.window, lambda: _first_frame(desktop, began))
    app.lastWindowClosed.connect(app.quit)
    with_signals = Signals(app.quit)
    try:
        return app.exec()
    finally:
        with_signals.close()
        instance.close()
        desktop.close()


def application(argv: list[str]) -> QGuiApplication:
    """The process's one Qt application, named and styled."""
    QQuickStyle.setStyle("Basic")
    QQuickWindow.setTextRenderType(QQuickWindow.TextRenderType.NativeTextRendering)
    app = QGuiApplication(["homing", *argv])
    app.setApplicationName("Homing")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("homing")
    app.setQuitOnLastWindowClosed(False)
    app.setWindowIcon(QIcon(str(resources() / "icons" / "homing.svg")))
    return app


def size_of(store: Store) -> QSize | None:
    """The window's size when it was last closed, None for the first time."""
    width, _, height = (store.read(lambda db: settings.get(db, SIZE_KEY)) or "").partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        return None
    return QSize(int(width), int(height)).boundedTo(QGuiApplication.primaryScreen().availableSize())


def load_service(store: Store, folder: Path) -> Loaded:
    """The real service, imported late and off the GUI thread: its libraries cost more than the first frame."""
    from sync.login.vault import SessionStoreKind, chosen_kind, kind_in_force
    from sync.service import SyncService

    kind = kind_in_force(folder, chosen_kind())
    return Loaded(SyncService(store, folder, session_store=kind), in_memory=kind is SessionStoreKind.MEMORY)


def once_painted(window: QQuickWindow, call: Callable[[], None]) -> None:
    """Calls once, on the GUI thread, after the window's first frame is on its way to the screen."""
    waiting = [call]

    def painted() -> None:
        # The render thread may have swapped a second frame before the first one is heard of here.
        if waiting:
            QTimer.singleShot(0, waiting.pop())

    window.frameSwapped.connect(painted, Qt.ConnectionType.QueuedConnection)


def _first_frame(desktop: Desktop, began: float) -> None:
    if os.environ.get(TRACE):
        figures = {
            "event": "first-frame",
            "ms": round((time.perf_counter() - began) * 1000, 1),
            "process_ms": round((time.time() - _process_began()) * 1000, 1),
            "at": time.time(),
        }
        print(json.dumps(figures), file=sys.stderr, flush=True)  # noqa: T201 benchmarks read it
    desktop.start()


def _process_began() -> float:
    """When this process was started, in Unix seconds; 0 where the system does not tell."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.time() - (uptime - ticks / os.sysconf("SC_CLK_TCK"))


def _open_store(path: Path) -> Store | None:
    from desktop.problem import wants_retry

    while True:
        try:
            return Store.open(path)
        except StorageError as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201 for whoever started it from a terminal
            if not wants_retry(error, path):
                return None


class Signals(QObject):
    """SIGINT and SIGTERM as a call on the GUI thread: Python's own handlers do not run while Qt waits."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._notifier = QSocketNotifier(self._read.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._woken)
        self._old_fd = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._old = {
            number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def close(self) -> None:
        """Puts back what was there."""
        signal.set_wakeup_fd(self._old_fd)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._notifier.setEnabled(False)
        self._read.close()
        self._write.close()

    @Slot()
    def _woken(self) -> None:
        self._read.recv(64)
        self._call()
