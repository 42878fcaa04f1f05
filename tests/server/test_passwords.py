"""Password checks and the brake on guessing, without a server."""

import asyncio
from collections.abc import Iterator

import pytest

from server.auth.passwords import GuessBrake, Passwords


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


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_eleventh_wrong_password_waits_and_time_forgives() -> None:
    clock = Clock()
    brake = GuessBrake(clock)
    for _ in range(10):
        assert brake.wait("here", "a") == 0
        brake.tried("here", "a")
    assert 0 < brake.wait("here", "a") <= 300
    assert brake.wait("here", "b") == 0
    assert brake.wait("there", "a") == 0
    clock.now += 301
    assert brake.wait("here", "a") == 0


def test_one_address_cannot_try_everybody() -> None:
    brake = GuessBrake(Clock())
    for number in range(100):
        brake.tried("here", f"person {number}")
    assert brake.wait("here", "somebody else") > 0
    assert brake.wait("there", "somebody else") == 0


def test_the_right_password_clears_the_account() -> None:
    brake = GuessBrake(Clock())
    for _ in range(1_000):
        brake.tried("here", "a")
        brake.succeeded("here", "a")
    assert brake.wait("here", "a") == 0


def test_memory_is_bounded_under_a_flood() -> None:
    brake = GuessBrake(Clock())
    for number in range(20_000):
        brake.tried(f"address {number}", "a")
    assert len(brake._failures) <= 10_000
