"""Password checks, without a server."""

import asyncio
from collections.abc import Iterator

import pytest

from server.auth.passwords import Passwords


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


@pytest.mark.parametrize("password", ["correct horse", "пароль🏠", "\x00" * 8, "\ud800" * 8])
def test_only_the_right_password_matches(passwords: Passwords, password: str) -> None:
    async def story() -> None:
        kept = await passwords.hash(password)
        assert kept.startswith("$argon2id$")
        assert await passwords.matches(kept, password)
        assert not await passwords.matches(kept, password + " ")

    asyncio.run(story())


def test_nobody_and_a_spoilt_hash_never_match(passwords: Passwords) -> None:
    async def story() -> None:
        assert not await passwords.matches(None, "nobody has this password")
        assert not await passwords.matches("", "nobody has this password")
        assert not await passwords.matches("spoilt", "spoilt")

    asyncio.run(story())
