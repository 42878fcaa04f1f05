"""The small window for a store that cannot be opened: one sentence, and ways on, for a damaged one out of the damage."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import shiboken6
from PySide6.QtCore import Property, QEventLoop, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication

from desktop.bridge import Bridge
from desktop.scene import load
from desktop.viewmodels import words
from desktop.viewmodels.props import PropsObject, prop
from desktop.viewmodels.words import plural, tr
from storage.errors import DiskFull, NewerSchema, StorageError, StoreCorrupt, StoreLocked, StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.rescue.salvage import Rescue

_TITLES: Final[dict[type[StorageError], str]] = {
    DiskFull: "The disk is full",
    StoreLocked: "Another program is using your chats",
    StoreCorrupt: "The file of your chats is damaged",
    StoreReadOnly: "Your chats cannot be written",
    NewerSchema: "A newer Homing wrote your chats",
}


def title_of(error: StorageError) -> str:
    """The heading for an error."""
    return tr(_TITLES.get(type(error), "Your chats cannot be opened"))


def outcome_of(rescue: "Rescue") -> str:
    """What a rescue kept, for a person."""
    carried = rescue.carried
    kept = plural(
        carried.unsent,
        "1 message that was only here is kept.",
        "%n messages that were only here are kept.",
    )
    touched = plural(
        carried.touched,
        "1 of them was damaged and is set aside for you to look at.",
        "%n of them were damaged and are set aside for you to look at.",
    )
    rest = tr("What your account holds comes again from the server. The old file was moved, not deleted: %1")
    said = [kept if carried.unsent else "", touched if carried.touched else ""]
    return " ".join([*filter(None, said), rest.replace("%1", rescue.aside.name)])


@dataclass(frozen=True, slots=True)
class Props:
    """What the window says. A backup is its path and when it was made."""

    title: str
    message: str
    can_rescue: bool = False
    backups: tuple[dict[str, str], ...] = ()
    busy: bool = False
    error: str = ""
    done: bool = False


class StoreProblem(PropsObject[Props]):
    """What the window says, and what the person chose."""

    titleChanged = Signal()
    messageChanged = Signal()
    canRescueChanged = Signal()
    backupsChanged = Signal()
    busyChanged = Signal()
    errorChanged = Signal()
    doneChanged = Signal()

    def __init__(self, error: StorageError, store: Path, loop: QEventLoop) -> None:
        damaged = isinstance(error, StoreCorrupt)
        super().__init__(Props(title_of(error), str(error), damaged, _backups(store) if damaged else ()))
        self._store = store
        self._loop = loop
        self._bridge = Bridge(self)
        self._worker = ThreadPoolExecutor(1, "rescue")

    def close(self) -> None:
        """Waits for a rescue that is under way: half of one would be another problem."""
        self._worker.shutdown()
        self._bridge.close()

    @Slot()
    def rescue(self) -> None:
        """Moves the damaged file aside and keeps all of it that can be read."""
        from storage.rescue import salvage

        self._run(lambda: salvage.rescue(self._store, datetime.now(UTC)))

    @Slot(str)
    def restore(self, backup: str) -> None:
        """Puts a backup in its place; what is only in the damaged file is kept too."""
        from storage.rescue import salvage

        self._run(lambda: salvage.restore(self._store, Path(backup), datetime.now(UTC)))

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
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._store.parent)))

    def _run(self, work: "Callable[[], Rescue]") -> None:
        if self.props.busy:
            return
        self._show(busy=True, error="")
        self._bridge.deliver(self._worker.submit(work), self._rescued, self._failed)

    def _rescued(self, rescue: "Rescue") -> None:
        self._show(
            title=tr("Your chats are back"),
            message=outcome_of(rescue),
            can_rescue=False,
            backups=(),
            busy=False,
            done=True,
        )

    def _failed(self, error: BaseException) -> None:
        self._show(busy=False, error=str(error) or tr("That did not work. Try again."))

    def _show(self, **moved: Any) -> None:  # noqa: ANN401 the fields of Props, by name
        self._become(replace(self.props, **moved))

    title = prop(str, "title", titleChanged)
    message = prop(str, "message", messageChanged)
    canRescue = prop(bool, "can_rescue", canRescueChanged)
    busy = prop(bool, "busy", busyChanged)
    error = prop(str, "error", errorChanged)
    done = prop(bool, "done", doneChanged)
    backups: Any = Property(list, lambda self: list(self.props.backups), notify=backupsChanged)


def _backups(store: Path) -> tuple[dict[str, str], ...]:
    from storage.file.backups import list_backups

    today = datetime.now().astimezone().date()
    return tuple(
        {"path": str(backup.path), "when": words.moment(words.local(backup.made_at), today)}
        for backup in list_backups(store)
    )


def wants_retry(error: StorageError, store: Path) -> bool:
    """Shows the problem and waits: True when the store is to be opened again."""
    loop = QEventLoop()
    problem = StoreProblem(error, store, loop)
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    engine, window = load("StoreProblem", problem, dark=dark)
    window.visibleChanged.connect(lambda shown: None if shown else loop.exit(0))
    again = loop.exec() == 1
    problem.close()
    shiboken6.delete(engine)
    return again
