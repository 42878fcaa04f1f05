"""The person's wishes: the theme; and where their data is."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import Property, QObject, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QStyleHints

from desktop import __version__
from desktop.bridge import Bridge
from storage import settings
from storage.store import Store

THEME_KEY: Final = "window.theme"


class Theme(StrEnum):
    """Which colours the person wants."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


def wants_dark(theme: Theme, system: Qt.ColorScheme) -> bool:
    """Whether the window is dark; a system that does not say is light."""
    if theme is Theme.SYSTEM:
        return system == Qt.ColorScheme.Dark
    return theme is Theme.DARK


def theme_of(stored: str | None) -> Theme:
    """What was stored, or the default for nothing and for a word of another version."""
    return Theme(stored) if stored in set(Theme) else Theme.SYSTEM


class Preferences(QObject):
    """Keeps the theme in the store and follows the system's colour scheme."""

    themeChanged = Signal()
    darkChanged = Signal()
    noticeChanged = Signal()

    def __init__(
        self, store: Store, bridge: Bridge, hints: QStyleHints, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._bridge = bridge
        self._hints = hints
        self._notice = ""
        self._theme = theme_of(store.read(lambda db: settings.get(db, THEME_KEY)))
        self._ask_system()
        self._dark = wants_dark(self._theme, hints.colorScheme())
        hints.colorSchemeChanged.connect(self._weigh)

    @property
    def is_dark(self) -> bool:
        """Whether the window is dark now."""
        return self._dark

    @Slot(str)
    def choose_theme(self, name: str) -> None:
        """The person's choice, kept for the next start."""
        theme = theme_of(name)
        if theme is self._theme:
            return
        self._theme = theme
        self._bridge.deliver(
            self._store.write(lambda tx: settings.put(tx, THEME_KEY, theme.value)),
            lambda _: None,
            self._not_kept,
        )
        self._ask_system()
        self.themeChanged.emit()
        self._weigh()

    @Slot()
    def open_data_folder(self) -> None:
        """Shows the data's folder in the system's file browser."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._store.path.parent)))

    def _ask_system(self) -> None:
        """Window frames and native menus follow, where the platform can."""
        scheme = {Theme.LIGHT: Qt.ColorScheme.Light, Theme.DARK: Qt.ColorScheme.Dark}
        self._hints.setColorScheme(scheme.get(self._theme, Qt.ColorScheme.Unknown))

    @Slot()
    def _weigh(self) -> None:
        dark = wants_dark(self._theme, self._hints.colorScheme())
        if dark != self._dark:
            self._dark = dark
            self.darkChanged.emit()

    def _not_kept(self, error: BaseException) -> None:
        self._notice = str(error)
        self.noticeChanged.emit()

    theme: Any = Property(str, lambda self: self._theme.value, notify=themeChanged)
    dark: Any = Property(bool, lambda self: self._dark, notify=darkChanged)
    notice: Any = Property(str, lambda self: self._notice, notify=noticeChanged)
    version: Any = Property(str, lambda self: __version__, constant=True)
    folder: Any = Property(str, lambda self: str(Path(self._store.path).parent), constant=True)
