"""What waits for its next try by itself, while everything else flows: chats, projects and errands."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sync.engine.backoff import jittered
from sync.engine.desk import Desk
from sync.engine.interface import Timer

K = TypeVar("K", bound=Hashable)


class Waits(Generic[K]):
    """Each has its own count of failures; one timer serves all."""

    def __init__(self, desk: Desk, timer: Timer, uniform: Callable[[], float]) -> None:
        self._desk = desk
        self._timer = timer
        self._uniform = uniform
        self.clear()

    def clear(self) -> None:
        """Nothing waits, nothing failed."""
        self._until: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._desk.cancel_timer(self._timer)

    @property
    def waiting(self) -> frozenset[K]:
        """What is not to be tried now."""
        return frozenset(self._until)

    def failed(self, key: K) -> None:
        """It waits, longer each time."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._until[key] = self._desk.now + jittered(failures, self._uniform())
        self._arm()

    def succeeded(self, key: K) -> None:
        """Its failures are forgotten."""
        self._failures.pop(key, None)

    def release(self) -> None:
        """What has waited long enough may be tried."""
        now = self._desk.now
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._arm()

    def release_all(self) -> None:
        """A person asks: nothing waits any longer."""
        self._until.clear()
        self._arm()

    def _arm(self) -> None:
        if self._until:
            self._desk.set_timer(self._timer, max(0.0, min(self._until.values()) - self._desk.now))
        else:
            self._desk.cancel_timer(self._timer)
