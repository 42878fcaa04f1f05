"""Access tokens that nobody was given: each is refused by every door, with the victim's data and session intact."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Final

import httpx
import jwt
import pytest

from tests.fakes.attacked import World, joined, shut, unharmed
from tests.fakes.mailbox import Mailbox
from tests.fakes.served import Served


@pytest.fixture(scope="module")
def world(mailing: Served, mailbox: Mailbox) -> Iterator[World]:
    """The same people for all forgeries: what is refused leaves nothing behind, as each test sees."""
    with unharmed(mailing, mailbox) as made:
        yield made


def shut_everywhere(world: World, token: str) -> None:
    """A forged token opens neither functions nor tables, nor auth, nor a topic."""
    shut(world.history(token), "PGRST301", "PGRST303")
    tables = httpx.get(f"{world.served.url}/rest/v1/chats", headers=world.served.headers(token))
    shut(tables, "PGRST301", "PGRST303")
    shut(world.user(token), "bad_jwt")
    logout = httpx.post(f"{world.served.url}/auth/v1/logout", headers=world.served.headers(token))
    shut(logout, "bad_jwt")
    assert joined(world, token, f"user:{world.anna.user_id}") == "error"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def handmade(header: object, payload: object, key: bytes = b"") -> str:
    body = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{body}.{b64(hmac.digest(key, body.encode(), 'sha256')) if key else ''}"


# Tokens that nobody was given. `s` signs with the true secret: what only a leaked or shared one could forge.
Forge = Callable[[World, dict[str, object], Callable[..., str]], str]
FORGERIES: Final[dict[str, Forge]] = {
    "alg none": lambda w, c, s: handmade({"alg": "none", "typ": "JWT"}, c),
    "alg None in another case": lambda w, c, s: handmade({"alg": "nOnE"}, c),
    "alg none with the true signature": lambda w, c, s: (
        handmade({"alg": "none"}, c) + w.anna.access_token.split(".")[2]
    ),
    "no alg": lambda w, c, s: handmade({"typ": "JWT"}, c, b"x" * 64),
    "signed with the publishable key": lambda w, c, s: handmade({"alg": "HS256"}, c, w.served.key.encode()),
    "signed with nothing": lambda w, c, s: jwt_like({"alg": "HS256"}, c, b""),
    "another algorithm": lambda w, c, s: jwt.encode(c, w.secret().ljust(128, "x"), "HS512"),
    "an asymmetric name over a symmetric signature": lambda w, c, s: handmade(
        {"alg": "RS256"}, c, w.served.key.encode()
    ),
    "another issuer": lambda w, c, s: s(iss="https://evil.test/auth/v1"),
    "no issuer": lambda w, c, s: s(iss=None),
    "another audience": lambda w, c, s: s(aud="anon"),
    "no audience": lambda w, c, s: s(aud=None),
    "expired": lambda w, c, s: s(exp=1_000_000_000),
    "no expiry": lambda w, c, s: s(exp=None),
    "not yet valid": lambda w, c, s: s(nbf=4_000_000_000),
    "issued in the future": lambda w, c, s: s(iat=4_000_000_000),
    "a key id that is a path": lambda w, c, s: handmade(
        {"alg": "HS256", "kid": "../../../dev/null"}, c, b"\0"
    ),
    "a key id that is SQL": lambda w, c, s: handmade(
        {"alg": "HS256", "kid": "' union select 'x' --"}, c, b"x"
    ),
    "a key id that is no text": lambda w, c, s: handmade({"alg": "HS256", "kid": ["a"]}, c, b"x"),
    "a key that it brings along": lambda w, c, s: handmade(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"x" * 32)}}, c, b"x" * 32
    ),
    "a key that it links to": lambda w, c, s: handmade(
        {"alg": "HS256", "jku": f"{w.served.url}/auth/v1/settings"}, c, b"x" * 32
    ),
    "a critical extension": lambda w, c, s: jwt.encode(
        c, w.secret(), "HS256", headers={"crit": ["exp2"], "exp2": 1}
    ),
    "the role service_role": lambda w, c, s: s(role="service_role"),
    "the role of the database's owner": lambda w, c, s: s(role="homing"),
    "no subject": lambda w, c, s: s(sub=None),
    "a subject that is SQL": lambda w, c, s: s(sub="x' or true --"),
    "no session": lambda w, c, s: s(session_id=None),
    "Anna's claims under Eve's signature": lambda w, c, s: ".".join(
        [*w.anna.access_token.split(".")[:2], w.eve.access_token.split(".")[2]]
    ),
    "Anna's subject in Eve's token": lambda w, c, s: swapped(w.eve.access_token, sub=w.anna.user_id),
    "over-long": lambda w, c, s: s(user_metadata={"a": "x" * 40_000}),
    "a refresh token": lambda w, c, s: w.anna.refresh_token,
    "cut": lambda w, c, s: w.anna.access_token[:-2],
    "twice": lambda w, c, s: w.anna.access_token + w.anna.access_token,
    "five parts": lambda w, c, s: "a.b.c.d.e",
}


def jwt_like(header: object, payload: object, key: bytes) -> str:
    body = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{body}.{b64(hmac.digest(key, body.encode(), 'sha256'))}"


def swapped(token: str, **changes: object) -> str:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{b64(json.dumps({**claims, **changes}).encode())}.{signature}"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_opens_nothing(world: World, name: str) -> None:
    claims, before = world.claims(world.anna), world.kept()

    def signed(**changes: object) -> str:
        changed = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(changed, world.secret(), "HS256")

    assert world.user(signed()).status_code == 200
    shut_everywhere(world, FORGERIES[name](world, claims, signed))
    assert world.kept() == before


def test_there_are_many_forgeries() -> None:
    assert len(FORGERIES) >= 30
