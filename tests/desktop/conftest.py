"""A real window over a real store for each test; only the sync service is a stand-in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.engine import Loaded
from storage.store import Store
from tests.fakes import window_driver
from tests.fakes.service import FakeService


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
