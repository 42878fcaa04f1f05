"""The one object of sync that the window and the command line hold: sign in and out, sync, and watch the status."""

import logging
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from storage import accounts, aside
from storage.records import Account, AccountId, ChatId, MessageId, ProjectId, Touched
from storage.store import Store, Transaction
from sync import fetching, rounds
from sync.admissions import Admissions
from sync.backend import Backend, SupabaseBackend
from sync.engine.interface import HistoryWanted, LocalCommitted
from sync.engine.machine import Engine
from sync.engine_lock import EngineLock
from sync.housekeeping import Housekeeping
from sync.login.vault import SessionStoreKind
from sync.rounds import SyncReport
from sync.runner import Runner
from sync.status import Phase, SyncStatus

if TYPE_CHECKING:
    from concurrent.futures import Future

    from storage.snapshots import Snapshot

__all__ = ["SessionStoreKind", "SyncReport", "SyncService"]

HOLDER_PATIENCE: Final = 60.0

_log = logging.getLogger(__name__)


class SyncService:
    """Thread-safe. One process of a profile holds the engine; the others work through the store.

    Futures raise SyncError or StorageError, one line for people. Listeners are called on the asyncio thread.
    """

    def __init__(
        self,
        store: Store,
        profile_dir: Path,
        *,
        session_store: SessionStoreKind,
        realtime: bool = True,
        backend: Backend | None = None,
    ) -> None:
        self._store = store
        self._lock = EngineLock(profile_dir)
        self._backend = backend or SupabaseBackend(profile_dir, session_store)
        self._house = Housekeeping(store, self._backend, self._lock, self._publish, realtime=realtime)
        self._admissions = Admissions(self._house, self._backend)
        self._runner = Runner(
            store,
            self._house.connections,
            lambda: Engine(random.random),
            on_status=self._publish,
            on_finish=self._house.finish,
        )
        self._status = SyncStatus(Phase.SIGNED_OUT)
        self._listeners: list[Callable[[SyncStatus], None]] = []
        self._listening = threading.Lock()
        self._unsubscribe: Callable[[], None] = lambda: None

    @property
    def status(self) -> SyncStatus:
        """The last one published."""
        return self._status

    @property
    def holds_engine(self) -> bool:
        """Whether this process syncs the profile, rather than another one."""
        return self._lock.held

    def subscribe(self, listener: Callable[[SyncStatus], None]) -> Callable[[], None]:
        """Call `listener` with every new status. Returns the unsubscriber."""
        with self._listening:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._listening, suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def start(self) -> None:
        """Take the engine if it is free, and go on with the active account. Quick; touches no network."""
        self._lock.take()
        self._unsubscribe = self._store.subscribe(self._hear_commit)
        self._runner.start()
        self._runner.submit(self._house.live(self._runner, self._admissions.resume))

    def stop(self) -> None:
        """End within about two seconds, whatever the network does. What is pending stays pending."""
        self._unsubscribe()
        self._runner.stop()
        self._lock.release()

    def sign_in(self, url: str, key: str, email: str, password: str, *, adopt: bool) -> "Future[Account]":
        """Sign in and make the account the active one; `adopt` moves the signed-out chats into it."""
        return self._runner.submit(
            self._admissions.sign_in(url, key, email, password, adopt=adopt, new=False)
        )

    def sign_up(self, url: str, key: str, email: str, password: str, *, adopt: bool) -> "Future[Account]":
        """Make a new login, and go on as `sign_in`."""
        return self._runner.submit(self._admissions.sign_in(url, key, email, password, adopt=adopt, new=True))

    def switch(self, account_id: AccountId | None) -> "Future[None]":
        """Go on with another account of this computer, or with none; the one so far stays signed in.

        One whose session is over becomes the active one too, and needs a sign-in.
        """
        return self._runner.submit(self._admissions.switch(account_id))

    def sign_out(self, *, seal: bool = False) -> "Future[None]":
        """Send what waits in a few seconds, revoke the login, erase its tokens. All data stays.

        UnsentMessages, and nothing is changed, when messages are left; with `seal` they stay here, closed, until the
        account signs in again.
        """
        return self._runner.submit(self._admissions.sign_out(seal=seal))

    def adopt(self, chat_ids: Sequence[ChatId] | None = None) -> "Future[int]":
        """Move signed-out chats, all or these, into the active account. How many there were."""
        return self._runner.submit(self._admissions.adopt(chat_ids))

    def release(self, account_id: AccountId) -> "Future[int]":
        """Make the chats of an account that is gone from its server signed-out ones. How many there were."""
        return self._runner.submit(self._admissions.release(account_id))

    def network_changed(self, online: bool) -> None:
        """The computer's network came, went, or became another one. From any thread."""
        self._runner.submit(_on_the_loop(lambda: self._house.network_changed(online=online)))

    def woke(self) -> None:
        """The system says that the computer was asleep; a sleep is noticed without it, within a second."""
        self._runner.submit(_on_the_loop(self._house.woke))

    def want_history(self, chat_id: ChatId, before: int | None) -> None:
        """Somebody looks at messages that are not here yet: below a number, or the newest ones."""
        self._runner.post(HistoryWanted(chat_id, before))

    def fetch_snapshot(self, project_id: ProjectId) -> "Future[Snapshot]":
        """Get the files of a project that the server has; they are kept unless others wait here to be saved."""
        return self._runner.submit(fetching.snapshot(self._house, self._backend, project_id))

    def sync_now(self) -> None:
        """Ask for a round at once; nobody waits for it."""
        if self._lock.held:
            self._runner.submit(self._house.round())
        else:
            self._store.write(rounds.ask)

    def retry(self, chat_id: ChatId, message_id: MessageId) -> "Future[None]":
        """Send a message again that was set aside."""

        def job(tx: Transaction) -> None:
            aside.retry(tx, chat_id, message_id)

        return self._store.write(job)

    def retry_all(self) -> "Future[int]":
        """Send everything again that was set aside, but for what a person has to choose. How many things."""
        return self._store.write(lambda tx: aside.retry_all(tx, accounts.shown(tx.db)))

    def run_until_quiet(self, timeout: float | None = None) -> SyncReport:
        """Push and pull until nothing is left, here or in the process that holds the engine. Blocks.

        The report's `error` says why the round fell short. Raises StorageError.
        """
        before = self._store.read(rounds.standing)
        if self._lock.held:
            late = "Sync did not come to its end in time; what is left goes on next time."
            error = self._wait(self._house.round(), timeout, late)
        else:
            late = "The other Homing of this profile does not answer; close it and try again."
            patience = HOLDER_PATIENCE if timeout is None else timeout
            error = self._wait(self._house.round_elsewhere(), patience, late)
        return rounds.report(before, self._store.read(rounds.standing), error)

    def _wait(
        self, round_: "Coroutine[Any, Any, str | None]", timeout: float | None, late: str
    ) -> str | None:
        future = self._runner.submit(round_)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            return late

    def _hear_commit(self, touched: Touched) -> None:
        if touched.chats or touched.messages:
            self._runner.post(LocalCommitted())

    def _publish(self, status: SyncStatus) -> None:
        self._status = status
        with self._listening:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(status)
            except Exception as error:  # noqa: BLE001 - a listener's bug must not end sync
                _log.error("A listener of the sync status failed with %s", type(error).__name__)


async def _on_the_loop(work: Callable[[], None]) -> None:
    work()
