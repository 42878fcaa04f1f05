"""Hints of the server that something changed, most of which tell of what this device itself has just pushed."""

from typing import Final

from sync.engine.desk import Desk
from sync.engine.interface import Timer

PATIENCE: Final = 1.0
"""Seconds that a hint waits for our own pushes to come to a pause: their receipts say what need not be pulled."""


class Pokes:
    """Many hints are one; one that tells of nothing new is none."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.clear()

    def clear(self) -> None:
        """All hints are heeded."""
        self._waits = self._late = False
        self._head: int | None = None
        self._desk.cancel_timer(Timer.SETTLE)

    def hear(self, head: int | None) -> None:
        """The server's counter stands at `head`; without it, anything may have changed."""
        if self._waits:
            known = None if head is None or self._head is None else max(head, self._head)
        else:
            known = head
        self._waits, self._head = True, known

    def waited(self) -> None:
        """The pushes took too long."""
        self._late = True

    def asks_for_pull(self, reached: int, *, pushing: bool) -> bool:
        """Whether to pull now. `reached` is the last change that is known here."""
        if not self._waits:
            return False
        if self._head is not None and self._head <= reached:
            self.clear()
            return False
        if pushing and not self._late:
            if not self._desk.runs(Timer.SETTLE):
                self._desk.set_timer(Timer.SETTLE, PATIENCE)
            return False
        self.clear()
        return True
