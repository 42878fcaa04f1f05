"""The service's borders without a network: logins by a table, sessions in memory, one model server for all."""

import asyncio
from collections.abc import Callable

from storage.records import Account, AccountId
from sync.errors import SessionOver, SignInAgain
from sync.login.session import AccessTokens, Session, SessionKeeper
from sync.login.session_file import SessionInMemory
from tests.fakes.remote import FakeRemote
from tests.simulation.server import ModelServer

PASSWORD = "correct horse"
URL = "http://127.0.0.1:1"
KEY = "sb_publishable_test"


class Silence:
    """A realtime channel on which nothing ever comes."""

    def __init__(self) -> None:
        self.rejoined = 0

    async def run(self) -> None:
        await asyncio.Event().wait()

    def rejoin(self) -> None:
        self.rejoined += 1


class FakeBackend:
    """Every address signs in with PASSWORD, as a user named after it. Keeps its sessions across restarts."""

    def __init__(self, server: ModelServer | None = None) -> None:
        self.server = server or ModelServer()
        self.places: dict[AccountId, SessionInMemory] = {}
        self.remotes: list[FakeRemote] = []
        self.make_remote: Callable[[], FakeRemote] = lambda: FakeRemote(self.server)
        self.revoked: list[str] = []
        self.revoke: Callable[[], None] = lambda: None
        self.on_poke: Callable[[int | None], None] = lambda _: None
        self.silences: list[Silence] = []
        self.end: SessionOver | None = None
        """What a renewal raises from now on."""

    def open_sessions(self) -> None:
        """Nothing to open."""

    async def sign_up(self, url: str, key: str, email: str, password: str) -> Session:
        return _session(email)

    async def sign_in(self, url: str, key: str, email: str, password: str) -> Session:
        if password != PASSWORD:
            raise SignInAgain("The e-mail address or the password is wrong: check both.")
        return _session(email)

    async def sign_out(self, account: Account, access_token: str) -> None:
        self.revoke()
        self.revoked.append(account.email)

    def clean_url(self, url: str) -> str:
        return url.rstrip("/")

    def keeper(self, account: Account) -> SessionKeeper:
        async def refresh(session: Session) -> Session:
            if self.end is not None:
                raise self.end
            return session

        return SessionKeeper(self.places.setdefault(account.account_id, SessionInMemory()), refresh)

    def remote(self, account: Account, tokens: AccessTokens) -> FakeRemote:
        self.remotes.append(self.make_remote())
        self.remotes[-1].tokens = tokens
        return self.remotes[-1]

    def pokes(
        self,
        account: Account,
        tokens: AccessTokens,
        on_poke: Callable[[int | None], None],
        on_link: Callable[[bool], None],
    ) -> Silence:
        self.on_poke = on_poke
        self.silences.append(Silence())
        return self.silences[-1]


def _session(email: str) -> Session:
    return Session("access", "refresh", 4e9, f"user-{email}", email)
