"""What the server tells its operator while it runs: one line an event, never a traceback."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Each tells in many words, again and again, what `/health` and a line of ours tell once.
_TALKATIVE: Final = ("psycopg.pool", "uvicorn", "websockets", "asyncio", "psycopg")


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"homing: {' '.join(record.getMessage().split())}"


@contextmanager
def on_stderr() -> Iterator[None]:
    """Writes warnings and worse to stderr while it lasts; the libraries' only when something is lost."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_OneLine())
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
