"""Files that are wholly there or not at all after any crash."""

import contextlib
import os
from pathlib import Path


def flush(path: Path) -> None:
    """Returns once the file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def rename(source: Path, target: Path) -> None:
    """Replaces the target, and returns once that is on the disk."""
    source.replace(target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Returns once the folder's entries are on the disk."""
    # Windows opens no folders; its file systems order renames themselves.
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
