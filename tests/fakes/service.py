"""A stand-in for the sync service: it answers at once, with what the test told it to, and writes what it should."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from storage import accounts, adoption, aside, releasing
from storage.records import Account, AccountId, ChatId, MessageId
from storage.standing import unsynced
from storage.store import Store, Transaction
from sync.errors import UnsentMessages
from sync.status import Phase, SyncStatus

URL = "http://127.0.0.1:8787"


def refused(error: Exception) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_exception(error)
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

    def sign_out(self, *, seal: bool = False) -> "Future[None]":
        self.calls.append(("sign_out", "seal" if seal else ""))
        account = self._active()
        pending = self._store.read(lambda db: unsynced.counts(db, [account])).pending
        if pending and not seal:
            return refused(UnsentMessages(pending))

        def job(tx: Transaction) -> None:
            accounts.mark_signed_out(tx, account)
            accounts.activate(tx, None)

        future = self._store.write(job)
        self.publish(SyncStatus(Phase.SIGNED_OUT))
        return future

    def switch(self, account_id: AccountId | None) -> "Future[None]":
        self.calls.append(("switch", account_id or ""))
        return self._store.write(lambda tx: accounts.activate(tx, account_id))

    def adopt(self, chat_ids: Sequence[ChatId] | None = None) -> "Future[int]":
        self.calls.append(("adopt", *(chat_ids or ())))
        account = self._active()
        return self._store.write(lambda tx: adoption.adopt(tx, account, chat_ids))

    def release(self, account_id: AccountId) -> "Future[int]":
        self.calls.append(("release", account_id))
        future = self._store.write(lambda tx: releasing.release(tx, account_id))
        self.publish(SyncStatus(Phase.SIGNED_OUT))
        return future

    def sync_now(self) -> None:
        self.calls.append(("sync_now",))

    def retry(self, chat_id: ChatId, message_id: MessageId) -> "Future[None]":
        self.calls.append(("retry", message_id))

        def job(tx: Transaction) -> None:
            aside.retry(tx, chat_id, message_id)

        return self._store.write(job)

    def retry_all(self) -> "Future[int]":
        self.calls.append(("retry_all",))
        account = self._active()
        return self._store.write(lambda tx: aside.retry_all(tx, [account]))

    def want_history(self, chat_id: ChatId, before: int | None) -> None:
        self.calls.append(("want_history", chat_id, str(before)))

    def network_changed(self, online: bool) -> None:
        self.calls.append(("network_changed", str(online)))

    def _active(self) -> AccountId:
        account = self._store.read(accounts.active)
        assert account is not None
        return account.account_id

    def _enter(self, call: str, url: str, key: str, email: str, password: str) -> "Future[Account]":
        self.calls.append((call, url, key, email, password))
        if self.refuse is not None:
            error, self.refuse = self.refuse, None
            return refused(error)
        user = "u-" + email
        account = Account(accounts.account_id_for(url, user), url, key, email, user, signed_in=True)

        def job(tx: Transaction) -> Account:
            accounts.remember(tx, account)
            accounts.activate(tx, account.account_id)
            return account

        future = self._store.write(job)
        self.publish(SyncStatus(Phase.SYNCED, last_success_at="2026-11-21T08:00:00.000Z"))
        return future
