"""A disk that is full or fails, as a person at the window meets it: the words stay, and nothing is there twice."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from desktop.viewmodels import composer
from storage.errors import DiskFull, UnknownOutcome
from storage.store import Store
from storage.transaction import Transaction
from tests.desktop.conftest import Driver, OpenWindow

Job = Callable[[Transaction], Any]
Write = Callable[[Store, Job], "Future[Any]"]


class Disk:
    """Stands before the store's writer; what its `error` is, every write meets, after the commit or instead of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.committed = False
        self.once = False
        real = Store.write

        def write(store: Store, job: Job, *lane: Any) -> "Future[Any]":
            error = self.error
            if error is None:
                return real(store, job, *lane)
            if self.committed:
                real(store, job, *lane).result()
            if self.once:
                self.error = None
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed

        monkeypatch.setattr(Store, "write", write)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(composer, "ROOM_MS", 20)
    return Disk(monkeypatch)


FULL = DiskFull("The disk is full: free some space.")
UNKNOWN = UnknownOutcome("The disk failed while saving: check whether it is there, then try again")


def send(driver: Driver, text: str) -> None:
    driver.type(text)
    driver.desktop.parts.composer.send()


def test_on_a_full_disk_the_text_stays_and_goes_out_when_there_is_room(
    disk: Disk, open_window: OpenWindow
) -> None:
    driver = open_window()
    disk.error = FULL
    send(driver, "kept")
    driver.until(lambda: driver.shown("diskFullNotice"))
    assert (driver.text, driver.rows) == ("kept", [])
    assert not driver.shown("composerError")
    disk.error = None
    driver.until(lambda: [row.plain for row in driver.rows] == ["kept"] and driver.text == "")
    driver.until(lambda: not driver.shown("diskFullNotice"))


def test_what_was_edited_since_is_a_draft_and_not_sent(disk: Disk, open_window: OpenWindow) -> None:
    driver = open_window()
    disk.error = FULL
    send(driver, "kept")
    driver.until(lambda: driver.shown("diskFullNotice"))
    driver.type(", and more")
    disk.error = None
    driver.until(lambda: not driver.shown("diskFullNotice"))
    assert (driver.text, driver.rows) == ("kept, and more", [])
    assert open_window().text == "kept, and more"


@pytest.mark.parametrize("committed", [False, True])
def test_an_unknown_outcome_is_read_again_and_never_doubled(
    disk: Disk, open_window: OpenWindow, committed: bool
) -> None:
    driver = open_window()
    disk.error, disk.committed, disk.once = UNKNOWN, committed, True
    send(driver, "once")
    driver.until(lambda: [row.plain for row in driver.rows] == ["once"] and driver.text == "")
    assert not driver.shown("composerError")
    assert [row.plain for row in open_window().rows] == ["once"]


def test_a_disk_that_keeps_failing_keeps_the_text_with_one_line(disk: Disk, open_window: OpenWindow) -> None:
    driver = open_window()
    disk.error, disk.committed = UNKNOWN, True
    send(driver, "once")
    driver.until(lambda: driver.shown("composerError"))
    assert driver.text == "once"
    disk.error = None
    driver.desktop.parts.composer.send()
    driver.until(lambda: driver.text == "")
    driver.until(lambda: [row.plain for row in driver.rows] == ["once"])
