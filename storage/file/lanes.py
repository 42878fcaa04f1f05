"""The writer's queue: two lanes, the person's before sync's."""

from collections import deque
from enum import IntEnum
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Lane(IntEnum):
    """Who waits for a write. A person's never waits behind more than the one that is running."""

    PERSON = 0
    SYNC = 1


class LaneQueue(Generic[T]):
    """First in, first out within a lane. Any thread puts; one takes."""

    def __init__(self) -> None:
        self._lanes: tuple[deque[T], ...] = tuple(deque() for _ in Lane)
        self._changed = Condition()
        self._closed = False

    def put(self, item: T, lane: Lane) -> bool:
        """False once the queue is closed: the item was not taken."""
        with self._changed:
            if self._closed:
                return False
            self._lanes[lane].append(item)
            self._changed.notify()
            return True

    def take(self) -> T | None:
        """Waits for the next item. None when the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or any(self._lanes))
            return next((lane.popleft() for lane in self._lanes if lane), None)

    def close(self) -> None:
        """No more items; those inside are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
