"""Virtual time: a heap of things to do, performed in order, each noted in the trace."""

from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any


class BusyLoop(AssertionError):
    """Far more happened than the session can need."""


class Clockwork:
    """Runs callbacks at their virtual second. Ties go by the order of scheduling, so a run is a function of its seed."""

    def __init__(self, most_steps: int, *, keep_trace: bool = False) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._steps = 0
        self._most_steps = most_steps
        self._keep_trace = keep_trace
        self._digest = blake2b(digest_size=16)

    def after(self, delay: float, action: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heappush(self._heap, (self.now + delay, self._count, action, args))

    def note(self, line: str) -> None:
        """Add a line to the trace."""
        self._digest.update(f"{self.now:.6f} {line}\n".encode())
        if self._keep_trace:
            self.lines.append(f"{self.now:10.3f}  {line}")

    def run_until(self, end: float) -> None:
        """Do everything up to a virtual second."""
        while self._heap and self._heap[0][0] <= end:
            self.now, _, action, args = heappop(self._heap)
            self._steps += 1
            if self._steps > self._most_steps:
                raise BusyLoop(f"more than {self._most_steps} steps by second {self.now:.1f}")
            action(*args)
        self.now = end

    @property
    def trace_hash(self) -> str:
        return self._digest.hexdigest()
