"""Signing in and renewing against an auth server that misbehaves: what is an end, and what is only a bad day."""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storage.records import Account, AccountId
from sync.errors import (
    CaptivePortal,
    QuotaExceeded,
    Refused,
    RetryLater,
    SessionOver,
    SignInAgain,
    SyncError,
    Unreachable,
    UpdateNeeded,
)
from sync.login.session import Session
from sync.login.session_file import Sessions
from sync.login.vault import SessionStoreKind
from sync.wire import auth
from sync.wire.endpoint import endpoint
from sync.wire.replies import DEFINITIVE
from tests.fakes.faults import HANG, RESET, Answer, FaultyServer, Raw, Reply, Request, faulty_server, page

T = TypeVar("T")
KEY = "sb_publishable_canary"
EMAIL = "canary@example.org"
PASSWORD = "password-canary"
USER = {
    "id": "6a5c9a6e-0000-4000-8000-000000000001",
    "aud": "authenticated",
    "email": EMAIL,
    "created_at": "2026-11-21T10:00:00Z",
    "app_metadata": {},
    "user_metadata": {},
    "identities": [],
}
GRANTED = {
    "access_token": "access-canary",
    "refresh_token": "refresh-canary",
    "expires_in": 3600,
    "expires_at": 1,
    "token_type": "bearer",
    "user": USER,
}
OLD = Session("old-access-canary", "old-refresh-canary", 0.0, str(USER["id"]), EMAIL)


def shaped(code: str, status: int = 400) -> list[Answer]:
    """GoTrue's two shapes of one error; its words repeat what was sent."""
    version = {"x-supabase-api-version": "2024-01-01"}
    return [
        Answer(status, {"code": code, "message": f"{EMAIL} {PASSWORD}"}, version),
        Answer(status, {"code": status, "error_code": code, "msg": f"{EMAIL} {PASSWORD}"}),
    ]


def with_server(reply: Reply, act: Callable[[FaultyServer], Awaitable[T]]) -> T:
    async def run() -> T:
        async with faulty_server(lambda _: reply) as server:
            return await act(server)

    return asyncio.run(run())


def signed_in(reply: Reply) -> Session:
    return with_server(reply, lambda server: auth.sign_in(server.url, KEY, EMAIL, PASSWORD))


def signed_up(reply: Reply) -> Session:
    return with_server(reply, lambda server: auth.sign_up(server.url, KEY, EMAIL, PASSWORD))


def refreshed(reply: Reply) -> Session:
    return with_server(reply, lambda server: auth.refresh(endpoint(server.url, KEY), OLD))


def signed_out(reply: Reply) -> None:
    with_server(reply, lambda server: auth.sign_out(server.url, KEY, "access-canary"))


CALLS: list[Callable[[Reply], Any]] = [signed_in, signed_up, refreshed, signed_out]


def test_signing_in_sends_the_password_once_and_keeps_the_servers_lifetime() -> None:
    async def act(server: FaultyServer) -> Request:
        session = await auth.sign_in(f"{server.url}/", KEY, f" {EMAIL} ", PASSWORD)
        assert session.access_token == "access-canary"
        assert session.refresh_token == "refresh-canary"
        assert (session.user_id, session.email, session.lifetime) == (USER["id"], EMAIL, 3600.0)
        assert abs(session.expires_at - time.time() - 3600) < 60
        (request,) = server.requests
        return request

    request = with_server(Answer(body=GRANTED), act)
    assert (request.method, request.path) == ("POST", "/auth/v1/token?grant_type=password")
    assert request.headers["apikey"] == KEY
    assert (request.json["email"], request.json["password"]) == (EMAIL, PASSWORD)


def test_a_renewal_sends_the_refresh_token_in_the_body_only() -> None:
    async def act(server: FaultyServer) -> Request:
        await auth.refresh(endpoint(server.url, KEY), OLD)
        (request,) = server.requests
        return request

    request = with_server(Answer(body=GRANTED), act)
    assert request.path == "/auth/v1/token?grant_type=refresh_token"
    assert request.json == {"refresh_token": "old-refresh-canary"}


def test_signing_up_gives_a_session_or_asks_to_confirm_the_address() -> None:
    assert signed_up(Answer(body=GRANTED)).user_id == USER["id"]
    with pytest.raises(SignInAgain, match="mail"):
        signed_up(Answer(body={**USER, "confirmation_sent_at": "2026-11-21T10:00:00Z"}))


def test_signing_out_names_its_scope_and_forgives_a_session_that_is_over() -> None:
    async def act(server: FaultyServer) -> Request:
        await auth.sign_out(server.url, KEY, "access-canary", "others")
        (request,) = server.requests
        return request

    request = with_server(Answer(204), act)
    assert (request.method, request.path) == ("POST", "/auth/v1/logout?scope=others")
    assert request.headers["authorization"] == "Bearer access-canary"
    for code in ("session_not_found", "bad_jwt"):
        for reply in shaped(code, 403):
            signed_out(reply)


@pytest.mark.parametrize("code", sorted(DEFINITIVE))
def test_only_the_definitive_codes_end_a_session(code: str) -> None:
    for reply in shaped(code):
        with pytest.raises(SessionOver):
            refreshed(reply)


