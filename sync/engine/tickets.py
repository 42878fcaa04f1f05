"""The rounds that somebody waits for."""

from sync.engine.desk import Desk
from sync.engine.interface import FinishSync


class Tickets:
    """Each is answered once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    def add(self, ticket: int) -> None:
        """One more waits."""
        self._open.append(ticket)

    def finish(self, error: str | None) -> None:
        """All rounds are over; `error` says why they fell short."""
        for ticket in self._open:
            self._desk.emit(FinishSync(ticket, error))
        self._open.clear()
