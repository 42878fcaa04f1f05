"""One window a profile: a second start asks the first one to come forward."""

import hashlib
from pathlib import Path
from typing import Final

from PySide6.QtCore import QLockFile, QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

RAISE: Final = b"raise\n"
ANSWER: Final = b"raised\n"
WAIT_MS: Final = 2000


def server_name(profile_dir: Path) -> str:
    """The local socket's name: the profile's, short enough for every system."""
    return "homing-" + hashlib.sha256(str(profile_dir.resolve()).encode()).hexdigest()[:24]


class Instance(QObject):
    """The lock says who is first; the socket lets the second speak to it."""

    raiseAsked = Signal()

    def __init__(self, profile_dir: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = server_name(profile_dir)
        self._lock = QLockFile(str(profile_dir / "window.lock"))
        self._lock.setStaleLockTime(0)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)

    def is_first(self) -> bool:
        """Whether this process owns the window. False: the first window has been asked to come forward.

        A first one that does not answer is taken for dead or stuck; the store bears two windows.
        """
        if not self._lock.tryLock(0) and self._raise_first():
            return False
        if not self._server.listen(self._name):
            QLocalServer.removeServer(self._name)
            self._server.listen(self._name)
        return True

    def close(self) -> None:
        """Lets the next start be the first."""
        self._server.close()
        self._lock.unlock()

    def _raise_first(self) -> bool:
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(WAIT_MS):
            return False
        socket.write(RAISE)
        socket.flush()
        return socket.waitForReadyRead(WAIT_MS) and bytes(socket.readAll().data()) == ANSWER

    @Slot()
    def _answer(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(lambda socket=socket: self._heard(socket))
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._heard(socket)

    def _heard(self, socket: QLocalSocket) -> None:
        if bytes(socket.readAll().data()) == RAISE:
            socket.write(ANSWER)
            socket.flush()
            self.raiseAsked.emit()
