"""The first light as a person sees it: two real windows, the real sync service, a real `homing serve`."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.engine import Loaded
from storage.store import Store
from sync.login.vault import SessionStoreKind
from sync.service import SyncService
from tests.fakes.folders import open_folder
from tests.fakes.window_driver import Driver
from tests.flows.homing_process import PASSWORD, Server, serving

OpenDevice = Callable[[str], Driver]


@pytest.fixture
def open_device(tmp_path: Path, qtbot: QtBot) -> Iterator[OpenDevice]:
    """Open the window of a device of that name, with everything real behind it."""
    opened: list[Desktop] = []

    def open_one(name: str) -> Driver:
        folder = tmp_path / name
        store = Store.open(folder / "homing.sqlite3")
        service = SyncService(store, folder, session_store=SessionStoreKind.FILE)
        desktop = Desktop(store, lambda: Loaded(service))
        opened.append(desktop)
        qtbot.waitExposed(desktop.window)
        desktop.start()
        return Driver(desktop, qtbot)

    yield open_one
    for desktop in opened:
        desktop.close()


def _say(window: Driver, text: str) -> None:
    window.focus("composer")
    before = len(window.rows)
    window.type(text)
    window.press(Qt.Key.Key_Return)
    window.until(lambda: len(window.rows) > before and window.text == "")


def _enter(window: Driver, server: Server, email: str, button: str) -> None:
    window.click("accountButton")
    dialog = window.window.findChild(QObject, "accountDialog")
    assert dialog is not None
    window.until(lambda: bool(dialog.property("opened")))
    for field, text in (
        ("serverField", server.url),
        ("keyField", server.key),
        ("emailField", email),
        ("passwordField", PASSWORD),
    ):
        window.focus(field)
        window.type(text)
    window.click(button)


def _said(window: Driver) -> list[str]:
    return [row.plain for row in reversed(window.rows)]


def _all_synced(window: Driver, count: int) -> bool:
    return len(window.rows) == count and {row.badge for row in window.rows} == {"synced"}


def test_twenty_messages_typed_offline_into_two_windows_become_one_history(open_device: OpenDevice) -> None:
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    with open_folder() as folder:
        laptop, desktop = open_device("laptop"), open_device("desktop")
        _say(laptop, "Written before there was an account")
        assert [row.badge for row in laptop.rows] == ["pending"]

        with serving(folder) as server:
            port = int(server.url.rpartition(":")[2])
            _enter(laptop, server, email, "signUpButton")
            laptop.until(lambda: laptop.shown("adoptButton"))
            laptop.click("adoptButton")
            laptop.until(lambda: _all_synced(laptop, 1))
            _enter(desktop, server, email, "signInButton")
            desktop.until(lambda: len(desktop.desktop.parts.chats.rows) == 1)
            desktop.desktop.view_model.open(desktop.desktop.parts.chats.rows[0].chat_id)
            desktop.until(lambda: _all_synced(desktop, 1))

        for number in range(10):
            _say(laptop, f"laptop {number}")
            _say(desktop, f"desktop {number}")
        assert [row.badge for row in laptop.rows].count("pending") == 10

        with serving(folder, port=port):
            for window in (laptop, desktop):
                window.desktop.engine.sync_now()
            laptop.until(lambda: _all_synced(laptop, 21))
            desktop.until(lambda: _all_synced(desktop, 21))

    assert _said(laptop) == _said(desktop)
    assert len(set(_said(laptop))) == 21
    for author in ("laptop", "desktop"):
        assert [text for text in _said(laptop) if text.startswith(author)] == [
            f"{author} {n}" for n in range(10)
        ]


def test_a_message_appears_in_the_other_window_by_itself(open_device: OpenDevice, server: Server) -> None:
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    laptop, desktop = open_device("laptop"), open_device("desktop")
    _say(laptop, "First")
    _enter(laptop, server, email, "signUpButton")
    laptop.until(lambda: laptop.shown("adoptButton"))
    laptop.click("adoptButton")
    _enter(desktop, server, email, "signInButton")
    desktop.until(lambda: len(desktop.desktop.parts.chats.rows) == 1)
    desktop.desktop.view_model.open(desktop.desktop.parts.chats.rows[0].chat_id)
    desktop.until(lambda: _all_synced(desktop, 1))

    _say(desktop, "Second, from here")
    laptop.until(lambda: _said(laptop) == ["First", "Second, from here"])
    laptop.until(lambda: _all_synced(laptop, 2))


def test_a_wrong_password_is_said_in_the_dialog_and_nothing_is_lost(
    open_device: OpenDevice, server: Server
) -> None:
    laptop = open_device("laptop")
    _say(laptop, "Kept")
    _enter(laptop, server, "nobody@example.org", "signInButton")
    laptop.until(lambda: laptop.shown("accountError"))
    assert "password" in laptop.item("accountError").property("text")
    assert _said(laptop) == ["Kept"]
