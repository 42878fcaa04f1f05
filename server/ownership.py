"""Whose a server's folder is: what root makes in a service's folder, the service could not use afterwards."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.errors import FolderUnusable, NothingServed


def require_own(root: Path) -> None:
    """Refuses root in the folder of another user. Raises FolderUnusable."""
    if sys.platform == "win32" or os.geteuid() != 0 or not root.exists():
        return
    if owner := root.stat().st_uid:
        name = _name_of(owner)
        raise FolderUnusable(f"{root} belongs to {name}: run this as {name} (sudo -u {name} …).")


def require_served(root: Path, found: object) -> None:
    """Raises NothingServed when nothing was found of a server."""
    if not found:
        raise NothingServed(
            f"No server has served from {root.parent} yet: start homing serve, or give --data-dir."
        )


@contextmanager
def in_one_line(root: Path) -> Iterator[None]:
    """Turns what the operating system refuses in the folder into FolderUnusable."""
    try:
        yield
    except OSError as error:
        raise FolderUnusable(
            f"{error.filename or root} cannot be used ({error.strerror}): run this as the user who owns {root}, "
            "or choose another --data-dir."
        ) from error


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
