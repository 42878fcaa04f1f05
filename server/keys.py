"""The server's two lasting keys: the secret that signs tokens, and the key that clients publish."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.errors import KeysUnreadable


@dataclass(frozen=True)
class Keys:
    """`jwt_secret` never leaves this machine; `publishable` names the server to clients and grants nothing."""

    jwt_secret: bytes
    publishable: str

    def __repr__(self) -> str:
        return "Keys(…)"


def load(folder: Path) -> Keys:
    """The keys kept in `folder`, made on first use in files that only their owner can read. Raises KeysUnreadable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        secret = _kept(folder / "jwt-secret", lambda: secrets.token_hex(32))
        publishable = _kept(folder / "publishable-key", lambda: f"sb_publishable_{secrets.token_urlsafe(24)}")
    except (OSError, UnicodeError) as error:
        raise KeysUnreadable(f"The keys in {folder} cannot be used ({error}): check the folder.") from None
    return Keys(jwt_secret=secret.encode(), publishable=publishable)


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        kept = path.read_text("ascii").strip()
    except FileNotFoundError:
        kept = ""
    return kept or _keep(path, make())


def _keep(path: Path, value: str) -> str:
    # A crash may leave the draft behind, never a key file that is empty or half written.
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return value
