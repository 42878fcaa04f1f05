"""Notices that the computer slept or that its clock leapt, from two clocks that are read once in a while."""

import time
from collections.abc import Callable
from typing import Final

LEAP_SECONDS: Final = 10.0
"""A leap is longer than any pause of a busy computer. A wrong guess costs a new connection and no more."""


class Leaps:
    """Compares the clocks with the time that a look was expected to take since the last one."""

    def __init__(
        self,
        expected: float,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._expected = expected
        self._wall = wall
        self._monotonic = monotonic
        self._last = (wall(), monotonic())

    def slept(self) -> float | None:
        """Seconds that passed unnoticed since the last call, 0 for a clock that was set back; None ordinarily."""
        before, self._last = self._last, (self._wall(), self._monotonic())
        by_wall, by_monotonic = self._last[0] - before[0], self._last[1] - before[1]
        # Some systems' monotonic clock sleeps with the computer, others' goes on: the longer one tells.
        unnoticed = max(by_wall, by_monotonic) - self._expected
        if unnoticed > LEAP_SECONDS:
            return unnoticed
        return 0.0 if by_wall < -LEAP_SECONDS else None
