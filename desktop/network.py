"""What the system says of the network, and the computer's sleep: hints for sync, which believes the server's answers."""

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QNetworkInformation

LEAP: Final = 15.0
"""Seconds by which the wall clock and the steady one may part between two looks before it counts as sleep."""


class Network(QObject):
    """Says nothing where the system does not: some have no such service, and then every look is the server's."""

    changed = Signal(bool)
    """Whether there may be a network now."""
    woke = Signal()
    """The computer slept, or its clock was set: what was timed may be late."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._looked = steady()
        self._online: bool | None = None

    def start(self) -> None:
        """Asks the system to tell; loads its plug-in, so after the first frame."""
        if not QNetworkInformation.loadBackendByFeatures(QNetworkInformation.Feature.Reachability):
            return
        information = QNetworkInformation.instance()
        information.reachabilityChanged.connect(self._heard)
        self._heard(information.reachability())

    @Slot()
    def look(self) -> None:
        """Compares the clocks. Called by a timer that runs anyway, so that idling wakes nothing more."""
        steady = self._steady()
        offset = self._wall() - steady
        leapt = abs(offset - self._offset) > LEAP or steady - self._looked > LEAP
        self._offset, self._looked = offset, steady
        if leapt:
            self.woke.emit()

    @Slot("QNetworkInformation::Reachability")
    def _heard(self, reachability: QNetworkInformation.Reachability) -> None:
        online = reachability is not QNetworkInformation.Reachability.Disconnected
        before, self._online = self._online, online
        if before is not online and not (before is None and online):
            self.changed.emit(online)
