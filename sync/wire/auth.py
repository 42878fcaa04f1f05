"""Signing up, in and out, and renewing: single calls of the official auth client, none of its session handling."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

from storage.records import Account
from sync.errors import AccountGone, Refused, RetryLater, SessionOver, SignInAgain, SyncError
from sync.login.session import Session, SessionKeeper
from sync.login.session_file import Sessions
from sync.wire.endpoint import BAD_KEY, BAD_URL, Endpoint, endpoint
from sync.wire.replies import not_the_server, unreadable
from sync.wire.transport import CALL_SECONDS, http_client

if TYPE_CHECKING:
    from supabase_auth import AsyncGoTrueClient
    from supabase_auth.types import AuthResponse

ASK_SECONDS: Final = 5.0
"""What it may take to learn whether an account is gone. The session is over either way."""

Scope = Literal["local", "global", "others"]


async def sign_up(url: str, key: str, email: str, password: str) -> Session:
    """A new account's first session. SignInAgain when the server wants the address confirmed before."""
    async with _client(endpoint(url, key)) as client:
        _require_both(email, password)
        answer = await client.sign_up({"email": email.strip(), "password": password})
    if answer.session is None:
        raise SignInAgain("The account is made: open the link in the mail that was sent, then sign in.")
    return _session(answer)


async def sign_in(url: str, key: str, email: str, password: str) -> Session:
    """A session for an e-mail address and a password. SignInAgain when they do not fit."""
    async with _client(endpoint(url, key)) as client:
        _require_both(email, password)
        answer = await client.sign_in_with_password({"email": email.strip(), "password": password})
    return _session(answer)


async def refresh(server: Endpoint, session: Session) -> Session:
    """The session that follows. SessionOver only for a definitive code; nothing else is a reason to erase tokens.

    AccountGone when the server says of the last token that it has no such user.
    """
    try:
        async with _client(server) as client:
            answer = await client.refresh_session(session.refresh_token)
        return _session(answer)
    except AccountGone:
        raise
    except SessionOver:
        await _require_user(server, session)
        raise
    except Refused as error:
        if error.code in (BAD_KEY, BAD_URL):
            raise
        raise RetryLater(
            "The server does not renew the login just now: try again in a while; nothing is lost."
        ) from None


async def sign_out(url: str, key: str, access_token: str, scope: Scope = "local") -> None:
    """End the session on the server. One that the server has ended already is no error."""
    async with _client(endpoint(url, key)) as client:
        with suppress(SignInAgain):
            await client.admin.sign_out(access_token, scope)


def keeper_of(account: Account, sessions: Sessions) -> SessionKeeper:
    """The keeper of an account's session, which renews it at the account's own server."""
    server = endpoint(account.url, account.publishable_key)
    return SessionKeeper(sessions.of(account.account_id), lambda session: refresh(server, session))


async def _require_user(server: Endpoint, session: Session) -> None:
    """A renewal only says that the session is over. Who asks about the user learns whether there is one."""
    try:
        async with asyncio.timeout(ASK_SECONDS), _client(server) as client:
            await client.get_user(session.access_token)
    except AccountGone:
        raise
    except (SyncError, TimeoutError):
        return


@asynccontextmanager
async def _client(server: Endpoint) -> AsyncIterator["AsyncGoTrueClient"]:
    from supabase_auth import AsyncGoTrueClient

    from sync.wire.foreign import translated

    with translated():
        async with http_client(server) as http, asyncio.timeout(CALL_SECONDS):
            yield AsyncGoTrueClient(
                url=f"{server.url}/auth/v1",
                headers={"apikey": server.key, "Authorization": f"Bearer {server.key}"},
                auto_refresh_token=False,
                persist_session=False,
                http_client=http,
            )


def _require_both(email: str, password: str) -> None:
    if not email.strip() or not password:
        raise SignInAgain("Type both the e-mail address and the password.")


def _session(answer: "AuthResponse", wall: Callable[[], float] = time.time) -> Session:
    session = answer.session
    if session is None:
        raise not_the_server()
    if not (_plain(session.access_token) and session.refresh_token):
        raise unreadable()
    return Session(
        access_token=session.access_token,
        refresh_token=session.refresh_token,
        # The server's own expires_at is by its clock, which need not agree with this one.
        expires_at=wall() + session.expires_in,
        user_id=session.user.id,
        email=session.user.email or "",
        lifetime=float(session.expires_in),
    )


def _plain(token: str) -> bool:
    """Whether a token fits into a header: one that does not would replace one that does."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token
