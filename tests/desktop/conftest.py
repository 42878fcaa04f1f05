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
from PySide6.QtQuickControls2 import QQuickStyle
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.engine import Loaded
from storage.store import Store
from tests.fakes import window_driver
from tests.fakes.service import FakeService

QQuickStyle.setStyle("Basic")


class Driver(window_driver.Driver):
    """A window whose sync service is a stand-in."""

    def __init__(self, desktop: Desktop, service: FakeService, qtbot: QtBot) -> None:
        super().__init__(desktop, qtbot)
        self.service = service


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
