"""Virtual time: a heap of things to do, performed in order, each noted in the trace."""

from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any


class BusyLoop(AssertionError):
    """Far more happened than the session can need."""


class Clockwork:
    """Runs callbacks at their virtual second. Ties go by the order of scheduling, so a run is a function of its seed."""

    def __init__(self, most_steps: int) -> None:
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.most_steps = most_steps
        self._trace: list[tuple[float, str, str, object]] = []

    def after(self, delay: float, action: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heappush(self._heap, (self.now + delay, self._count, action, args))

    def note(self, who: str, does: str, what: object = "") -> None:
        """Add a line to the trace; it is put into words only when somebody reads it."""
        self._trace.append((self.now, who, does, what))

    def run_until(self, end: float) -> None:
        """Do everything up to a virtual second."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.now, _, action, args = heappop(heap)
            self.steps += 1
            action(*args)
            if self.steps > self.most_steps:
                raise BusyLoop(f"more than {self.most_steps} steps by second {self.now:.1f}")
        self.now = end

    def lines(self) -> list[str]:
        """The trace, virtual second by second."""
        return [f"{now:10.3f}  {who} {does} {what}".rstrip() for now, who, does, what in self._trace]

    @property
    def trace_hash(self) -> str:
        digest = blake2b(digest_size=16)
        for now, who, does, what in self._trace:
            digest.update(f"{now:.6f} {who} {does} {what}\n".encode())
        return digest.hexdigest()
