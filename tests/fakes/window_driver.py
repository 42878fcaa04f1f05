"""Drives a real window as a person does."""

from collections.abc import Callable, Iterator

from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtQuick import QQuickItem
from PySide6.QtQuickControls2 import QQuickStyle
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.viewmodels.message_rows import MessageRow

QQuickStyle.setStyle("Basic")


class Driver:
    """A window as a person meets it: found by object name, driven by keys and clicks."""

    def __init__(self, desktop: Desktop, qtbot: QtBot) -> None:
        self.desktop = desktop
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

    def activate(self) -> None:
        """Keys go where the person looks: to the active window."""
        if not self.window.isActive():
            self.window.requestActivate()
            self.until(self.window.isActive)

    def focus(self, name: str) -> None:
        self.activate()
        self.item(name).forceActiveFocus()

    def type(self, text: str) -> None:
        for character in text:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                event = QKeyEvent(kind, Qt.Key.Key_unknown, Qt.KeyboardModifier.NoModifier, character)
                QGuiApplication.sendEvent(self.window, event)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.window, key, modifier)

    def tab_to(self, name: str, most: int = 40) -> None:
        """By the Tab key alone."""
        for _ in range(most):
            if self.focused() == name:
                return
            self.press(Qt.Key.Key_Tab)
        raise AssertionError(f"Tab does not reach {name}, but {self.focused()}")

    def say(self, text: str) -> None:
        before = len(self.rows)
        self.type(text)
        self.press(Qt.Key.Key_Return)
        self.until(lambda: len(self.rows) == before + 1 and self.text == "")

    def click(self, name: str) -> None:
        self.activate()
        # Has everything laid out that still waits for a frame, or the middle would be where it no longer is.
        self.window.grabWindow()
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
