"""Who wants to know what was committed."""

import logging
from collections.abc import Callable
from itertools import count
from threading import Lock

from storage.records import Touched

_LOG = logging.getLogger(__name__)


class Listeners:
    """Told in the order in which they came, on the thread that tells."""

    def __init__(self) -> None:
        self._listeners: dict[int, Callable[[Touched], None]] = {}
        self._numbers = count()
        self._lock = Lock()

    def add(self, listener: Callable[[Touched], None]) -> Callable[[], None]:
        """Returns what takes the listener out again; it may be called twice."""
        with self._lock:
            number = next(self._numbers)
            self._listeners = {**self._listeners, number: listener}

        def remove() -> None:
            with self._lock:
                self._listeners = {key: kept for key, kept in self._listeners.items() if key != number}

        return remove

    def tell(self, touched: Touched) -> None:
        """Tells everyone, also when one of them fails."""
        for listener in self._listeners.values():
            try:
                listener(touched)
            except Exception as error:  # noqa: BLE001 - a listener's bug must not end the writer
                # Its words may hold text of a message (I35).
                _LOG.error("A listener of the store failed with %s", type(error).__name__)
