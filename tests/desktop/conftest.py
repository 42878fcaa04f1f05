"""Qt without a screen, chosen before Qt is imported; and a real window over a real store for each test."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_QUICK_BACKEND"] = "software"
os.environ["QML_DISABLE_DISK_CACHE"] = "1"
# A slot without @Slot changes its class's metaobject while QML may hold the old one.
os.environ["QT_LOGGING_RULES"] = "qt.qpa.*=false;qt.pyside.libpyside.warning=true"

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtQuick import QQuickItem
from PySide6.QtQuickControls2 import QQuickStyle
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.engine import Loaded
from desktop.viewmodels.timeline import MessageRow
from storage.store import Store
from tests.fakes.service import FakeService

QQuickStyle.setStyle("Basic")


class Driver:
    """A window as a person meets it: found by object name, driven by keys and clicks."""

    def __init__(self, desktop: Desktop, service: FakeService, qtbot: QtBot) -> None:
        self.desktop = desktop
        self.service = service
        self.window = desktop.window
        self.qtbot = qtbot

    def item(self, name: str) -> QQuickItem:
        """The visible item of that name, or the only one."""
        found = [item for item in self._descendants(self.window.contentItem()) if item.objectName() == name]
        shown = [item for item in found if item.isVisible()] or found
        assert shown, f"no item is named {name}"
        return shown[0]

    def shown(self, name: str) -> bool:
        return any(
            item.objectName() == name and item.isVisible()
            for item in self._descendants(self.window.contentItem())
        )

    def _descendants(self, item: QQuickItem) -> Iterator[QQuickItem]:
        for child in item.childItems():
            yield child
            yield from self._descendants(child)

    def object(self, name: str) -> QObject:
        found = self.window.findChild(QObject, name)
        assert isinstance(found, QObject), f"no object is named {name}"
        return found

    def type(self, text: str) -> None:
        for character in text:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                event = QKeyEvent(kind, Qt.Key.Key_unknown, Qt.KeyboardModifier.NoModifier, character)
                QGuiApplication.sendEvent(self.window, event)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.window, key, modifier)

    def click(self, name: str) -> None:
        item = self.item(name)
        middle = item.mapToScene(item.boundingRect().center())
        QTest.mouseClick(
            self.window,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            QPoint(int(middle.x()), int(middle.y())),
        )

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=5000)

    @property
    def text(self) -> str:
        return str(self.item("composer").property("text"))

    @property
    def rows(self) -> list[MessageRow]:
        return list(self.desktop.parts.timeline.rows)

    def focused(self) -> str:
        item: QQuickItem | None = self.window.activeFocusItem()
        return item.objectName() if item is not None else ""


OpenWindow = Callable[[], Driver]


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    return tmp_path / "profiles" / "default" / "homing.sqlite3"


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    opened = Store.open(store_file)
    yield opened
    opened.close()


@pytest.fixture
def open_window(store_file: Path, qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens windows one after the other on one data directory; the last is closed by the fixture."""
    opened: list[Desktop] = []

    def close() -> None:
        while opened:
            opened.pop().close()

    def open_one() -> Driver:
        close()
        store = Store.open(store_file)
        service = FakeService(store)
        desktop = Desktop(store, lambda: Loaded(service))
        opened.append(desktop)
        qtbot.waitExposed(desktop.window)
        desktop.start()
        driver = Driver(desktop, service, qtbot)
        desktop.window.requestActivate()
        driver.until(lambda: service.running and driver.focused() == "composer")
        return driver

    yield open_one
    close()


@pytest.fixture
def driver(open_window: OpenWindow) -> Driver:
    return open_window()
