"""What the system says of the network: a hint for sync, which believes the server's answers."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QNetworkInformation


class Network(QObject):
    """Says nothing where the system does not: some have no such service, and then every look is the server's."""

    changed = Signal(bool)
    """Whether there may be a network now; a first word only when there is none."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._online = True

    def start(self) -> None:
        """Asks the system to tell; loads its plug-in, so after the first frame."""
        if QNetworkInformation.loadBackendByFeatures(QNetworkInformation.Feature.Reachability):
            information = QNetworkInformation.instance()
            information.reachabilityChanged.connect(self.hear)
            self.hear(information.reachability())

    @Slot("QNetworkInformation::Reachability")
    def hear(self, reachability: QNetworkInformation.Reachability) -> None:
        """Anything but a plain no is worth a try: a server may stand in the local network, or on this computer."""
        online = reachability is not QNetworkInformation.Reachability.Disconnected
        if online is not self._online:
            self._online = online
            self.changed.emit(online)
