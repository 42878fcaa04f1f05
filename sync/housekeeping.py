"""What the service does on the asyncio thread: follow the store, enter and leave accounts, answer for rounds."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, TypeVar

from storage import accounts, chats, outbox
from storage.errors import StorageError
from storage.records import LOCAL_ACCOUNT, Account, AccountId
from storage.store import Lane, Reader, Store, Transaction
from sync import rounds
from sync.backend import Backend
from sync.connections import ActiveConnections
from sync.engine.interface import Event, LocalCommitted, SignedIn, SignedOut, SyncRequested
from sync.engine_lock import EngineLock
from sync.errors import SignInAgain, SyncError
from sync.login import signing
from sync.login.session import Session, SessionKeeper
from sync.runner import Runner
from sync.status import Phase, SyncStatus
from sync.watching import Sight, look, sight

WATCH_INTERVAL: Final = 1.0
FAREWELL: Final = 3.0
"""Seconds that signing out spends on sending what is pending, and again on revoking the login at the server."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Housekeeping:
    """All coroutines run on the runner's loop; `finish` is called there too."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        lock: EngineLock,
        publish: Callable[[SyncStatus], None],
        *,
        realtime: bool,
    ) -> None:
        self._store = store
        self._backend = backend
        self._lock = lock
        self._publish = publish
        self._shown: SyncStatus | None = None
        self.connections = ActiveConnections(backend, realtime=realtime, post=self._post)
        self._runner: Runner | None = None
        self._switching = asyncio.Lock()
        self._ready = asyncio.Event()
        self._answering: asyncio.Task[None] | None = None
        self._tickets = count(1)
        self._waiting: dict[int, asyncio.Future[str | None]] = {}

    def finish(self, ticket: int, error: str | None) -> None:
        """The engine is done with a round."""
        future = self._waiting.pop(ticket, None)
        if future is not None and not future.done():
            future.set_result(error)

    async def live(self, runner: Runner) -> None:
        """Watches the store from start to stop; whatever fails is tried again a second later."""
        self._runner = runner
        holder = False
        while True:
            try:
                begins = not holder and self._lock.take()
                if begins:
                    await self._resume()
                await self._look(first=begins or not self._ready.is_set())
                holder = holder or begins
            except StorageError as error:
                _log.warning("The store does not answer: %s", error)
            except Exception as error:  # noqa: BLE001 - the job runner: a bug must not end the watch
                _log.error("Watching the store failed with %s", type(error).__name__)
            await asyncio.sleep(WATCH_INTERVAL)

    async def _resume(self) -> None:
        """A sign-in that was cut short after its session was durable comes to its end."""
        # Under the lock: a sign-in that is under way just now is not one that was cut short.
        async with self._switching:
            account = await self._blocking(lambda: self._store.read(signing.intended))
            if account is None:
                return
            with suppress(SyncError):
                session = await (await self.connections.keeper(account)).session()
                await self._write(signing.complete if session else signing.abandon)

    async def _look(self, *, first: bool) -> None:
        # Under the lock: what was seen before a sign-in came to its end would undo it.
        async with self._switching:
            seen = await self._blocking(lambda: self._store.read(sight) if first else look(self._store))
            if seen is None:
                return
            if not self._lock.held:
                await self._show_from_store(seen)
            elif first or seen.account != self.connections.account:
                await self._enter(seen.account)
            else:
                self._post(LocalCommitted())
        self._ready.set()
        idle = self._answering is None or self._answering.done()
        if self._lock.held and seen.asked > seen.answered and idle:
            self._answering = asyncio.create_task(self._answer(seen.asked))

    async def _answer(self, number: int) -> None:
        error = await self.round()
        await self._write(lambda tx: rounds.answer(tx, number, error))

    async def _show_from_store(self, seen: Sight) -> None:
        """Somebody else holds the engine: the figures are all that is known here."""
        account_id = seen.account.account_id if seen.account else LOCAL_ACCOUNT
        status = await self._blocking(lambda: self._store.read(lambda db: _status(db, account_id)))
        if status != self._shown:
            self._shown = status
            self._publish(status)

    async def _enter(self, account: Account | None) -> None:
        await self.connections.enter(account)
        self._post(SignedIn(account.account_id) if account else SignedOut())

    async def round(self) -> str | None:
        """Push and pull until nothing is left; why it fell short."""
        await self._ready.wait()
        ticket = next(self._tickets)
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        self._post(SyncRequested(ticket))
        return await self._waiting[ticket]

    async def sign_in(
        self, url: str, key: str, email: str, password: str, *, adopt: bool, new: bool
    ) -> Account:
        """Session first, then the account and its chats in one transaction; a crash between resumes at the start."""
        ask = self._backend.sign_up if new else self._backend.sign_in
        url = self._backend.clean_url(url)
        await asyncio.to_thread(self._backend.open_sessions)
        session = await ask(url, key, email, password)
        account = _account(url, key, session)
        async with self._switching:
            await self._write(lambda tx: signing.intend(tx, account, adopt=adopt))
            keeper = await self.connections.keeper(account)
            await keeper.keep(session)
            await self._write(signing.complete)
            if self._lock.held:
                await self._enter(account)
        return account

    async def sign_out(self) -> None:
        """Send what can be sent, revoke the login, erase its tokens, and seal the account's data."""
        account = await self._blocking(lambda: self._store.read(accounts.active))
        if account is None:
            return
        if self._lock.held:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self.round()
        async with self._switching:
            keeper = await self.connections.keeper(account)
            await self._revoke(account, await _stored(keeper))
            if self._lock.held:
                await self._enter(None)
            await keeper.forget()
            await self._write(lambda tx: signing.leave(tx, account))

    async def _revoke(self, account: Account, session: Session | None) -> None:
        """Best effort: a server that cannot be reached lets the token run out by itself."""
        if session is not None:
            with suppress(SyncError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._backend.sign_out(account, session.access_token)

    async def adopt(self) -> int:
        """Move the signed-out chats into the active account; the engine starts afresh, its cursor may have moved."""
        async with self._switching:
            account = await self._blocking(lambda: self._store.read(accounts.active))
            if account is None:
                raise SignInAgain("Nobody is signed in; sign in first.")
            moved = await self._write(lambda tx: chats.adopt(tx, account.account_id))
            if self._lock.held:
                await self._enter(account)
            return moved

    def _post(self, event: Event) -> None:
        if self._runner is not None:
            self._runner.post(event)

    async def _blocking(self, work: Callable[[], T]) -> T:
        assert self._runner is not None
        return await self._runner.blocking(work)

    async def _write(self, job: Callable[[Transaction], T]) -> T:
        return await asyncio.wrap_future(self._store.write(job, Lane.PERSON))


async def _stored(keeper: SessionKeeper) -> Session | None:
    try:
        return await keeper.session()
    except SignInAgain:
        return None


def _account(url: str, key: str, session: Session) -> Account:
    account_id = accounts.account_id_for(url, session.user_id)
    return Account(account_id, url, key.strip(), session.email, session.user_id, signed_in=True)


def _status(db: Reader, account_id: AccountId) -> SyncStatus:
    counts = outbox.counts(db, [account_id])
    facts = accounts.sync_facts(db, account_id)
    phase = Phase.PENDING if counts.pending else Phase.SYNCED
    return SyncStatus(
        Phase.SIGNED_OUT if account_id == LOCAL_ACCOUNT else phase,
        counts.pending,
        counts.rejected,
        counts.oldest_pending_at,
        facts.last_success_at,
        facts.last_error,
    )
