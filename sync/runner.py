"""Performs the engine's effects: one thread with an asyncio loop, one worker for the store, a mailbox of events."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from storage.errors import DiskFull, StorageError
from storage.records import AccountId
from storage.store import Store
from sync.engine.interface import (
    CancelTimer,
    ChangesPulled,
    Effect,
    ErrandRun,
    Event,
    FinishSync,
    HeadsPulled,
    HistoryPulled,
    PublishStatus,
    PullChanges,
    PullHeads,
    PullHistory,
    PullSummary,
    Push,
    Pushed,
    RefreshToken,
    Remote,
    RemoteEffect,
    RequestFailed,
    RunErrand,
    SetTimer,
    SignedIn,
    SignedOut,
    StoreEffect,
    StoreFailed,
    SummaryPulled,
    Timer,
    TimerFired,
    TokenRefreshed,
)
from sync.engine.machine import Engine
from sync.errors import RetryLater, SyncError, Unreachable
from sync.performing import perform
from sync.status import SyncStatus

LONGEST_REQUEST: Final = 200.0
"""Seconds. The remote has its own, shorter limits; this one only guards against a remote that forgets them."""

STOP_GRACE: Final = 0.5
STOP_PATIENCE: Final = 1.0
RESTART_AFTER: Final = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Connections(Protocol):
    """How the runner reaches an account's server. Called on the asyncio thread; raises only SyncError."""

    async def remote(self, account_id: AccountId) -> Remote:
        """The account's server."""
        ...

    async def refresh(self, account_id: AccountId) -> None:
        """See that the next request goes out with a token that should be good."""
        ...

    async def close(self) -> None:
        """Cut all connections, when the runner stops."""
        ...


class Runner:
    """Owns the asyncio thread from `start` to `stop`. `post` and `submit` may be called from any thread between.

    `on_status` and `on_finish` are called on the asyncio thread.
    """

    def __init__(
        self,
        store: Store,
        connections: Connections,
        make_engine: Callable[[], Engine],
        *,
        on_status: Callable[[SyncStatus], None],
        on_finish: Callable[[int, str | None], None],
    ) -> None:
        self._store = store
        self._connections = connections
        self._make_engine = make_engine
        self._on_status = on_status
        self._on_finish = on_finish
        self._engine = make_engine()
        self._account: SignedIn | SignedOut = SignedOut()
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Returns once the loop runs."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live()), name="homing-sync", daemon=True
        )
        self._thread.start()
        self._running.wait()

    def stop(self) -> None:
        """Cancel what is under way and end the thread; within two seconds, whatever hangs."""
        if self._thread is None or self._loop is None:
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_GRACE + STOP_PATIENCE)
        self._thread = None

    def post(self, event: Event) -> None:
        """Have the engine hear an event. After the stop nobody hears it."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hear, event)

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the asyncio thread."""
        if self._loop is None or self._loop.is_closed():
            work.close()
            future: Future[T] = Future()
            future.set_exception(RetryLater("Sync is not running; start Homing again."))
            return future
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def blocking(self, work: Callable[[], T]) -> T:
        """Run something that blocks on the worker that the store effects use; in order, one at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._worker = ThreadPoolExecutor(1, "homing-sync-store")
        self._running.set()
        try:
            await self._stopping.wait()
        finally:
            for timer in self._timers.values():
                timer.cancel()
            if self._tasks:
                # What is nearly done ends by itself; a connection cancelled half-way complains on stderr.
                await asyncio.wait(self._tasks, timeout=STOP_GRACE)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            closing = asyncio.create_task(self._connections.close())
            await asyncio.wait({closing, *others}, timeout=STOP_PATIENCE / 2)
            self._worker.shutdown(wait=False, cancel_futures=True)

    def _hear(self, event: Event) -> None:
        if self._stopping.is_set():
            return
        if isinstance(event, SignedIn | SignedOut):
            self._account = event
        try:
            effects = self._engine.handle(event, asyncio.get_running_loop().time())
        except Exception as error:  # noqa: BLE001 - the job runner: a bug must not end the thread
            _log.error("The engine failed on %s with %s", type(event).__name__, type(error).__name__)
            self._begin_anew()
            return
        for effect in effects:
            self._perform(effect)

    def _begin_anew(self) -> None:
        """The durable state is all that an engine needs, so a bug costs a pause and no more."""
        self._engine = self._make_engine()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().call_later(RESTART_AFTER, lambda: self._hear(self._account))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SetTimer(timer, generation, after):
                self._cancel(timer)
                loop = asyncio.get_running_loop()
                self._timers[timer] = loop.call_later(after, self._hear, TimerFired(timer, generation))
            case CancelTimer(timer):
                self._cancel(timer)
            case PublishStatus(status):
                self._on_status(status)
            case FinishSync(ticket, error):
                self._on_finish(ticket, error)
            case _ if isinstance(effect, RemoteEffect):
                self._start(self._request(effect))
            case _:
                self._start(self._store_effect(effect))

    def _cancel(self, timer: Timer) -> None:
        if handle := self._timers.pop(timer, None):
            handle.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _request(self, effect: RemoteEffect) -> None:
        try:
            async with asyncio.timeout(LONGEST_REQUEST):
                event = await self._answer(effect)
        except SyncError as error:
            event = RequestFailed(effect.request, error)
        except TimeoutError:
            late = Unreachable("The server does not answer: check the network, then try again.")
            event = RequestFailed(effect.request, late)
        except Exception as error:  # noqa: BLE001 - the job runner: a bug at the border must not end sync
            _log.error("%s failed with %s", type(effect).__name__, type(error).__name__)
            event = RequestFailed(effect.request, _unexpected(error))
        self._hear(event)

    async def _answer(self, effect: RemoteEffect) -> Event:
        if isinstance(effect, RefreshToken):
            await self._connections.refresh(effect.account_id)
            return TokenRefreshed(effect.request)
        remote = await self._connections.remote(effect.account_id)
        match effect:
            case Push(request, _, parcel):
                return Pushed(request, await remote.push(parcel))
            case PullChanges(request, _, cursor, limit):
                return ChangesPulled(request, await remote.pull_changes(cursor, limit))
            case PullSummary(request, _, cursor, limit):
                return SummaryPulled(request, await remote.pull_summary(cursor, limit))
            case PullHistory(request, _, holes, limit):
                return HistoryPulled(request, await remote.pull_history(holes, limit))
            case PullHeads(request, _, after, limit):
                return HeadsPulled(request, await remote.pull_heads(after, limit))
            case RunErrand(request, _, errand):
                return ErrandRun(request, await remote.run_errand(errand))

    async def _store_effect(self, effect: StoreEffect) -> None:
        try:
            event: Event = await self.blocking(lambda: perform(self._store, effect))
        except StorageError as error:
            event = StoreFailed(effect.request, str(error), isinstance(error, DiskFull))
        except Exception as error:  # noqa: BLE001 - the job runner: a bug in the store must not end sync
            _log.error("%s failed with %s", type(effect).__name__, type(error).__name__)
            event = StoreFailed(effect.request, str(_unexpected(error)))
        self._hear(event)


def _unexpected(error: Exception) -> SyncError:
    return SyncError(f"Sync met an unexpected {type(error).__name__}; try again in a while; nothing is lost.")
