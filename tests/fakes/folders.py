"""Folders for servers: pytest's own are closed to everybody but root, and PostgreSQL does not run as root."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that PostgreSQL's unprivileged user can enter, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="homing-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
