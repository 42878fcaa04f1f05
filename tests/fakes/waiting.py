"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], patience: float = 30) -> None:
    """Returns once the condition holds, and fails when it does not in time."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
