"""The small window for a store that cannot be opened: one sentence, and a way on."""

from pathlib import Path
from typing import Any, Final

import shiboken6
from PySide6.QtCore import Property, QEventLoop, QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication

from desktop.scene import load
from desktop.viewmodels.words import tr
from storage.errors import DiskFull, NewerSchema, StorageError, StoreCorrupt, StoreLocked, StoreReadOnly

_TITLES: Final[dict[type[StorageError], str]] = {
    DiskFull: "The disk is full",
    StoreLocked: "Another program is using your chats",
    StoreCorrupt: "Your chats cannot be read",
    StoreReadOnly: "Your chats cannot be written",
    NewerSchema: "A newer Homing wrote your chats",
}


def title_of(error: StorageError) -> str:
    """The heading for an error."""
    return tr(_TITLES.get(type(error), "Your chats cannot be opened"))


class StoreProblem(QObject):
    """What the window says, and what the person chose."""

    def __init__(self, error: StorageError, folder: Path, loop: QEventLoop) -> None:
        super().__init__()
        self._error = error
        self._folder = folder
        self._loop = loop

    @Slot()
    def retry(self) -> None:
        """Perhaps it opens now."""
        self._loop.exit(1)

    @Slot()
    def quit(self) -> None:
        """Another day."""
        self._loop.exit(0)

    @Slot()
    def open_folder(self) -> None:
        """Shows where the file lies."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))

    title: Any = Property(str, lambda self: title_of(self._error), constant=True)
    message: Any = Property(str, lambda self: str(self._error), constant=True)


def wants_retry(error: StorageError, folder: Path) -> bool:
    """Shows the problem and waits: True when the person wants another try."""
    loop = QEventLoop()
    problem = StoreProblem(error, folder, loop)
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    engine, window = load("StoreProblem", problem, dark=dark)
    window.visibleChanged.connect(lambda shown: None if shown else loop.exit(0))
    again = loop.exec() == 1
    shiboken6.delete(engine)
    return again
