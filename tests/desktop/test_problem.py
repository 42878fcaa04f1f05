"""A store that does not open: what the small window says, and the ways out of damage."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtQuick import QQuickItem, QQuickWindow
from pytestqt.qtbot import QtBot

from desktop.problem import title_of, wants_retry
from storage import chats, messages
from storage.content import plain_text
from storage.errors import NewerSchema, StoreCorrupt, StoreLocked
from storage.file import backups
from storage.records import LOCAL_ACCOUNT
from storage.store import Store, Transaction


class Person:
    """Clicks one button after the other, each as soon as it can be clicked."""

    def __init__(self, *buttons: str) -> None:
        self._buttons = list(buttons)
        self.read: list[str] = []
        self._timer = QTimer(interval=5)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        named = (each for each in QGuiApplication.topLevelWindows() if each.objectName() == "storeProblem")
        window = next(named, None)
        if not isinstance(window, QQuickWindow):
            return
        items = {item.objectName(): item for item in _items(window.contentItem())}
        button = items.get(self._buttons[0])
        if button is None or not (button.isVisible() and button.isEnabled()):
            return
        del self._buttons[0]
        if not self._buttons:
            self._timer.stop()
        self.read.append(str(items["problemText"].property("text")))
        button.click()  # type: ignore[attr-defined]  # a QML button


def _items(item: QQuickItem) -> Iterator[QQuickItem]:
    for child in item.childItems():
        yield child
        yield from _items(child)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A store of one chat with a backup of its first message, whose first page is gone."""
    path = tmp_path / "homing.sqlite3"
    store = Store.open(path)

    def first(tx: Transaction) -> str:
        chat = chats.create(tx, "Diary")
        messages.commit(tx, chat.chat_id, "first")
        return chat.chat_id

    chat_id = store.write(first).result()
    backups.make(path, datetime.now(UTC))
    store.write(lambda tx: messages.commit(tx, chat_id, "second")).result()  # type: ignore[arg-type]
    store.close()
    with path.open("r+b") as file:
        file.write(b"\0" * 4096)
    return path


def said(path: Path) -> set[str]:
    store = Store.open(path)
    try:
        (chat, *_) = store.read(lambda db: chats.list_chats(db, [LOCAL_ACCOUNT]))
        page = store.read(lambda db: messages.page(db, chat.chat_id))
        return {plain_text(message.content) for message in page.messages}
    finally:
        store.close()


@pytest.mark.parametrize("way", ["rescueButton", "backup0"])
def test_damage_has_two_ways_out_and_neither_loses_a_message(qtbot: QtBot, damaged: Path, way: str) -> None:
    with pytest.raises(StoreCorrupt) as caught:
        Store.open(damaged)
    person = Person(way, "tryAgainButton")
    assert wants_retry(caught.value, damaged)
    assert "was moved, not deleted" in person.read[-1]
    assert said(damaged) == {"first", "second"}
    assert len(list(damaged.parent.glob("*damaged*")) + list(damaged.parent.glob("*replaced*"))) >= 1


@pytest.mark.parametrize(("button", "again"), [("tryAgainButton", True), ("quitButton", False)])
def test_a_store_that_does_not_open_says_why_and_offers_a_way_on(
    tmp_path: Path, qtbot: QtBot, button: str, again: bool
) -> None:
    error = StoreLocked("Another program uses the store: close it and try again.")
    person = Person(button)
    assert wants_retry(error, tmp_path / "homing.sqlite3") is again
    assert person.read == [str(error)]


@pytest.mark.parametrize("error", [StoreLocked, StoreCorrupt, NewerSchema])
def test_each_problem_has_a_heading_of_its_own(error: type[StoreLocked]) -> None:
    assert title_of(error("x")) != "Your chats cannot be opened"
