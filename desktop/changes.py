"""What the store's commits touched, told on the GUI thread, at most once in a few frames."""

from datetime import date
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from desktop.bridge import Bridge
from storage.records import Touched
from storage.store import Store

GAP_MS: Final = 30
"""Two refreshes are at least this far apart while a sync writes batch after batch; the first comes at once."""

FOREIGN_POLL_MS: Final = 1000
"""How soon a message that the command line wrote shows in the window."""

EVERYTHING: Final = "everything"


class Changes(QObject):
    """`touched` carries a `Touched`, or EVERYTHING when another process wrote or a new day began."""

    touched = Signal(object)

    def __init__(self, store: Store, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._held: Touched | None = None
        self._day = date.today()  # noqa: DTZ011 the person's day, as their clock has it
        self._gap = QTimer(self, interval=GAP_MS, singleShot=True)
        self._gap.timeout.connect(self._flush)
        self._poll = QTimer(self, interval=FOREIGN_POLL_MS)
        self._poll.timeout.connect(self._look)
        self._unsubscribe = store.subscribe(lambda touched: bridge.post(lambda: self._collect(touched)))

    def watch(self) -> None:
        """Starts to look for commits of other processes."""
        self._store.foreign_changes()
        self._poll.start()

    def close(self) -> None:
        """Hears nothing any more."""
        self._poll.stop()
        self._gap.stop()
        self._unsubscribe()

    def _collect(self, touched: Touched) -> None:
        self._held = touched if self._held is None else _joined(self._held, touched)
        if not self._gap.isActive():
            self._flush()

    @Slot()
    def _flush(self) -> None:
        if self._held is None:
            return
        held, self._held = self._held, None
        self._gap.start()
        self.touched.emit(held)

    @Slot()
    def _look(self) -> None:
        day, self._day = self._day, date.today()  # noqa: DTZ011
        if self._store.foreign_changes() or day != self._day:
            self.touched.emit(EVERYTHING)


def _joined(a: Touched, b: Touched) -> Touched:
    return Touched(
        a.chats | b.chats, a.messages | b.messages, a.accounts or b.accounts, a.projects or b.projects
    )
