"""Access and refresh tokens without a server."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tokens import RefreshToken, Refusal, TokenRefused, Tokens

TOKENS = Tokens(b"s" * 64, "http://localhost/auth/v1")


def access(now: float) -> tuple[str, int]:
    return TOKENS.access(uuid.uuid4(), "a@b.test", uuid.uuid4(), now, app_metadata={}, user_metadata={})


def test_an_access_token_names_its_user_for_an_hour() -> None:
    user, session, now = uuid.uuid4(), uuid.uuid4(), time.time()
    text, expires_at = TOKENS.access(user, "a@b.test", session, now, app_metadata={}, user_metadata={"ä": 1})
    caller = TOKENS.caller(text)
    assert (caller.user_id, caller.session_id, caller.role) == (user, session, "authenticated")
    assert caller.expires_at == expires_at == int(now) + 3600


def test_an_hour_later_it_is_expired() -> None:
    with pytest.raises(TokenRefused) as caught:
        TOKENS.caller(access(time.time() - 3601)[0])
    assert caught.value.refusal is Refusal.EXPIRED


def test_another_servers_token_is_invalid() -> None:
    with pytest.raises(TokenRefused) as caught:
        Tokens(b"t" * 64, "http://localhost/auth/v1").caller(access(time.time())[0])
    assert caught.value.refusal is Refusal.INVALID


@given(st.uuids(), st.integers(0, 2**64 - 1))
def test_a_refresh_token_is_the_same_text_each_time_and_reads_back(session: uuid.UUID, counter: int) -> None:
    token = RefreshToken(session, counter)
    assert TOKENS.refresh(token) == TOKENS.refresh(token)
    assert TOKENS.parse_refresh(TOKENS.refresh(token)) == token


@given(st.uuids(), st.integers(0, 319))
def test_no_bit_of_a_refresh_token_can_be_changed(session: uuid.UUID, bit: int) -> None:
    import base64

    raw = bytearray(base64.urlsafe_b64decode(TOKENS.refresh(RefreshToken(session, 7))))
    raw[bit // 8] ^= 1 << bit % 8
    assert TOKENS.parse_refresh(base64.urlsafe_b64encode(raw).decode()) is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_other_text_is_no_refresh_token(text: str) -> None:
    assert TOKENS.parse_refresh(text) is None


def test_codes_and_tokens_outlive_a_replaced_key_and_end_with_a_revoked_one() -> None:
    tokens = Tokens(b"o" * 64, "http://localhost/auth/v1")
    kept, refresh = tokens.digests(b"email 123456")[0], tokens.refresh(RefreshToken(uuid.uuid4(), 1))
    tokens.use(b"n" * 64, [b"o" * 64])
    assert kept in tokens.digests(b"email 123456")
    assert kept != tokens.digests(b"email 123456")[0]
    assert tokens.parse_refresh(refresh) is not None
    tokens.use(b"n" * 64)
    assert kept not in tokens.digests(b"email 123456")
    assert tokens.parse_refresh(refresh) is None


def test_a_token_of_another_address_of_this_server_does_not_count() -> None:
    elsewhere = Tokens(b"s" * 64, "https://other.example.test/auth/v1")
    with pytest.raises(TokenRefused) as caught:
        elsewhere.caller(access(time.time())[0])
    assert caught.value.refusal is Refusal.INVALID
