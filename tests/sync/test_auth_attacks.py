"""Attacks on a signed-in device by a server, or somebody in its place, that lies or fails.

After each the stored session is what it was, to the byte, and no token has gone where it does not belong. That pending
messages outlast them is shown in test_gate.py, test_service.py and the simulation; attacks on the server are in
tests/server/test_auth_attacks.py.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from storage.records import Account, AccountId, Cursor
from sync.errors import Refused, SessionOver, SyncError
from sync.login.session import Session, SessionKeeper
from sync.login.session_file import SessionFile
from sync.wire import auth
from sync.wire.endpoint import clean_key, clean_url, endpoint
from sync.wire.remote import SupabaseRemote
from sync.wire.replies import DEFINITIVE
from tests.fakes.faults import HANG, RESET, Answer, FaultyServer, Raw, Reply, faulty_server, page

KEY: Final = "sb_publishable_canary"
VERSION: Final = {"x-supabase-api-version": "2024-01-01"}
USER: Final[dict[str, Any]] = {
    "id": "6a5c9a6e-0000-4000-8000-000000000001",
    "aud": "authenticated",
    "email": "anna@example.test",
    "created_at": "2026-11-21T10:00:00Z",
    "app_metadata": {},
    "user_metadata": {},
    "identities": [],
}
GRANTED: Final[dict[str, Any]] = {
    "access_token": "access-canary",
    "refresh_token": "refresh-canary",
    "expires_in": 3600,
    "token_type": "bearer",
    "user": USER,
}
OLD: Final = Session("old-access-canary", "old-refresh-canary", 0.0, str(USER["id"]), "anna@example.test")


def granted(**changes: object) -> Answer:
    return Answer(body={**GRANTED, **changes})


def bare(body: dict[str, Any], token: str) -> Raw:
    """A session whose numbers JSON does not have."""
    text = json.dumps(body).replace('"expires_in": 3600', f'"expires_in": {token}').encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    return Raw(head.encode() + text)


LIES: Final[dict[str, Reply]] = {
    "500": Answer(500, {"code": "unexpected_failure", "message": ""}, VERSION),
    "503 from a proxy": page(503),
    "a page with 200": page(200),
    "a page with 400": page(400),
    "a page with 401": page(401),
    "a page with 403": page(403),
    "a page that names a definitive code": Answer(
        400, b"<html>refresh_token_not_found session_not_found</html>", {"content-type": "text/html"}
    ),
    "a definitive code in the message only": Answer(
        400, {"code": "validation_failed", "message": "session_not_found"}, VERSION
    ),
    "a definitive code with 200": Answer(200, {"code": "session_not_found", "message": ""}, VERSION),
    "a definitive code in a list": Answer(400, [{"code": "session_not_found"}], VERSION),
    "a definitive code nested": Answer(400, {"code": {"code": "session_not_found"}}, VERSION),
    "a definitive code in another case": Answer(400, {"code": "SESSION_NOT_FOUND", "message": ""}, VERSION),
    "401 without a code": Answer(401, {"message": "no"}),
    "401 of a wrong key": Answer(401, {"message": "Invalid API key"}),
    "403 without a body": Answer(403),
    "404": Answer(404, {"message": "not found"}),
    "429 for a day": Answer(
        429, {"code": "over_request_rate_limit", "message": ""}, {"retry-after": "86400"}
    ),
    "a redirect to a thief": Answer(302, headers={"location": "{thief}/auth/v1/token"}),
    "a redirect that keeps the method": Answer(308, headers={"location": "{thief}/auth/v1/token"}),
    "nothing": Answer(200, b""),
    "half an answer": Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"),
    "garbage": Raw(b"\x00\xff" * 100),
    "a cut line": RESET,
    "another user": granted(user={**USER, "id": "6a5c9a6e-0000-4000-8000-00000000000e"}),
    "no user": granted(user=None),
    "a user without an id": granted(user={**USER, "id": ""}),
    "no access token": granted(access_token=""),
    "an access token that is no text": granted(access_token=["a"]),
    "an access token with a line break": granted(access_token="a\r\nX-Evil: b"),
    "an access token that no header can hold": granted(access_token="\u65e5\u672c"),
    "no refresh token": granted(refresh_token=None),
    "a lifetime that is no number": bare(GRANTED, "NaN"),
    "a lifetime without end": bare(GRANTED, "1e999"),
    "deep nesting": Answer(200, b"[" * 200_000, {"content-type": "application/json"}),
}


def at(folder: Path) -> SessionFile:
    return SessionFile(folder / "sessions", AccountId("a"), b"k" * 32)


def renewing(server: FaultyServer, place: SessionFile) -> SessionKeeper:
    account = Account(AccountId("a"), server.url, KEY, OLD.email, OLD.user_id, signed_in=True)
    asked = endpoint(account.url, account.publishable_key)
    return SessionKeeper(place, lambda session: auth.refresh(asked, session))


async def pull_in_vain(server: FaultyServer, place: SessionFile) -> None:
    remote = SupabaseRemote(server.url, KEY, renewing(server, place))
    try:
        with pytest.raises(SyncError):
            await remote.pull_changes(Cursor(), 1)
    finally:
        await remote.aclose()


def between(reply: Reply, act: Callable[[FaultyServer], Awaitable[None]]) -> list[dict[str, str]]:
    """Acts against a server with this reply; gives the headers of all that reached the thief beside it."""

    async def story() -> list[dict[str, str]]:
        async with faulty_server(lambda _: granted()) as thief, faulty_server(lambda _: reply) as server:
            if isinstance(reply, Answer) and "location" in reply.headers:
                location = reply.headers["location"].format(thief=thief.url)
                server.respond = lambda _: Answer(reply.status, reply.body, {"location": location})
            await act(server)
            return [dict(request.headers) for request in thief.requests]

    return asyncio.run(story())


@pytest.mark.parametrize("name", LIES)
def test_a_lie_at_the_renewal_is_refused_and_the_session_stays(tmp_path: Path, name: str) -> None:
    place = at(tmp_path)
    place.save(OLD)
    before = place.path.read_bytes()

    async def act(server: FaultyServer) -> None:
        with pytest.raises(SyncError) as caught:
            await renewing(server, place).access_token()
        assert not isinstance(caught.value, SessionOver)
        assert "canary" not in str(caught.value)

    assert between(LIES[name], act) == []
    assert place.path.read_bytes() == before


@pytest.mark.parametrize("name", [name for name in LIES if "lifetime" not in name and "token" not in name])
def test_a_lie_at_a_call_is_refused_and_the_session_stays(tmp_path: Path, name: str) -> None:
    place = at(tmp_path)
    place.save(Session("old-access-canary", "old-refresh-canary", 4e9, OLD.user_id, OLD.email))
    before = place.path.read_bytes()

    async def act(server: FaultyServer) -> None:
        await pull_in_vain(server, place)
        assert not any("old-refresh-canary" in str(request.headers) for request in server.requests)

    assert between(LIES[name], act) == []
    assert place.path.read_bytes() == before


@pytest.mark.parametrize("code", sorted(DEFINITIVE))
def test_no_call_but_the_renewal_ends_a_session(tmp_path: Path, code: str) -> None:
    place = at(tmp_path)
    place.save(Session("old-access-canary", "old-refresh-canary", 4e9, OLD.user_id, OLD.email))
    before = place.path.read_bytes()

    async def act(server: FaultyServer) -> None:
        server.respond = lambda request: (
            page(503) if "/auth/" in request.path else Answer(401, {"code": code, "message": ""}, VERSION)
        )
        await pull_in_vain(server, place)

    between(HANG, act)
    assert place.path.read_bytes() == before


@pytest.mark.parametrize("lifetime", [-1, 0, 1, 10**12])
def test_a_lifetime_that_cannot_be_makes_no_busy_loop(tmp_path: Path, lifetime: int) -> None:
    place = at(tmp_path)
    place.save(OLD)

    async def act(server: FaultyServer) -> None:
        keeper = renewing(server, place)
        for _ in range(5):
            with suppress(SyncError):
                assert await keeper.access_token() == "access-canary"
        assert len(server.requests) <= 5
        stored = place.load()
        assert stored is not None
        assert math.isfinite(stored.expires_at)

    between(granted(expires_in=lifetime), act)


@pytest.mark.parametrize(
    "url",
    [
        "http://sync.example.org",
        "http://127.0.0.1.evil.test",
        "http://localhost.evil.test",
        "https://user:secret@sync.example.org",
        "https://sync.example.org@evil.test",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ws://sync.example.org",
        "https://",
    ],
)
def test_no_token_goes_to_an_address_without_encryption_or_sense(url: str) -> None:
    with pytest.raises(Refused):
        clean_url(url)


@pytest.mark.parametrize("key", ["sb_secret_canary", "a\r\nb", "a b", "", "\u65e5"])
def test_no_secret_or_garbled_key_is_taken(key: str) -> None:
    with pytest.raises(Refused):
        clean_key(key)
