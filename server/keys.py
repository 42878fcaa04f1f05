"""The server's lasting keys: the secrets that sign tokens, and the keys that clients publish."""

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from server import ownership
from server.errors import KeysUnreadable

OLDER_SECONDS: Final = 90 * 24 * 3600
"""How long a replaced signing key still verifies: a device that stays away longer signs in again."""

_SIGNING: Final = "jwt-secret"
_PUBLISHED: Final = "publishable-key"
_OLDER: Final = "older-keys.json"


@dataclass(frozen=True)
class Keys:
    """`jwt_secret` never leaves this machine; `publishable` names the server to clients and grants nothing.

    The older ones were replaced and still count.
    """

    jwt_secret: bytes
    publishable: str
    older_secrets: tuple[bytes, ...] = ()
    older_publishables: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Keys(…)"

    def honours(self, other: "Keys") -> bool:
        """Whether a token that was signed under `other` just now still counts."""
        return other.jwt_secret in (self.jwt_secret, *self.older_secrets)


@dataclass(frozen=True)
class _Older:
    """What the file of replaced keys holds: signing keys with the Unix second of their end, and publishable keys."""

    secrets: tuple[tuple[str, float], ...] = ()
    publishables: tuple[str, ...] = ()

    @staticmethod
    def read(folder: Path, now: float) -> "_Older":
        try:
            kept: dict[str, Any] = json.loads((folder / _OLDER).read_text("ascii"))
            lasting = tuple((str(value), float(until)) for value, until in kept["secrets"] if until > now)
            return _Older(lasting, tuple(map(str, kept["publishables"])))
        except FileNotFoundError:
            return _Older()

    def text(self) -> str:
        return json.dumps({"secrets": self.secrets, "publishables": self.publishables}, indent=1)


def load(folder: Path, clock: Callable[[], float] = time.time) -> Keys:
    """The keys kept in `folder`, made on first use in files that only their owner can read. Raises KeysUnreadable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        older = _Older.read(folder, clock())
        secret = _kept(folder / _SIGNING, _new_secret)
        publishable = _kept(folder / _PUBLISHED, _new_publishable)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, error) from None
    return Keys(
        jwt_secret=secret.encode(),
        publishable=publishable,
        older_secrets=tuple(value.encode() for value, _ in older.secrets if value != secret),
        older_publishables=tuple(each for each in older.publishables if each != publishable),
    )


def rotate(
    folder: Path,
    *,
    publishable: bool = False,
    revoke: bool = False,
    clock: Callable[[], float] = time.time,
) -> Keys:
    """Draws a new signing key, and with `publishable` a new publishable key.

    The replaced ones count on; with `revoke` neither they nor older ones do. Every step leaves keys that work, and a
    running server notices each. Raises KeysUnreadable, NothingServed and FolderUnusable.
    """
    ownership.require_own(folder)
    with ownership.in_one_line(folder):
        ownership.require_served(folder, (folder / _SIGNING).exists())
    try:
        with FileLock(folder / "keys.lock"):
            before = load(folder, clock)
            if revoke:
                _draw(folder, publishable=publishable)
                (folder / _OLDER).unlink(missing_ok=True)
            else:
                older = _Older.read(folder, clock())
                secret = (before.jwt_secret.decode(), clock() + OLDER_SECONDS)
                older = replace(older, secrets=(secret, *older.secrets))
                if publishable:
                    older = replace(older, publishables=(before.publishable, *older.publishables))
                _keep(folder / _OLDER, older.text())
                _draw(folder, publishable=publishable)
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from None
    return load(folder, clock)


def _draw(folder: Path, *, publishable: bool) -> None:
    _keep(folder / _SIGNING, _new_secret())
    if publishable:
        _keep(folder / _PUBLISHED, _new_publishable())


def _new_secret() -> str:
    return secrets.token_hex(32)


def _new_publishable() -> str:
    return f"sb_publishable_{secrets.token_urlsafe(24)}"


def _unreadable(folder: Path, error: Exception) -> KeysUnreadable:
    reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
    return KeysUnreadable(f"The keys in {folder} cannot be used ({reason}): check the folder.")


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
