"""How long to wait before asking again: exponential, with jitter, and the server's own figure honoured."""

from collections.abc import Callable

LONGEST = 300.0
LONGEST_UNREACHABLE = 60.0
"""Without an answer the network may come back unannounced; waiting longer would only add latency."""


class Backoff:
    """Counts failures in a row; `uniform` gives numbers of [0, 1)."""

    def __init__(self, uniform: Callable[[], float]) -> None:
        self._uniform = uniform
        self.failures = 0

    def reset(self) -> None:
        """Something worked."""
        self.failures = 0

    def next_delay(self, longest: float = LONGEST, at_least: float | None = None) -> float:
        """Seconds to wait after one more failure: `min(longest, 2^k) * U[0.5, 1]`, never less than `at_least`."""
        delay = jittered(self.failures, self._uniform(), longest)
        self.failures += 1
        return max(delay, at_least or 0.0)


def jittered(failures: int, uniform: float, longest: float = LONGEST) -> float:
    """Seconds to wait after `failures` earlier failures in a row; `uniform` is a number of [0, 1)."""
    return min(longest, 2.0 ** min(failures, 30)) * (0.5 + uniform / 2)
