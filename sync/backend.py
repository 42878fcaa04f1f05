"""The borders that the service composes: signing in and out, sessions, the remote and pokes, loaded when first used."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from storage.records import Account, ProjectId
from storage.snapshots import Snapshot
from sync.engine.interface import Remote
from sync.login.session import AccessTokens, Session, SessionKeeper
from sync.login.session_file import Sessions
from sync.login.vault import SessionStoreKind


class Listener(Protocol):
    """Something that listens to the server until it is cancelled."""

    async def run(self) -> None:
        """Never returns by itself."""
        ...

    def rejoin(self) -> None:
        """Listen anew at once."""
        ...


class ClosableRemote(Remote, Protocol):
    """A remote that holds connections, and answers what a person asks for."""

    async def get_snapshot(self, project_id: ProjectId) -> Snapshot:
        """The files of a project as the server has them, with their hash checked. Raises SyncError."""
        ...

    def hasten(self) -> None:
        """What is on the wire may have died with the network: do not wait long for it."""
        ...

    async def aclose(self) -> None:
        """Close them for good; a later call raises Unreachable."""
        ...


class Backend(Protocol):
    """What the service needs of the outside. All methods are called on the asyncio thread but `open_sessions`."""

    def open_sessions(self) -> None:
        """Find the place for logins; may wait for the keyring, so never on a thread that must not. NoKeyring."""
        ...

    async def sign_up(self, url: str, key: str, email: str, password: str) -> Session:
        """A new login. Raises SyncError."""
        ...

    async def sign_in(self, url: str, key: str, email: str, password: str) -> Session:
        """A login. Raises SyncError."""
        ...

    async def sign_out(self, account: Account, access_token: str) -> None:
        """Revoke a login at the server. Raises SyncError."""
        ...

    def clean_url(self, url: str) -> str:
        """The one form of an address that a person typed. Raises Refused."""
        ...

    def keeper(self, account: Account) -> SessionKeeper:
        """The account's tokens."""
        ...

    def remote(self, account: Account, tokens: AccessTokens) -> ClosableRemote:
        """The account's server."""
        ...

    def pokes(
        self,
        account: Account,
        tokens: AccessTokens,
        on_poke: Callable[[int | None], None],
        on_link: Callable[[bool], None],
    ) -> Listener:
        """The account's realtime channel. A poke says the server's change counter, if it knows it."""
        ...


class SupabaseBackend:
    """The real borders. The official client is imported by the first call that needs it."""

    def __init__(self, profile_dir: Path, kind: SessionStoreKind) -> None:
        self._profile_dir = profile_dir
        self._kind = kind
        self._sessions: Sessions | None = None

    def open_sessions(self) -> None:
        """See the protocol."""
        if self._sessions is None:
            self._sessions = Sessions(self._profile_dir, self._kind)

    async def sign_up(self, url: str, key: str, email: str, password: str) -> Session:
        """See the protocol."""
        from sync.wire import auth

        return await auth.sign_up(url, key, email, password)

    async def sign_in(self, url: str, key: str, email: str, password: str) -> Session:
        """See the protocol."""
        from sync.wire import auth

        return await auth.sign_in(url, key, email, password)

    async def sign_out(self, account: Account, access_token: str) -> None:
        """See the protocol."""
        from sync.wire import auth

        await auth.sign_out(account.url, account.publishable_key, access_token)

    def clean_url(self, url: str) -> str:
        """See the protocol."""
        from sync.wire.endpoint import clean_url

        return clean_url(url)

    def keeper(self, account: Account) -> SessionKeeper:
        """See the protocol."""
        from sync.wire.auth import keeper_of

        self.open_sessions()
        assert self._sessions is not None
        return keeper_of(account, self._sessions)

    def remote(self, account: Account, tokens: AccessTokens) -> ClosableRemote:
        """See the protocol."""
        from sync.wire.remote import SupabaseRemote

        return SupabaseRemote(account.url, account.publishable_key, tokens)

    def pokes(
        self,
        account: Account,
        tokens: AccessTokens,
        on_poke: Callable[[int | None], None],
        on_link: Callable[[bool], None],
    ) -> Listener:
        """See the protocol."""
        from sync.wire.realtime import Pokes

        return Pokes(account.url, account.publishable_key, tokens, account.user_id, on_poke, on_link)
