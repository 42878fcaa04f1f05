"""The live ends of the active account: its keeper, its remote and its realtime channel."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from storage.records import Account, AccountId
from sync.backend import Backend, ClosableRemote
from sync.engine.interface import Event, LinkChanged, Poked
from sync.errors import SignInAgain
from sync.login.session import SessionKeeper


class Blocking(Protocol):
    """Runs blocking work off the asyncio thread."""

    async def __call__(self, work: Callable[[], None], /) -> None:
        """Returns when the work is done."""
        ...


class ActiveConnections:
    """One account at a time, so that no request of one can travel with the token of another (I21)."""

    def __init__(self, backend: Backend, *, realtime: bool, post: Callable[[Event], None]) -> None:
        self._backend = backend
        self._realtime = realtime
        self._post = post
        self._account: Account | None = None
        self._keeper: SessionKeeper | None = None
        self._remote: ClosableRemote | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def account(self) -> Account | None:
        """Whose connections these are."""
        return self._account

    async def enter(self, account: Account | None) -> None:
        """Leave the account so far, and get ready for this one."""
        await self.close()
        self._account = account

    async def close(self) -> None:
        """Cut everything."""
        listening, self._listening = self._listening, None
        remote, self._remote = self._remote, None
        self._account = self._keeper = None
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        if remote is not None:
            await remote.aclose()

    async def keeper(self, account: Account) -> SessionKeeper:
        """The tokens of an account, be it the active one or one that is about to be."""
        if self._keeper is not None and account == self._account:
            return self._keeper
        await asyncio.to_thread(self._backend.open_sessions)
        keeper = self._backend.keeper(account)
        if account == self._account:
            self._keeper = keeper
        return keeper

    async def remote(self, account_id: AccountId) -> ClosableRemote:
        """The account's server; SignInAgain for any account but the active one."""
        account = self._require(account_id)
        if self._remote is None:
            keeper = await self.keeper(account)
            self._require(account_id)
            if self._remote is None:
                self._remote = self._backend.remote(account, keeper)
                self._listen(account, keeper)
        return self._remote

    async def refresh(self, account_id: AccountId) -> None:
        """See that there is a login; the remote has renewed a refused token already."""
        await (await self.keeper(self._require(account_id))).access_token()

    def _require(self, account_id: AccountId) -> Account:
        if self._account is None or self._account.account_id != account_id:
            raise SignInAgain("This account is not signed in any more; sign in again.")
        return self._account

    def _listen(self, account: Account, keeper: SessionKeeper) -> None:
        if self._realtime and self._listening is None:
            pokes = self._backend.pokes(
                account, keeper, lambda: self._post(Poked()), lambda up: self._post(LinkChanged(up))
            )
            self._listening = asyncio.create_task(pokes.run())
