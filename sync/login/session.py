"""A login's tokens: renewed by one at a time on this computer, durable before use, gone only when the server says so."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from sync.errors import Refused, RetryLater, SessionOver, SignInAgain, Unreachable

MARGIN_SECONDS: Final = 90.0
LOCK_POLL_SECONDS: Final = 0.02
LOCK_WAIT_SECONDS: Final = 90.0
RENEWAL_PAUSE_SECONDS: Final = 10.0

OTHER_USER: Final = "other_user"
"""Code of the Refused for a server that answers a renewal with another user's session."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login. `expires_at` is this computer's clock in Unix seconds, `lifetime` what the server granted."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    user_id: str
    email: str = field(repr=False)
    lifetime: float = 3600.0


class AccessTokens(Protocol):
    """Where the remote and realtime get the user's token from."""

    async def access_token(self) -> str:
        """A token that is good for now. Raises SyncError; SessionOver once the login is gone for good."""
        ...

    async def renewed(self, rejected: str) -> str:
        """Another token than the one that the server has just refused."""
        ...


class SessionPlace(Protocol):
    """Where one account's session is kept, and the lock that its users on this computer share."""

    def load(self) -> Session | None:
        """The session, None when signed out. SignInAgain when it is there and cannot be read."""
        ...

    def save(self, session: Session) -> None:
        """Durable on return; OSError otherwise."""
        ...

    def erase(self) -> None:
        """Gone on return."""
        ...

    def try_lock(self) -> Callable[[], None] | None:
        """Take the lock without waiting: what releases it, or None while another has it."""
        ...


class SessionKeeper:
    """Hands out access tokens of one account. For any number of tasks, threads and processes over one place.

    `refresh` asks the server for the session that follows; it raises SessionOver only for a definitive code.
    """

    def __init__(
        self,
        place: SessionPlace,
        refresh: Callable[[Session], Awaitable[Session]],
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._refresh = refresh
        self._wall = wall
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._unsaved: _Unsaved | None = None
        self._no_renewal_before = float("-inf")

    async def access_token(self) -> str:
        """The current token, renewed ahead of its end. While it still holds, a failed renewal is no error."""
        held = self._held or self._hold(self._stored())
        if not self._due(held):
            return held.session.access_token
        if self._valid(held) and self._monotonic() < self._no_renewal_before:
            return held.session.access_token
        try:
            return await self._renew(lambda stored: not self._due(self._hold(stored)))
        except (Unreachable, RetryLater) as error:
            if not self._valid(held):
                raise
            pause = error.after if isinstance(error, RetryLater) else None
            self._no_renewal_before = self._monotonic() + (pause or RENEWAL_PAUSE_SECONDS)
            return held.session.access_token

    async def renewed(self, rejected: str) -> str:
        """The token after a refused one; when another task or process has renewed it already, that one."""
        return await self._renew(lambda stored: stored.access_token != rejected)

    async def keep(self, session: Session) -> None:
        """Begin with a session from signing in; durable on return. RetryLater when it cannot be saved."""
        async with self._lock():
            await self._save(session)

    async def forget(self) -> None:
        """Erase the tokens because the user signs out."""
        async with self._lock():
            self._erase()

    async def session(self) -> Session | None:
        """What is stored now, None when signed out. It may be of no use any more."""
        return self._place.load()

    async def _renew(self, good: Callable[[Session], bool]) -> str:
        async with self._lock():
            stored = self._stored()
            if good(stored):
                return self._hold(stored).session.access_token
            # A successor that found no room on the disk is saved now, unless somebody else has gone on meanwhile.
            if self._unsaved is None or self._unsaved.after != stored:
                self._unsaved = _Unsaved(stored, await self._successor(stored))
            fresh = self._unsaved.session
            await self._save(fresh)
            return fresh.access_token

    async def _successor(self, stored: Session) -> Session:
        try:
            fresh = await self._refresh(stored)
        except SessionOver:
            self._erase()
            raise
        if fresh.user_id != stored.user_id:
            raise Refused(
                "The server answers with another user's login: sign out and sign in again.", OTHER_USER
            )
        return fresh

    async def _save(self, session: Session) -> None:
        write = asyncio.ensure_future(asyncio.to_thread(self._place.save, session))
        try:
            await asyncio.shield(write)
        except asyncio.CancelledError:
            # The lock must outlast the write, or another process would read the token before.
            await asyncio.wait([write])
            raise
        except OSError:
            raise RetryLater("The login cannot be saved: free some disk space.") from None
        self._unsaved = None
        self._hold(session)

    def _erase(self) -> None:
        self._place.erase()
        self._held = self._unsaved = None

    def _stored(self) -> Session:
        session = self._place.load()
        if session is None:
            self._held = None
            raise SignInAgain("Nobody is signed in here: sign in again; nothing is lost.")
        return session

    def _hold(self, session: Session) -> "_Held":
        """Count this session's time from now, unless that has begun already."""
        if self._held is None or self._held.session != session:
            left = min(session.expires_at - self._wall(), session.lifetime)
            self._held = _Held(session, self._monotonic() + left)
        return self._held

    def _left(self, held: "_Held") -> float:
        """Seconds by whichever clock says less: one of them jumps, the other one sleeps with the computer."""
        return min(held.ends - self._monotonic(), held.session.expires_at - self._wall())

    def _due(self, held: "_Held") -> bool:
        return self._left(held) <= min(MARGIN_SECONDS, held.session.lifetime / 5)

    def _valid(self, held: "_Held") -> bool:
        return self._left(held) > 0

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        deadline = self._monotonic() + LOCK_WAIT_SECONDS
        while (release := self._place.try_lock()) is None:
            if self._monotonic() > deadline:
                raise RetryLater(
                    "Another Homing renews the login and does not finish: end it, then try again."
                )
            await asyncio.sleep(LOCK_POLL_SECONDS)
        try:
            yield
        finally:
            release()


@dataclass(frozen=True, slots=True)
class _Held:
    """A session with its end on the monotonic clock."""

    session: Session
    ends: float


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """What the server gave for a session and the disk did not take."""

    after: Session
    session: Session
