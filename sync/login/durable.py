"""Small private files that are either the old one or the new one after any crash, and that only their user reads."""

import os
import secrets
from pathlib import Path

from storage.file.durable import flush_folder


def write_private(path: Path, content: bytes) -> None:
    """Replace the file and return once that is on the disk. Folders on the way are made for the user alone."""
    make_private_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def erase(path: Path) -> None:
    """Remove the file if it is there, and return once that is on the disk."""
    path.unlink(missing_ok=True)
    if path.parent.exists():
        flush_folder(path.parent)


def make_private_folder(folder: Path) -> None:
    """Create the folder for the user alone; one that exists keeps its permissions."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
