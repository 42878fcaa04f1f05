"""Sleep and leaps of the clock, noticed by two clocks that tests move (I30)."""

from pathlib import Path

import pytest

from sync.status import Phase
from sync.waking import Leaps
from tests.fakes.backend import FakeBackend
from tests.sync.test_service import ADA, device, wait_for

YEARS = 10 * 365 * 86_400.0


class Clocks:
    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.monotonic = 50.0


@pytest.mark.parametrize(
    ("by_wall", "by_monotonic", "slept"),
    [
        (1.0, 1.0, None),
        (4.0, 4.0, None),
        (-5.0, 1.0, None),
        (3601.0, 1.0, 3600.0),
        (3601.0, 3601.0, 3600.0),
        (1.0, 3601.0, 3600.0),
        (YEARS + 1, 1.0, YEARS),
        (-YEARS, 1.0, 0.0),
    ],
)
def test_a_leap_of_either_clock_is_noticed_once_and_a_busy_second_is_none(
    by_wall: float, by_monotonic: float, slept: float | None
) -> None:
    clocks = Clocks()
    leaps = Leaps(1.0, wall=lambda: clocks.wall, monotonic=lambda: clocks.monotonic)
    clocks.wall += by_wall
    clocks.monotonic += by_monotonic
    assert leaps.slept() == slept
    clocks.wall += 1.0
    clocks.monotonic += 1.0
    assert leaps.slept() is None


def test_after_a_sleep_the_running_service_joins_realtime_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FakeBackend()
    leaps = [3600.0]

    def slept(_: object) -> float | None:
        return leaps.pop() if backend.silences and leaps else None

    monkeypatch.setattr("sync.housekeeping.Leaps.slept", slept)
    monkeypatch.setattr("sync.housekeeping.WATCH_INTERVAL", 0.05)
    with device(tmp_path, backend) as (_, service):
        service.sign_in(*ADA, adopt=False).result(10)
        wait_for(lambda: bool(backend.silences))
        wait_for(lambda: sum(silence.rejoined for silence in backend.silences) == 1)


def test_a_network_that_went_and_came_is_told_to_the_engine_and_joins_realtime_anew(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (_, service):
        service.sign_in(*ADA, adopt=False).result(10)
        wait_for(lambda: service.status.phase is Phase.SYNCED)
        service.network_changed(False)
        wait_for(lambda: service.status.phase is Phase.OFFLINE)
        assert backend.silences[-1].rejoined == 0
        service.network_changed(True)
        wait_for(lambda: service.status.phase is Phase.SYNCED)
        assert backend.silences[-1].rejoined == 1
        service.woke()
        wait_for(lambda: backend.silences[-1].rejoined == 2)
