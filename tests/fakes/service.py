"""A stand-in for the sync service: it answers at once, with what the test told it to, and writes what it should."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from storage import accounts, chats, messages
from storage.records import Account, ChatId, MessageId
from storage.store import Store
from sync.status import Phase, SyncStatus

T = TypeVar("T")

URL = "http://127.0.0.1:8787"


def settled(value: T) -> "Future[T]":
    future: Future[T] = Future()
    future.set_result(value)
    return future


class FakeService:
    """`refuse` makes the next request fail with that error; `calls` tells what was asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Callable[[SyncStatus], None]] = []
        self.status = SyncStatus(Phase.SIGNED_OUT)
        self.calls: list[tuple[str, ...]] = []
        self.refuse: Exception | None = None
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def subscribe(self, listener: Callable[[SyncStatus], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, status: SyncStatus) -> None:
        self.status = status
        for listener in self._listeners:
            listener(status)

    def sign_in(self, url: str, key: str, email: str, password: str, *, adopt: bool) -> "Future[Account]":
        return self._enter("sign_in", url, key, email, password)

    def sign_up(self, url: str, key: str, email: str, password: str, *, adopt: bool) -> "Future[Account]":
        return self._enter("sign_up", url, key, email, password)

    def sign_out(self) -> "Future[None]":
        self.calls.append(("sign_out",))
        future = self._store.write(lambda tx: accounts.activate(tx, None))
        self.publish(SyncStatus(Phase.SIGNED_OUT))
        return future

    def adopt(self) -> "Future[int]":
        self.calls.append(("adopt",))
        account = self._store.read(accounts.active)
        assert account is not None
        return self._store.write(lambda tx: chats.adopt(tx, account.account_id))

    def sync_now(self) -> None:
        self.calls.append(("sync_now",))

    def retry(self, chat_id: ChatId, message_id: MessageId) -> "Future[None]":
        self.calls.append(("retry", message_id))

        def job(tx: object) -> None:
            messages.retry(tx, chat_id, message_id)  # type: ignore[arg-type]  # the store hands its Transaction

        return self._store.write(job)

    def _enter(self, call: str, url: str, key: str, email: str, password: str) -> "Future[Account]":
        self.calls.append((call, url, key, email, password))
        if self.refuse is not None:
            failed: Future[Account] = Future()
            failed.set_exception(self.refuse)
            self.refuse = None
            return failed
        account = Account(accounts.account_id_for(url, "u-1"), url, key, email, "u-1", signed_in=True)

        def job(tx: object) -> Account:
            accounts.remember(tx, account)  # type: ignore[arg-type]
            accounts.activate(tx, account.account_id)  # type: ignore[arg-type]
            return account

        future = self._store.write(job)
        self.publish(SyncStatus(Phase.SYNCED, last_success_at="2026-11-21T08:00:00.000Z"))
        return future
