"""Who asks: somebody's session on the server under examination."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from storage.records import Account
from sync.doctor.line import Answer, Line
from sync.login.session import SessionKeeper
from sync.login.session_file import SessionInMemory, Sessions
from sync.login.vault import SessionStoreKind
from sync.wire import auth
from sync.wire.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Login:
    """A person and the tokens that prove it. `ends` says whether the session was made for the examination alone."""

    user_id: str
    tokens: SessionKeeper
    ends: bool


SignIn = Callable[[Endpoint], Awaitable[Login]]
"""How the person gets a session. Raises SyncError."""


def with_password(email: str, password: str) -> SignIn:
    """A session that lives in memory, for this examination."""

    async def sign_in(server: Endpoint) -> Login:
        session = await auth.sign_in(server.url, server.key, email, password)
        keeper = SessionKeeper(SessionInMemory(), lambda old: auth.refresh(server, old))
        await keeper.keep(session)
        return Login(session.user_id, keeper, ends=True)

    return sign_in


def of_profile(account: Account, profile_dir: Path, kind: SessionStoreKind) -> SignIn:
    """The session that a profile keeps of the account, for the account's own server."""

    async def sign_in(_: Endpoint) -> Login:
        sessions = await asyncio.to_thread(Sessions, profile_dir, kind)
        return Login(account.user_id, auth.keeper_of(account, sessions), ends=False)

    return sign_in


async def sign_out(server: Endpoint, login: Login) -> None:
    """End a session that was made for the examination; one that a profile keeps goes on."""
    session = await login.tokens.session()
    if login.ends and session is not None:
        await auth.sign_out(server.url, server.key, session.access_token)


@dataclass(frozen=True, slots=True)
class Examined:
    """The server, a connection to it and the person who asks."""

    server: Endpoint
    line: Line
    login: Login

    async def call(self, function: str, **arguments: object) -> Answer:
        """One call of a function as this person."""
        return await self.line.call(function, arguments, await self.login.tokens.access_token())
