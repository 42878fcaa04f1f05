"""The live ends of the active account: its keeper, its remote and its realtime channel."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from storage.records import Account, AccountId
from sync.backend import Backend, ClosableRemote, Listener
from sync.engine.interface import Event, LinkChanged, Poked
from sync.errors import AccountGone, SignInAgain
from sync.login.session import AccessTokens, SessionKeeper


class ActiveConnections:
    """One account at a time, so that no request of one can travel with the token of another (I21)."""

    def __init__(
        self,
        backend: Backend,
        *,
        realtime: bool,
        post: Callable[[Event], None],
        on_refused: Callable[[Account, SignInAgain], None],
    ) -> None:
        self._backend = backend
        self._realtime = realtime
        self._post = post
        self._on_refused = on_refused
        self._account: Account | None = None
        self._keeper: SessionKeeper | None = None
        self._remote: ClosableRemote | None = None
        self._pokes: Listener | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def account(self) -> Account | None:
        """Whose connections these are."""
        return self._account

    async def enter(self, account: Account | None) -> None:
        """Leave the account so far, and get ready for this one."""
        await self.close()
        self._account = account

    def note(self, account: Account) -> None:
        """What is known of the account has changed, and nothing that its connections are made of."""
        self._account = account

    def rejoin(self) -> None:
        """The computer slept or changed its network: nothing that was on the wire is relied on."""
        if self._remote is not None:
            self._remote.hasten()
        if self._pokes is not None:
            self._pokes.rejoin()

    async def close(self) -> None:
        """Cut everything."""
        listening, self._listening = self._listening, None
        remote, self._remote = self._remote, None
        self._account = self._keeper = self._pokes = None
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        if remote is not None:
            await remote.aclose()

    async def keeper(self, account: Account) -> SessionKeeper:
        """The tokens of an account, be it the active one or one that is about to be."""
        if self._keeper is not None and self._is_active(account):
            return self._keeper
        await asyncio.to_thread(self._backend.open_sessions)
        keeper = self._backend.keeper(account)
        if self._is_active(account):
            self._keeper = keeper
        return keeper

    async def remote(self, account_id: AccountId) -> ClosableRemote:
        """The account's server; SignInAgain for any account but the active one."""
        account = self._require(account_id)
        if self._remote is None:
            keeper = await self.keeper(account)
            self._require(account_id)
            if self._remote is None:
                tokens = _Watched(account, keeper, self._on_refused)
                self._remote = self._backend.remote(account, tokens)
                self._listen(account, tokens)
        return self._remote

    async def refresh(self, account_id: AccountId) -> None:
        """See that there is a login; the remote has renewed a refused token already."""
        account = self._require(account_id)
        await _Watched(account, await self.keeper(account), self._on_refused).access_token()

    def _is_active(self, account: Account) -> bool:
        return self._account is not None and self._account.account_id == account.account_id

    def _require(self, account_id: AccountId) -> Account:
        if self._account is None or self._account.account_id != account_id:
            raise SignInAgain("This account is not signed in any more; sign in again.")
        if self._account.gone:
            raise AccountGone(
                "This account was deleted on its server: what is here stays; sign in to another one."
            )
        return self._account

    def _listen(self, account: Account, tokens: AccessTokens) -> None:
        if self._realtime and self._listening is None:
            self._pokes = self._backend.pokes(
                account,
                tokens,
                lambda head: self._post(Poked(head)),
                lambda up: self._post(LinkChanged(up)),
            )
            self._listening = asyncio.create_task(self._pokes.run())


class _Watched:
    """Passes an account's tokens on, and tells when there are none to pass on."""

    def __init__(
        self, account: Account, keeper: SessionKeeper, on_refused: Callable[[Account, SignInAgain], None]
    ) -> None:
        self._account = account
        self._keeper = keeper
        self._on_refused = on_refused

    async def access_token(self) -> str:
        """See the protocol."""
        with self._watching():
            return await self._keeper.access_token()

    async def renewed(self, rejected: str) -> str:
        """See the protocol."""
        with self._watching():
            return await self._keeper.renewed(rejected)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except SignInAgain as error:
            self._on_refused(self._account, error)
            raise
