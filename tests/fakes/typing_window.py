"""Real windows that type by themselves and print what they show as saved, until somebody kills them.

Each is a process of its own, forked from one that has imported everything: so a start costs what a window costs.
"""

import os
import sys
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtTest import QTest

import sync.service
import sync.wire.auth
import sync.wire.realtime
import sync.wire.remote  # noqa: F401 imported for the children
from desktop.app import Desktop, application, load_service
from storage.paths import profile_dir, store_path
from storage.store import Store


class Typist:
    """Types a numbered message whenever the last one is in the timeline."""

    def __init__(self, desktop: Desktop, start: int) -> None:
        self._desktop = desktop
        self._number = start
        self._typed = ""
        self._told = {row.plain for row in desktop.parts.timeline.rows}

    def step(self) -> None:
        """Tell what is newly shown as saved, and type on."""
        for row in self._desktop.parts.timeline.rows:
            if row.badge in {"pending", "synced"} and row.plain not in self._told:
                self._told.add(row.plain)
                print(row.plain, flush=True)  # noqa: T201 the parent reads it
        if not self._ready():
            return
        self._number += 1
        self._typed = f"typed {self._number}"
        for character in self._typed:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                event = QKeyEvent(kind, Qt.Key.Key_unknown, Qt.KeyboardModifier.NoModifier, character)
                QGuiApplication.sendEvent(self._desktop.window, event)
        QTest.keyClick(self._desktop.window, Qt.Key.Key_Return)

    def _ready(self) -> bool:
        focused = self._desktop.window.property("activeFocusItem")
        if focused is None or focused.objectName() != "composer":
            self._desktop.window.requestActivate()
            return False
        # A draft that the last life left behind stands before what this one typed.
        return not self._typed or any(text.endswith(self._typed) for text in self._told)


def live(data_dir: Path, start: int) -> None:
    """Open the window of a data directory and let the typist work."""
    app = application([])
    store = Store.open(store_path(data_dir, "default"))
    desktop = Desktop(store, lambda: load_service(store, profile_dir(data_dir, "default")))
    desktop.start()
    typist = Typist(desktop, start)
    timer = QTimer()
    timer.timeout.connect(typist.step)
    QTimer.singleShot(0, lambda: timer.start(1))
    app.exec()


def main(data_dir: Path) -> None:
    """One window a line of stdin, which says from where to count. The window's first line is its process id."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)  # noqa: T201 the parent reads it
            live(data_dir, int(line))
            os._exit(1)
        os.waitpid(child, 0)
        print("dead", flush=True)  # noqa: T201 the parent reads it


if __name__ == "__main__":
    main(Path(sys.argv[1]))
