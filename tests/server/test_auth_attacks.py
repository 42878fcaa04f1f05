"""Attacks on signing in, each refused with the victim's data and session as they were.

Forged access tokens are in test_forged_tokens.py. Attacks on the client, by a server that lies or fails, are in
tests/sync/test_auth_attacks.py.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect

from tests.fakes.attacked import World, joined, shut
from tests.fakes.pkce import CHALLENGE, VERIFIER
from tests.fakes.served import PASSWORD, Served

Attack = Callable[[World], None]
ATTACKS: Final[dict[str, Attack]] = {}


def attack(function: Attack) -> Attack:
    """One case of the table below, by its name."""
    ATTACKS[function.__name__] = function
    return function


# Refresh tokens.


@attack
def a_refresh_token_is_replayed_by_a_thief(world: World) -> None:
    session = world.sign_in(world.eve.email, PASSWORD).json()
    stolen = session["refresh_token"]
    world.refresh(world.refresh(stolen).json()["refresh_token"])
    with world.served.database() as db:
        db.execute("update auth.refresh_tokens set replaced_at = replaced_at - interval '11 s'")
    shut(world.refresh(stolen), "refresh_token_already_used")
    shut(world.user(session["access_token"]), "session_not_found")
    assert world.user(world.eve.access_token).status_code == 200


@attack
def a_refresh_token_is_made_for_somebody_elses_session(world: World) -> None:
    session = uuid.UUID(str(world.claims(world.anna)["session_id"]))
    body = session.bytes + (1).to_bytes(8, "big")
    for signature in (b"\0" * 16, hmac.digest(world.served.key.encode(), body, "sha256")[:16]):
        shut(world.refresh(base64.urlsafe_b64encode(body + signature).decode()), "refresh_token_not_found")


@attack
def a_refresh_token_is_patched_onto_another_session(world: World) -> None:
    own = base64.urlsafe_b64decode(world.eve.refresh_token)
    other = base64.urlsafe_b64decode(world.anna.refresh_token)
    patched = base64.urlsafe_b64encode(other[:24] + own[24:]).decode()
    shut(world.refresh(patched), "refresh_token_not_found")


@attack
def an_access_token_is_used_as_a_refresh_token(world: World) -> None:
    for token in (world.anna.access_token, world.anna.user_id, "", "null"):
        shut(world.refresh(token), "refresh_token_not_found")


@attack
def a_refresh_token_comes_as_something_else_than_text(world: World) -> None:
    for value in (None, 1, True, [world.anna.refresh_token], {"$ne": None}):
        answer = world.post("token?grant_type=refresh_token", {"refresh_token": value})
        shut(answer, "refresh_token_not_found")


# Where tokens and keys may stand.


@attack
def tokens_stand_in_the_query(world: World) -> None:
    query = f"access_token={world.anna.access_token}&jwt={world.anna.access_token}&apikey={world.served.key}"
    url = f"{world.served.url}/rest/v1/rpc/list_messages?{query}"
    shut(httpx.post(url, json={"p_chat_id": world.chat}), "PGRST301")
    shut(httpx.post(url, headers=world.served.headers(), json={"p_chat_id": world.chat}), "42501")
    shut(httpx.get(f"{world.served.url}/auth/v1/user?{query}"), "invalid_api_key")


@attack
def the_publishable_key_is_missing_or_another(world: World) -> None:
    bearer = {"Authorization": f"Bearer {world.anna.access_token}"}
    for key in ({}, {"apikey": ""}, {"apikey": "sb_publishable_x"}, {"apikey": world.anna.access_token}):
        shut(httpx.get(f"{world.served.url}/auth/v1/user", headers={**bearer, **key}), "invalid_api_key")
        url = f"{world.served.url}/rest/v1/rpc/list_messages"
        shut(httpx.post(url, headers={**bearer, **key}, json={"p_chat_id": world.chat}), "PGRST301")


@attack
def the_token_comes_by_another_scheme(world: World) -> None:
    for scheme in ("Basic", "Token", "bearer:"):
        answer = world.history(None, Authorization=f"{scheme} {world.anna.access_token}")
        shut(answer, "42501")


@attack
def the_key_of_clients_is_taken_for_a_persons_token(world: World) -> None:
    shut(world.user(world.served.key), "no_authorization")
    shut(world.history(world.served.key), "42501")


@attack
def a_schema_of_the_server_is_asked_for(world: World) -> None:
    for schema in ("auth", "homing", "pg_catalog"):
        answer = world.history(
            world.eve.access_token, **{"Content-Profile": schema, "Accept-Profile": schema}
        )
        shut(answer, "PGRST106")
    for table in ("users", "sessions", "one_time_codes", "auth.users"):
        headers = world.served.headers(world.eve.access_token)
        assert httpx.get(f"{world.served.url}/rest/v1/{table}", headers=headers).status_code == 404


# Topics.


@attack
def somebody_elses_topic_is_joined(world: World) -> None:
    own, other = world.eve.user_id, world.anna.user_id
    for topic in (
        f"user:{other}",
        f"user:{other.upper()}",
        f"user:{own}' or '1'='1",
        "user:%",
        f"user:{own},{other}",
    ):
        assert joined(world, world.eve.access_token, topic) == "error"
    assert joined(world, world.eve.access_token, f"user:{own}") == "ok"


@attack
def a_private_topic_is_joined_as_public(world: World) -> None:
    topic = f"user:{world.anna.user_id}"
    assert joined(world, world.eve.access_token, topic, private=False) == "error"
    assert joined(world, world.served.key, topic) == "error"


# The network.


@attack
def a_web_page_rebinds_its_name_to_this_machine(world: World) -> None:
    for host in ("evil.test", "127.0.0.1.evil.test", "localhost.evil.test:8787"):
        shut(world.history(world.anna.access_token, Host=host), "PT421")
        shut(world.post("signup", {}, Host=host), "PT421")


@attack
def a_web_page_of_another_origin_asks(world: World) -> None:
    for origin in ("https://evil.test", "null", "http://127.0.0.1:1", "file://"):
        shut(world.history(world.anna.access_token, Origin=origin), "PT403")
        shut(world.post("otp", {"email": world.anna.email}, Origin=origin), "PT403")


@attack
def line_breaks_stand_in_headers(world: World) -> None:
    for smuggled in (
        f"Authorization: Bearer x\r\n Authorization: Bearer {world.anna.access_token}",
        "Authorization: Bearer x\nHost: evil.test",
        "apikey: x\r\n\tapikey: y",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length: 2\r\nContent-Length: 40",
    ):
        request = (
            f"POST /auth/v1/logout HTTP/1.1\r\nHost: localhost\r\n{smuggled}\r\nConnection: close\r\n\r\n"
        )
        assert re.match(rb"HTTP/1\.1 4\d\d ", raw(world, request)), smuggled


@attack
def a_second_request_hides_in_the_first(world: World) -> None:
    hidden = f"GET /auth/v1/user HTTP/1.1\r\nHost: localhost\r\napikey: {world.served.key}\r\n\r\n"
    request = (
        "POST /auth/v1/otp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        f"Content-Length: 4\r\nConnection: close\r\n\r\n0\r\n\r\n{hidden}"
    )
    answer = raw(world, request)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert re.match(rb"HTTP/1\.1 4\d\d ", answer)


def raw(world: World, request: str) -> bytes:
    parts = urlsplit(world.served.url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 0), 10) as opened:
        opened.sendall(request.encode())
        answer = b""
        while piece := opened.recv(65_536):
            answer += piece
    return answer


# Addresses and passwords.


@attack
def sql_stands_in_the_address_or_the_password(world: World) -> None:
    for email in (
        "x'or'1'='1@example.test",
        f"{world.anna.email}'--",
        "a@b.test';drop/**/table/**/auth.users;--",
    ):
        shut(world.sign_in(email, "' or '1'='1"), "invalid_credentials", "validation_failed")
        shut(world.post("otp", {"email": [email]}), "validation_failed")


@attack
def an_address_looks_like_another_after_normalising(world: World) -> None:
    name, _, domain = world.anna.email.partition("@")
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    for twin in (
        f"{wide}@{domain}",
        f"{name}\uff20{domain}",
        f"{name}@\uff45xample.test",
        f"{name}\u200b@{domain}",
    ):
        shut(world.post("signup", {"email": twin, "password": "eve's own password"}), "validation_failed")
        shut(world.post("otp", {"email": twin}), "validation_failed")
        shut(world.sign_in(twin, PASSWORD), "validation_failed")


@attack
def an_address_looks_like_another_to_the_eye(world: World) -> None:
    twin = "\u0430" + world.anna.email
    made = world.post("signup", {"email": twin, "password": "eve's own password"}).json()
    assert made["user"]["id"] != world.anna.user_id
    assert world.history(made["access_token"]).json() == []


@attack
def an_address_is_taken_again_in_another_case(world: World) -> None:
    for twin in (world.anna.email.upper(), f" {world.anna.email.title()} "):
        shut(world.post("signup", {"email": twin, "password": "eve's own password"}), "user_already_exists")
        shut(world.sign_in(twin, "eve's own password"), "invalid_credentials")


@attack
def a_password_is_huge_or_no_text(world: World) -> None:
    for password in ("x" * 1_025, "x" * 60_000, ["x"], {"$gt": ""}, True, None):
        shut(world.sign_in(world.anna.email, password), "validation_failed")
    body = {"email": world.anna.email, "password": "x" * 200_000}
    shut(world.post("token?grant_type=password", body), "request_too_large")


@attack
def a_password_is_right_but_for_its_end(world: World) -> None:
    for password in (PASSWORD + "\0", PASSWORD + "x" * 80, PASSWORD[:-1], PASSWORD.upper(), f" {PASSWORD}"):
        shut(world.sign_in(world.anna.email, password), "invalid_credentials")


@attack
def a_password_is_guessed_in_a_burst(world: World) -> None:
    with ThreadPoolExecutor(15) as threads:
        answers = list(threads.map(lambda n: world.sign_in(world.anna.email, f"guess {n}"), range(15)))
    for answer in answers:
        shut(answer, "invalid_credentials", "over_request_rate_limit")
    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(limited) == 5
    assert all(0 < int(answer.headers["Retry-After"]) <= 301 for answer in limited)


@attack
def a_key_stands_twice_in_the_body(world: World) -> None:
    body = f'{{"email": "{world.anna.email}", "email": "{world.eve.email}", "password": "{PASSWORD}"}}'
    url = f"{world.served.url}/auth/v1/token?grant_type=password"
    shut(httpx.post(url, headers=world.served.headers(), content=body), "bad_json")


# Codes.


@attack
def a_code_is_guessed(world: World) -> None:
    code = world.code_for(world.anna.email)
    guesses = [f"{(int(code) + number) % 1_000_000:06}" for number in range(1, 11)]
    with ThreadPoolExecutor(10) as threads:
        for answer in threads.map(lambda guess: world.verify(world.anna.email, guess), guesses):
            shut(answer, "otp_expired", "over_request_rate_limit")
    shut(world.verify(world.anna.email, code), "otp_expired", "over_request_rate_limit")


@attack
def a_code_is_shown_for_another_address(world: World) -> None:
    world.code_for(world.anna.email)
    code = world.code_for(world.eve.email)
    if code != world.mailbox.code_to(world.anna.email):
        shut(world.verify(world.anna.email, code), "otp_expired")


@attack
def a_code_is_used_again(world: World) -> None:
    code = world.code_for(world.eve.email)
    assert world.verify(world.eve.email, code).status_code == 200
    shut(world.verify(world.eve.email, code), "otp_expired")


@attack
def a_code_is_used_by_two_at_once(world: World) -> None:
    code = world.code_for(world.eve.email)
    with ThreadPoolExecutor(6) as threads:
        statuses = list(threads.map(lambda _: world.verify(world.eve.email, code).status_code, range(6)))
    assert sorted(statuses) == [200] + [403] * 5


@attack
def a_code_is_used_too_late(world: World) -> None:
    code = world.code_for(world.anna.email)
    with world.served.database() as db:
        db.execute("update auth.one_time_codes set expires_at = now() where email = %s", (world.anna.email,))
    shut(world.verify(world.anna.email, code), "otp_expired")


@attack
def a_code_is_used_for_something_else(world: World) -> None:
    code = world.code_for(world.anna.email)
    for kind in ("recovery", "email_change"):
        shut(world.verify(world.anna.email, code, kind), "otp_expired")
    for kind in ("sms", "phone_change", "reauthentication", "invite", ""):
        shut(world.verify(world.anna.email, code, kind), "validation_failed")


@attack
def a_code_comes_in_another_form(world: World) -> None:
    code = world.code_for(world.anna.email)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    for shown in (f" {code}", f"{code} ", f"+{code}", wide, f"{code}\0"):
        shut(world.verify(world.anna.email, shown), "otp_expired")
    for value in (int(code), [code], {"$gt": ""}):
        body = {"type": "email", "email": world.anna.email, "token": value}
        shut(world.post("verify", body), "validation_failed")


@attack
def the_token_of_a_link_is_guessed_from_the_code(world: World) -> None:
    code = world.code_for(world.anna.email)
    for digest in (hashlib.sha224, hashlib.sha256):
        guess = digest(f"{world.anna.email}{code}".encode()).hexdigest()
        shut(world.post("verify", {"type": "email", "token_hash": guess}), "otp_expired")


# PKCE.


@attack
def pkce_is_left_out_on_the_way_back(world: World) -> None:
    link = world.link_for(world.eve.email, code_challenge=CHALLENGE, code_challenge_method="s256")
    token = parse_qs(urlsplit(link).query)["token"][0]
    for shown in (token, token.removeprefix("pkce_")):
        shut(world.post("verify", {"type": "email", "token_hash": shown}), "otp_expired")
    bare = httpx.get(link.replace("pkce_", "")).headers["Location"]
    assert "access_token" not in bare
    led = httpx.get(link).headers["Location"]
    assert "access_token" not in led
    assert "code=" in led


@attack
def the_challenge_is_shown_as_its_verifier(world: World) -> None:
    code = world.auth_code_for(world.eve.email)
    shut(
        world.post("token?grant_type=pkce", {"auth_code": code, "code_verifier": CHALLENGE}),
        "bad_code_verifier",
    )


@attack
def an_auth_code_is_stolen(world: World) -> None:
    code = world.auth_code_for(world.eve.email)
    for verifier in ("w" * 64, VERIFIER[:-1], VERIFIER.upper(), " " + VERIFIER):
        body = {"auth_code": code, "code_verifier": verifier, "code_challenge_method": "plain"}
        shut(world.post("token?grant_type=pkce", body), "bad_code_verifier")
    for nothing in (None, "", 0):
        incomplete = {"auth_code": code, "code_verifier": nothing}
        shut(world.post("token?grant_type=pkce", incomplete), "validation_failed")
    assert (
        world.post("token?grant_type=pkce", {"auth_code": code, "code_verifier": VERIFIER}).status_code == 200
    )


@attack
def an_auth_code_is_used_again(world: World) -> None:
    body = {"auth_code": world.auth_code_for(world.eve.email), "code_verifier": VERIFIER}
    with ThreadPoolExecutor(6) as threads:
        statuses = list(
            threads.map(lambda _: world.post("token?grant_type=pkce", body).status_code, range(6))
        )
    assert sorted(statuses) == [200] + [404] * 5


@attack
def an_auth_code_is_guessed_or_late(world: World) -> None:
    code = world.auth_code_for(world.eve.email)
    guess = {"auth_code": str(uuid.uuid4()), "code_verifier": VERIFIER}
    shut(world.post("token?grant_type=pkce", guess), "flow_state_not_found")
    with world.served.database() as db:
        db.execute("update auth.auth_codes set expires_at = now()")
    late = {"auth_code": code, "code_verifier": VERIFIER}
    shut(world.post("token?grant_type=pkce", late), "flow_state_expired")


@attack
def a_challenge_without_its_method_is_no_challenge(world: World) -> None:
    for more in (
        {"code_challenge": CHALLENGE},
        {"code_challenge_method": "s256"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "none"},
    ):
        shut(world.post("otp", {"email": world.anna.email, **more}), "validation_failed")
        shut(world.post("recover", {"email": world.anna.email, **more}), "validation_failed")


# Links.

STRANGE_TARGETS: Final = (
    "https://evil.test/", "//evil.test", "https://localhost.evil.test/", "https://evil.test#localhost",
    "https://evil.test@localhost/", "https://localhost@evil.test/", "https://localhost:x@evil.test/", "https://evil.test\\@localhost/",
    "https://localhost\\.evil.test/", "http://127.0.0.1.evil.test/", "http://2130706433.evil.test/",
    "javascript:alert(1)", "JAVASCRIPT:alert(1)//localhost", "data:text/html,x", "file:///etc/passwd", "myapp://cb",
    "http://localhost/\r\nSet-Cookie: a=b", "http://localhost/\tx", "http:///localhost", "localhost:3000",
    "http://\uff4c\uff4fcalhost/", "http://[::1", "http://localhost:99999/", "http://" + "l" * 3_000,
)  # fmt: skip


@attack
def a_mail_shall_lead_to_a_strange_place(world: World) -> None:
    before = len(world.mailbox.letters)
    for target in STRANGE_TARGETS:
        for path in ("otp", "recover"):
            answer = httpx.post(
                f"{world.served.url}/auth/v1/{path}",
                params={"redirect_to": target},
                headers=world.served.headers(),
                json={"email": world.anna.email},
            )
            shut(answer, "validation_failed")
    assert len(world.mailbox.letters) == before


@attack
def a_link_is_bent_to_a_strange_place(world: World) -> None:
    link = urlsplit(world.link_for(world.eve.email))
    query = dict(parse_qsl(link.query))
    for target in STRANGE_TARGETS:
        bent = httpx.get(f"{world.served.url}/auth/v1/verify", params={**query, "redirect_to": target})
        shut(bent, "validation_failed")
        assert "Location" not in bent.headers
        assert "Set-Cookie" not in bent.headers
    assert "access_token" in httpx.get(link.geturl()).headers["Location"]


# Who has an account.


@attack
def answers_are_compared_to_learn_who_has_an_account(world: World) -> None:
    stranger = f"{uuid.uuid4().hex}@example.test"

    def told(answer: httpx.Response) -> tuple[int, str, set[str]]:
        return answer.status_code, answer.text, set(answer.headers)

    for path, more in (("otp", {"create_user": False}), ("otp", {}), ("recover", {})):
        known, unknown = (world.post(path, {"email": each, **more}) for each in (world.anna.email, stranger))
        assert told(known) == told(unknown)
        assert len(world.mailbox.to(stranger)) == len(world.mailbox.to(world.anna.email))
    for kind in ("recovery", "email_change"):
        known, unknown = (world.verify(each, "x", kind) for each in (world.anna.email, stranger))
        assert told(known) == told(unknown)
    known, unknown = (world.sign_in(each, "wrong password") for each in (world.anna.email, stranger))
    assert told(known) == told(unknown)


@attack
def times_are_compared_to_learn_who_has_an_account(world: World) -> None:
    def seconds(step: Callable[[str], httpx.Response], email: str) -> float:
        begun = time.perf_counter()
        step(email)
        return time.perf_counter() - begun

    steps: list[Callable[[str], httpx.Response]] = [
        lambda email: world.sign_in(email, "wrong password"),
        lambda email: world.post("recover", {"email": email}),
        lambda email: world.post("otp", {"email": email, "create_user": False}),
    ]
    for step in steps:
        stranger = f"{uuid.uuid4().hex}@example.test"
        # In turns, and the quickest of each: what else this computer does falls out.
        times = [(seconds(step, world.anna.email), seconds(step, stranger)) for _ in range(8)]
        known, unknown = (min(each) for each in zip(*times, strict=True))
        assert 0.4 < known / unknown < 2.5


@attack
def signing_up_again_changes_nothing(world: World) -> None:
    body = {"email": world.anna.email, "password": "eve's own password", "data": {"name": "Eve"}}
    shut(world.post("signup", body), "user_already_exists")
    shut(world.sign_in(world.anna.email, "eve's own password"), "invalid_credentials")


@attack
def metadata_come_along_with_a_code_for_somebody_else(world: World) -> None:
    made = world.verify(world.anna.email, world.code_for(world.anna.email, data={"name": "Eve"})).json()
    assert made["user"]["user_metadata"] == {}
    headers = world.served.headers(made["access_token"])
    httpx.post(f"{world.served.url}/auth/v1/logout?scope=local", headers=headers)


@attack
def headers_are_added_to_a_mail(world: World) -> None:
    before = len(world.mailbox.letters)
    for email in (
        "x@example.test\r\nBcc: eve@example.test",
        "x\nSubject: hello@example.test",
        "x@example.test\u2028Bcc: eve@example.test",
        "x@example.test,eve@example.test",
        "<eve@example.test>x@example.test",
        '"x\r\n"@example.test',
    ):
        shut(world.post("otp", {"email": email}), "validation_failed")
        shut(world.put_user(world.eve, email=email), "validation_failed")
    assert len(world.mailbox.letters) == before


# More rights.


@attack
def a_role_stands_in_the_metadata(world: World) -> None:
    admin = {"role": "service_role", "app_metadata": {"role": "service_role"}, "is_super_admin": True}
    email = f"{uuid.uuid4().hex}@example.test"
    made = world.post("signup", {"email": email, "password": PASSWORD, "data": admin, **admin}).json()
    claims = jwt.decode(made["access_token"], options={"verify_signature": False})
    assert (claims["role"], claims["aud"]) == ("authenticated", "authenticated")
    assert claims["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert made["user"]["role"] == "authenticated"
    assert world.history(made["access_token"]).json() == []


@attack
def app_metadata_are_changed_by_their_user(world: World) -> None:
    shut(world.put_user(world.eve, app_metadata={"role": "admin"}), "not_admin")
    shut(world.put_user(world.eve, app_metadata={}, data={"name": "Eve"}), "not_admin")
    assert world.user(world.eve.access_token).json()["user_metadata"] == {}


@attack
def other_fields_of_a_user_are_changed(world: World) -> None:
    answer = world.put_user(
        world.eve, id=world.anna.user_id, role="service_role", aud="x", banned_until=None, email_confirmed_at=None,
        raw_app_meta_data={"role": "admin"}, is_super_admin=True, user_id=world.anna.user_id,
    )  # fmt: skip
    user = answer.json()
    assert (user["id"], user["role"], user["aud"]) == (world.eve.user_id, "authenticated", "authenticated")
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"]}


@attack
def metadata_grow_until_no_token_fits_into_a_header(world: World) -> None:
    shut(world.put_user(world.eve, data={"a": "x" * 9_000}), "validation_failed")
    assert world.put_user(world.eve, data={"a": "x" * 7_000}).status_code == 200
    shut(world.put_user(world.eve, data={"b": "x" * 7_000}), "validation_failed")
    refreshed = world.refresh(world.eve.refresh_token).json()["access_token"]
    assert world.user(refreshed).status_code == 200


@attack
def somebody_elses_address_is_taken_over(world: World) -> None:
    assert world.put_user(world.eve, email=world.anna.email).status_code == 200
    code = world.mailbox.code_to(world.anna.email)
    assert world.eve.email in str(world.mailbox.to(world.anna.email)[-1].get_content())
    shut(world.verify(world.eve.email, code, "email_change"), "otp_expired")
    shut(world.verify(world.anna.email, "000000", "email_change"), "otp_expired")
    shut(world.verify(world.anna.email, code, "email_change"), "email_exists")
    assert world.user(world.eve.access_token).json()["email"] == world.eve.email


@attack
def a_password_is_changed_by_who_found_an_old_session(world: World) -> None:
    with world.served.database() as db:
        db.execute(
            "update auth.sessions set created_at = now() - interval '2 days' where user_id = %s",
            (world.anna.user_id,),
        )
    new = "eve's own password"
    shut(world.put_user(world.anna, password=new), "reauthentication_needed")
    shut(world.put_user(world.anna, password=new, nonce=""), "reauthentication_needed")
    shut(world.put_user(world.anna, password=new, nonce="123456"), "reauthentication_not_valid")
    shut(world.put_user(world.anna, password=new, current_password=new), "current_password_invalid")
    world.post("reauthenticate", {}, Authorization=f"Bearer {world.eve.access_token}")
    nonce = world.mailbox.code_to(world.eve.email)
    shut(world.put_user(world.anna, password=new, nonce=nonce), "reauthentication_not_valid")


# Sessions that are over.


def over(world: World, token: str) -> None:
    """The token is in time, but its session is not."""
    shut(world.history(token), "PGRST301")
    chats = httpx.get(f"{world.served.url}/rest/v1/chats", headers=world.served.headers(token))
    shut(chats, "PGRST301")
    shut(world.user(token), "session_not_found", "user_not_found", "user_banned")
    assert joined(world, token, f"user:{world.eve.user_id}") == "error"


@attack
def a_device_that_signed_out_goes_on(world: World) -> None:
    headers = world.served.headers(world.eve.access_token)
    assert httpx.post(f"{world.served.url}/auth/v1/logout?scope=local", headers=headers).status_code == 204
    over(world, world.eve.access_token)
    shut(world.refresh(world.eve.refresh_token), "refresh_token_not_found")


@attack
def a_device_that_was_signed_out_from_another_listens_on(world: World) -> None:
    other = world.sign_in(world.eve.email, PASSWORD).json()["access_token"]

    async def story() -> None:
        url = f"{world.served.url.replace('http', 'ws', 1)}/realtime/v1/websocket"
        async with connect(f"{url}?apikey={world.served.key}&vsn=1.0.0") as listening:
            payload = {"config": {"private": True}, "access_token": world.eve.access_token}
            topic = f"realtime:user:{world.eve.user_id}"
            await listening.send(
                json.dumps({"topic": topic, "event": "phx_join", "payload": payload, "ref": "1"})
            )
            assert json.loads(await listening.recv())["payload"]["status"] == "ok"
            async with httpx.AsyncClient() as http:
                path = f"{world.served.url}/auth/v1/logout?scope=others"
                await http.post(path, headers=world.served.headers(other))
            await asyncio.wait_for(listening.wait_closed(), 10)
            assert listening.close_code == 1008

    asyncio.run(story())
    over(world, world.eve.access_token)
    assert world.user(other).status_code == 200


@attack
def who_signs_out_ends_somebody_elses_session(world: World) -> None:
    for scope in (
        "global",
        "others",
        "everybody",
        f"local&session_id={world.claims(world.anna)['session_id']}",
    ):
        headers = world.served.headers(world.eve.access_token)
        httpx.post(f"{world.served.url}/auth/v1/logout?scope={scope}", headers=headers)
    assert world.user(world.anna.access_token).status_code == 200


@attack
def a_banned_person_goes_on(world: World) -> None:
    with world.served.database() as db:
        db.execute("update auth.users set banned_until = 'infinity' where id = %s", (world.eve.user_id,))
    over(world, world.eve.access_token)
    shut(world.sign_in(world.eve.email, PASSWORD), "user_banned")
    shut(world.refresh(world.eve.refresh_token), "user_banned")
    shut(world.verify(world.eve.email, world.code_for(world.eve.email)), "user_banned")
    led = httpx.get(world.link_for(world.eve.email)).headers["Location"]
    assert "error_code=user_banned" in led
    assert "access_token" not in led
    shut(world.put_user(world.eve, password="another horse battery"), "user_banned")


@attack
def a_deleted_person_goes_on(world: World) -> None:
    with world.served.database() as db:
        db.execute("delete from auth.users where id = %s", (world.eve.user_id,))
    over(world, world.eve.access_token)
    shut(world.refresh(world.eve.refresh_token), "refresh_token_not_found")
    written = world.eve.rpc("save_chats", p_chats=[{"chat_id": str(uuid.uuid4())}])
    shut(written, "PGRST301")


@attack
def a_session_outlives_a_changed_password(world: World) -> None:
    other = world.sign_in(world.eve.email, PASSWORD).json()
    assert world.put_user(world.eve, password="another horse battery").status_code == 200
    over(world, other["access_token"])
    shut(world.refresh(other["refresh_token"]), "refresh_token_not_found")
    shut(world.sign_in(world.eve.email, PASSWORD), "invalid_credentials")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_all_data_intact(world: World, name: str) -> None:
    ATTACKS[name](world)


def test_there_are_at_least_forty_attacks() -> None:
    assert len(ATTACKS) >= 40


def test_what_attackers_sent_is_not_in_the_log(mailing: Served) -> None:
    for secret in ("access_token", "guess 1", "eve's own", "pkce_", PASSWORD, "@example.test"):
        assert secret not in mailing.stderr