PASSING: list[tuple[Reply, type[SyncError]]] = [
    (page(200), Unreachable),
    (page(400), Unreachable),
    (page(401), Unreachable),
    (page(403), Unreachable),
    (page(500), RetryLater),
    (page(503), RetryLater),
    (Answer(302, headers={"location": "http://127.0.0.1:1/login"}), Unreachable),
    (Answer(429, {"code": "over_request_rate_limit", "message": ""}, {"retry-after": "9"}), RetryLater),
    (Answer(500, {"code": 500, "error_code": "unexpected_failure", "msg": ""}), RetryLater),
    (Answer(200, b'{"access_token": "acc', {"content-type": "application/json"}), Unreachable),
    (Answer(body={"surprise": 1}), SyncError),
    (Answer(body={}), CaptivePortal),
    (page(511), CaptivePortal),
    (Answer(511, {"login": "http://portal.example"}), CaptivePortal),
    (Answer(407), Unreachable),
    (Answer(402, {"message": "pay"}), QuotaExceeded),
    (Answer(body={**GRANTED, "user": None}), UpdateNeeded),
    (Answer(body={**GRANTED, "refresh_token": ""}), UpdateNeeded),
    (Answer(body=[]), UpdateNeeded),
    (Answer(200, b""), Unreachable),
    (
        Answer(400, {"code": "validation_failed", "message": ""}, {"x-supabase-api-version": "2024-01-01"}),
        SyncError,
    ),
    (Answer(401, {"message": "Invalid API key"}), Refused),
    (Raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"), Unreachable),
    (RESET, Unreachable),
]


@pytest.mark.parametrize(("reply", "kind"), PASSING)
def test_no_bad_day_of_the_server_ends_a_session(tmp_path: Path, reply: Reply, kind: type[SyncError]) -> None:
    async def act(server: FaultyServer) -> None:
        account = Account(AccountId("a"), server.url, KEY, EMAIL, OLD.user_id, signed_in=True)
        sessions = Sessions(tmp_path, SessionStoreKind.FILE)
        sessions.of(account.account_id).save(OLD)
        with pytest.raises(kind) as caught:
            await auth.keeper_of(account, sessions).access_token()
        assert not isinstance(caught.value, SessionOver)
        assert sessions.of(account.account_id).load() == OLD

    with_server(reply, act)


def test_a_definitive_code_erases_and_a_good_answer_replaces_the_stored_session(tmp_path: Path) -> None:
    async def act(server: FaultyServer) -> None:
        account = Account(AccountId("a"), server.url, KEY, EMAIL, OLD.user_id, signed_in=True)
        sessions = Sessions(tmp_path, SessionStoreKind.FILE)
        place = sessions.of(account.account_id)
        place.save(OLD)
        assert await auth.keeper_of(account, sessions).access_token() == "access-canary"
        stored = place.load()
        assert stored is not None
        assert stored.refresh_token == "refresh-canary"
        place.save(OLD)
        server.respond = lambda _: shaped("session_expired")[0]
        with pytest.raises(SessionOver):
            await auth.keeper_of(account, sessions).access_token()
        assert place.load() is None

    with_server(Answer(body=GRANTED), act)


def test_a_renewal_for_somebody_else_is_refused(tmp_path: Path) -> None:
    async def act(server: FaultyServer) -> None:
        account = Account(AccountId("a"), server.url, KEY, EMAIL, OLD.user_id, signed_in=True)
        sessions = Sessions(tmp_path, SessionStoreKind.FILE)
        sessions.of(account.account_id).save(OLD)
        with pytest.raises(Refused) as caught:
            await auth.keeper_of(account, sessions).access_token()
        assert caught.value.code == "other_user"
        assert sessions.of(account.account_id).load() == OLD

    with_server(Answer(body={**GRANTED, "user": {**USER, "id": "somebody-else"}}), act)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("invalid_credentials", SignInAgain, "wrong"),
        ("email_not_confirmed", SignInAgain, "mail"),
        ("user_already_exists", Refused, "sign in instead"),
        ("weak_password", Refused, "longer"),
        ("signup_disabled", Refused, "no new accounts"),
    ],
)
def test_what_a_person_did_wrong_is_said_in_our_words(code: str, kind: type[SyncError], words: str) -> None:
    for reply in shaped(code):
        for call in (signed_in, signed_up):
            with pytest.raises(kind, match=words) as caught:
                call(reply)
            assert "canary" not in str(caught.value)


def test_a_wrong_key_or_address_is_told_before_or_at_the_first_call() -> None:
    with pytest.raises(Refused, match="https://"):
        asyncio.run(auth.sign_in("abc.supabase.co", KEY, EMAIL, PASSWORD))
    with pytest.raises(Refused, match="key"):
        asyncio.run(auth.sign_in("https://abc.supabase.co", "", EMAIL, PASSWORD))
    with pytest.raises(Refused, match="publishable key"):
        signed_in(Answer(401, {"message": "Invalid API key", "hint": "Double check"}))


@pytest.mark.parametrize(("email", "password"), [("", "x"), ("  ", "x"), (EMAIL, "")])
def test_an_empty_field_is_told_without_asking_the_server(email: str, password: str) -> None:
    async def act(server: FaultyServer) -> int:
        for call in (auth.sign_in, auth.sign_up):
            with pytest.raises(SignInAgain, match="both"):
                await call(server.url, KEY, email, password)
        return len(server.requests)

    assert with_server(Answer(body=GRANTED), act) == 0


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.wire.transport.IDLE_SECONDS", 0.1)
    for call in CALLS:
        with pytest.raises(Unreachable):
            call(HANG)


def test_nothing_secret_is_logged_or_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replies: list[Reply] = [
        *shaped("bad_json"),
        page(500),
        Answer(body={"email": EMAIL, "password": PASSWORD, "access_token": "access-canary"}),
        RESET,
    ]
    for reply in replies:
        for call in (signed_in, signed_up, refreshed):
            with pytest.raises(SyncError) as caught:
                call(reply)
            assert "canary" not in "".join(traceback.format_exception(caught.value))
    signed_in(Answer(body=GRANTED))
    assert "canary" not in caplog.text
