"""The window's hold on sync: the service is loaded after the first frame, and asked before that it answers later."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from storage.records import Account, AccountId, ChatId, MessageId
from sync.status import Phase, SyncStatus

T = TypeVar("T")

LOAD_PATIENCE: Final = 5.0


class SyncPort(Protocol):
    """What the window needs of `sync.service.SyncService`."""

    def start(self) -> None: ...  # noqa: D102 the service documents them
    def stop(self) -> None: ...  # noqa: D102
    def sign_in(self, url: str, key: str, email: str, password: str, *, adopt: bool) -> Future[Account]: ...  # noqa: D102
    def sign_up(self, url: str, key: str, email: str, password: str, *, adopt: bool) -> Future[Account]: ...  # noqa: D102
    def sign_out(self, *, seal: bool = False) -> Future[None]: ...  # noqa: D102
    def switch(self, account_id: AccountId | None) -> Future[None]: ...  # noqa: D102
    def adopt(self, chat_ids: Sequence[ChatId] | None = None) -> Future[int]: ...  # noqa: D102
    def release(self, account_id: AccountId) -> Future[int]: ...  # noqa: D102
    def sync_now(self) -> None: ...  # noqa: D102
    def retry(self, chat_id: ChatId, message_id: MessageId) -> Future[None]: ...  # noqa: D102
    def retry_all(self) -> Future[int]: ...  # noqa: D102
    def want_history(self, chat_id: ChatId, before: int | None) -> None: ...  # noqa: D102
    def network_changed(self, online: bool) -> None: ...  # noqa: D102
    def subscribe(self, listener: Callable[[SyncStatus], None]) -> Callable[[], None]: ...  # noqa: D102
    @property
    def status(self) -> SyncStatus: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Loaded:
    """The service, and whether its logins end with this process because no keyring works here."""

    service: SyncPort
    in_memory: bool = False


class Engine(QObject):
    """Lives on the GUI thread and never waits for the service but in `stop`."""

    statusChanged = Signal(object)
    memoryOnly = Signal()
    """Logins are not kept: the person should know before signing in."""

    def __init__(
        self, make: Callable[[], Loaded], bridge: Bridge, status: SyncStatus, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._make = make
        self._bridge = bridge
        self._status = status
        self._service: SyncPort | None = None
        self._waiting: list[tuple[Callable[[SyncPort], None], Callable[[BaseException], None]]] = []
        self._broken: Exception | None = None
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> SyncStatus:
        """The service's last word; before it is loaded, what the store said."""
        return self._status

    def start(self) -> None:
        """Loads and starts the service on a thread of its own."""
        self._thread = threading.Thread(target=self._load, name="load-sync", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the service and waits for that; not for a loading that a keyring's question holds up."""
        if self._thread is not None:
            self._thread.join(LOAD_PATIENCE)
        if self._service is not None:
            self._service.stop()

    def ask(
        self,
        request: Callable[[SyncPort], Future[T]],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Asks the service, now or when it is loaded; the answer comes on the GUI thread."""
        self._when_loaded(lambda service: self._bridge.deliver(request(service), done, failed), failed)

    def tell(self, request: Callable[[SyncPort], None]) -> None:
        """Tells the service something that nobody waits for."""
        self._when_loaded(request, lambda _: None)

    def sync_now(self) -> None:
        """Asks for a round of sync."""
        self.tell(lambda service: service.sync_now())

    def _when_loaded(self, call: Callable[[SyncPort], None], failed: Callable[[BaseException], None]) -> None:
        if self._service is not None:
            call(self._service)
        elif self._broken is not None:
            failed(self._broken)
        else:
            self._waiting.append((call, failed))

    def _load(self) -> None:
        try:
            loaded = self._make()
            service = loaded.service
            service.subscribe(lambda status: self._bridge.post(lambda: self._told(status)))
            service.start()
        except Exception as error:  # noqa: BLE001 this is the job's runner: whatever fails is shown, the window lives on
            broken = error
            self._bridge.post(lambda: self._failed(broken))
            return
        self._service = service
        self._bridge.post(lambda: self._loaded(service, in_memory=loaded.in_memory))

    def _loaded(self, service: SyncPort, *, in_memory: bool) -> None:
        if in_memory:
            self.memoryOnly.emit()
        self._told(service.status)
        waiting, self._waiting = self._waiting, []
        for call, _ in waiting:
            call(service)

    def _failed(self, error: Exception) -> None:
        self._broken = error
        self._told(SyncStatus(Phase.ERROR, last_error=str(error) or type(error).__name__))
        waiting, self._waiting = self._waiting, []
        for _, failed in waiting:
            failed(error)

    def _told(self, status: SyncStatus) -> None:
        if status != self._status:
            self._status = status
            self.statusChanged.emit(status)
