"""What the service does on the asyncio thread: follow the store and the clocks, keep backups, answer for rounds."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from itertools import count
from typing import Any, Final, TypeVar

from storage import accounts
from storage.errors import StorageError
from storage.records import Account
from storage.store import Lane, Reader, Store, Transaction
from sync import rounds
from sync.backend import Backend
from sync.connections import ActiveConnections
from sync.engine.interface import (
    Event,
    LocalCommitted,
    NetworkChanged,
    SignedIn,
    SignedOut,
    SyncRequested,
    Woke,
)
from sync.engine_lock import EngineLock
from sync.errors import AccountGone, SignInAgain
from sync.runner import Runner
from sync.standing import status_of
from sync.status import SyncStatus
from sync.waking import Leaps
from sync.watching import Sight, sight

WATCH_INTERVAL: Final = 1.0
ANSWER_INTERVAL: Final = 0.05

FIRST_BACKUP: Final = 30.0
BACKUP_INTERVAL: Final = 3600.0
"""Seconds after the start, and between two times of asking for what is due."""

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
        self._lock = lock
        self._publish = publish
        self._shown: SyncStatus | None = None
        self.connections = ActiveConnections(
            backend, realtime=realtime, post=self.post, on_refused=self._on_refused
        )
        self.entering = asyncio.Lock()
        """Held by whoever changes which account is active, or acts on which one is."""
        self._runner: Runner | None = None
        self._ready = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: asyncio.Task[None] | None = None
        self._tickets = count(1)
        self._waiting: dict[int, asyncio.Future[str | None]] = {}

    @property
    def syncs(self) -> bool:
        """Whether this process holds the engine."""
        return self._lock.held

    def finish(self, ticket: int, error: str | None) -> None:
        """The engine is done with a round."""
        future = self._waiting.pop(ticket, None)
        if future is not None and not future.done():
            future.set_result(error)

    async def live(self, runner: Runner, resume: Callable[[], Awaitable[None]]) -> None:
        """Watches the store from start to stop; whatever fails is tried again a second later."""
        self._runner = runner
        holder = False
        leaps = Leaps(WATCH_INTERVAL)
        backup_at = asyncio.get_running_loop().time() + FIRST_BACKUP
        while True:
            try:
                begins = not holder and self._lock.take()
                if begins:
                    await resume()
                await self._look(first=begins or not self._ready.is_set())
                holder = holder or begins
            except StorageError as error:
                _log.warning("The store does not answer: %s", error)
            except Exception as error:  # noqa: BLE001 - the job runner: a bug must not end the watch
                _log.error("Watching the store failed with %s", type(error).__name__)
            if holder and asyncio.get_running_loop().time() >= backup_at:
                backup_at += BACKUP_INTERVAL
                # Not on the loop's own threads: it takes as long as a large store needs, and the stop waits for those.
                threading.Thread(target=self._keep_backups, name="homing-backup", daemon=True).start()
            await asyncio.sleep(WATCH_INTERVAL)
            if (slept := leaps.slept()) is not None:
                self.woke(slept)

    def woke(self, slept: float = 0.0) -> None:
        """The computer slept or its clock leapt: what was timed is timed anew, and realtime is joined again."""
        self.post(Woke(slept))
        self.connections.rejoin()

    def network_changed(self, *, online: bool) -> None:
        """The computer's network came, went, or became another one."""
        self.post(NetworkChanged(online))
        if online:
            self.connections.rejoin()

    async def enter(self, account: Account | None) -> None:
        """Make the account the one that this process syncs, if it is the one that syncs."""
        if self.syncs:
            await self.connections.enter(account)
            self.post(SignedIn(account.account_id) if account else SignedOut())

    async def round(self) -> str | None:
        """Push and pull until nothing is left; why it fell short."""
        await self._ready.wait()
        ticket = next(self._tickets)
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        self.post(SyncRequested(ticket))
        return await self._waiting[ticket]

    async def round_elsewhere(self) -> str | None:
        """As `round`, by the process that holds the engine. Waits for ever."""
        number = await self.write(rounds.ask)
        while True:
            done, error = await self.read(rounds.answered)
            if done >= number:
                return error
            await asyncio.sleep(ANSWER_INTERVAL)

    def post(self, event: Event) -> None:
        """Have the engine hear an event."""
        if self._runner is not None:
            self._runner.post(event)

    async def read(self, query: Callable[[Reader], T]) -> T:
        """What the store says."""
        assert self._runner is not None
        return await self._runner.blocking(lambda: self._store.read(query))

    async def write(self, job: Callable[[Transaction], T]) -> T:
        """Durable on return."""
        return await asyncio.wrap_future(self._store.write(job, Lane.PERSON))

    async def _look(self, *, first: bool) -> None:
        # Under the lock: what was seen before a sign-in came to its end would undo it.
        async with self.entering:
            seen = await self._seen(first=first)
            if seen is None:
                return
            if not self.syncs:
                await self._show_from_store(seen)
            elif first or self._is_another(seen.account):
                await self.enter(seen.account)
            else:
                if seen.account is not None:
                    self.connections.note(seen.account)
                self.post(LocalCommitted())
        self._ready.set()
        idle = self._answering is None or self._answering.done()
        if self.syncs and seen.asked > seen.answered and idle:
            self._answering = asyncio.create_task(self._answer(seen.asked))

    async def _seen(self, *, first: bool) -> Sight | None:
        # Here and not on a thread of its own: at rest, waking one would be most of what this computer does.
        changed = self._store.foreign_changes()
        return await self.read(sight) if first or changed else None

    def _is_another(self, seen: Account | None) -> bool:
        """Whether other connections are due, rather than that the same account is known to have ended."""
        known = self.connections.account
        if seen is None or known is None:
            return seen is not known
        ended = not seen.signed_in
        return (
            replace(known, email=seen.email, gone=seen.gone, signed_in=known.signed_in and not ended) != seen
        )

    async def _answer(self, number: int) -> None:
        error = await self.round()
        await self.write(lambda tx: rounds.answer(tx, number, error))

    async def _show_from_store(self, seen: Sight) -> None:
        """Somebody else holds the engine: the figures are all that is known here."""
        status = await self.read(lambda db: status_of(db, seen.account))
        if status != self._shown:
            self._shown = status
            self._publish(status)

    def _on_refused(self, account: Account, error: SignInAgain) -> None:
        self._start(self._note_end(account, gone=isinstance(error, AccountGone)))

    async def _note_end(self, account: Account, *, gone: bool) -> None:
        """The account has no session any more, as people shall see; one that was made meanwhile stays."""
        async with self.entering:
            known = self.connections.account
            if known is None or known.account_id != account.account_id or known.gone or not known.signed_in:
                return
            try:
                if await (await self.connections.keeper(account)).session() is not None:
                    return
            except SignInAgain:
                return
            mark = accounts.mark_gone if gone else accounts.mark_signed_out
            await self.write(lambda tx: mark(tx, account.account_id))
            self.connections.note(replace(known, signed_in=False, gone=gone))

    def _keep_backups(self) -> None:
        from storage.rescue.healing import heal

        try:
            if self._store.keep_backups() is not None:
                heal(self._store)
        except StorageError as error:
            _log.warning("No backup was made: %s", error)
        except Exception as error:  # noqa: BLE001 - the job runner: a bug must not end the thread with a traceback
            _log.error("Making a backup failed with %s", type(error).__name__)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
