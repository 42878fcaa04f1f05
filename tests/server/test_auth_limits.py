"""How often somebody may ask, without a server."""

import pytest

from server.addresses import network_of
from server.limits import Limits, Rate

RATE = Rate(10, 300)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_eleventh_try_waits_and_time_forgives() -> None:
    clock = Clock()
    limits = Limits(clock)
    for _ in range(10):
        assert limits.take(RATE, "password", "here", "a") == 0
        clock.now += 1
    assert limits.take(RATE, "password", "here", "a") == 290
    assert limits.take(RATE, "password", "here", "b") == 0
    assert limits.take(RATE, "password", "there", "a") == 0
    clock.now += 290
    assert limits.take(RATE, "password", "here", "a") == 0
    assert limits.take(RATE, "password", "here", "a") > 0


def test_asking_while_one_waits_makes_the_wait_no_longer() -> None:
    clock = Clock()
    limits = Limits(clock)
    for _ in range(50):
        limits.take(RATE, "a")
    clock.now += 300
    assert limits.take(RATE, "a") == 0


def test_what_was_right_is_given_back() -> None:
    limits = Limits(Clock())
    for _ in range(1_000):
        assert limits.take(RATE, "password", "here") == 0
        assert limits.take(RATE, "password", "here", "a") == 0
        limits.give_back("password", "here")
        limits.forget("password", "here", "a")


def test_memory_is_bounded_under_a_flood() -> None:
    limits = Limits(Clock())
    for number in range(20_000):
        limits.take(RATE, "sign up", f"address {number}")
    for _ in range(1_000):
        limits.take(RATE, "sign up", "one")
    assert len(limits._times) == 10_000
    assert max(map(len, limits._times.values())) == 10


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_subscriber_with_many_addresses_is_one_client(address: str, network: str) -> None:
    assert network_of(address) == network
