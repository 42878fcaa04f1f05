"""A file that does nothing but take room, so that there is some to give back when the disk is full (I32).

On a full disk SQLite can neither delete nor fold its log. Sync stops while as much as the ballast is left, so that the
last room is a person's; when even that is gone, the ballast goes.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from storage.file.durable import flush

SIZE: Final = 4 * 1024 * 1024
_AMPLE: Final = 4 * SIZE
_NAME: Final = "ballast"


def keep(folder: Path) -> bool:
    """Makes the ballast where it is missing and there is ample room. Whether it is there now; cheap when it is."""
    path = folder / _NAME
    if path.exists():
        return True
    draft = path.with_suffix(".new")
    try:
        if room(folder) < _AMPLE:
            return False
        # Random bytes: a file system that packs or leaves out zeros would not really give the room.
        draft.write_bytes(os.urandom(SIZE))
        flush(draft)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        return False
    return True


def release(folder: Path) -> bool:
    """Gives the room back. Whether there was any to give."""
    try:
        (folder / _NAME).unlink()
    except OSError:
        return False
    return True


def is_kept(folder: Path) -> bool:
    """Whether the ballast is there."""
    return (folder / _NAME).exists()


def is_tight(folder: Path) -> bool:
    """Whether what is left is a person's: sync's own writes wait."""
    return room(folder) < SIZE


def room(folder: Path) -> int:
    """Free bytes on the folder's disk; plenty where the system does not tell."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 2**63
