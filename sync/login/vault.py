"""Where the 32-byte key lives that wraps sessions: the keyring, a file of the user's, or nowhere but memory."""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from sync.errors import NoKeyring, Refused
from sync.login.durable import make_private_folder, write_private

VARIABLE: Final = "HOMING_SESSION_STORE"
SERVICE: Final = "homing"
KEY_BYTES: Final = 32
LOCK_SECONDS: Final = 60.0


class SessionStoreKind(StrEnum):
    """The three places for a login on this computer."""

    KEYRING = "keyring"
    FILE = "file"
    MEMORY = "memory"


def chosen_kind(environ: Mapping[str, str] = os.environ) -> SessionStoreKind:
    """What HOMING_SESSION_STORE asks for, the keyring when it is unset. Refused for a value that is none."""
    value = environ.get(VARIABLE, "").strip().lower()
    try:
        return SessionStoreKind(value) if value else SessionStoreKind.KEYRING
    except ValueError:
        choices = ", ".join(SessionStoreKind)
        raise Refused(f"{VARIABLE} holds an unknown value: set it to one of {choices}.", VARIABLE) from None


def kind_in_force(profile_dir: Path, wanted: SessionStoreKind) -> SessionStoreKind:
    """What the window works with: the wanted kind, or memory where no keyring works. May wait for the keyring."""
    if wanted is not SessionStoreKind.KEYRING:
        return wanted
    try:
        wrapping_key(profile_dir, wanted)
    except NoKeyring:
        return SessionStoreKind.MEMORY
    return wanted


def wrapping_key(profile_dir: Path, kind: SessionStoreKind) -> bytes:
    """The profile's key, made on first use. Raises NoKeyring. A keyring may ask the user: never on the GUI thread."""
    if kind is SessionStoreKind.MEMORY:
        return secrets.token_bytes(KEY_BYTES)
    from filelock import FileLock, Timeout

    try:
        make_private_folder(profile_dir)
        with FileLock(profile_dir / "vault.lock", timeout=LOCK_SECONDS, mode=0o600):
            return (
                _key_in_file(profile_dir) if kind is SessionStoreKind.FILE else _key_in_keyring(profile_dir)
            )
    except Timeout:
        raise NoKeyring("The keyring does not answer: unlock it and start Homing again.") from None
    except OSError:
        raise NoKeyring("The key of the login cannot be saved: make the profile's folder writable.") from None


def _key_in_file(profile_dir: Path) -> bytes:
    path = profile_dir / "session.key"
    if not path.exists():
        key = secrets.token_bytes(KEY_BYTES)
        write_private(path, key)
        return key
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise NoKeyring("The file session.key in the profile is damaged: delete it and sign in again.")
    return key


def _key_in_keyring(profile_dir: Path) -> bytes:
    import keyring

    user = hashlib.sha256(str(profile_dir.resolve()).encode()).hexdigest()[:32]
    try:
        stored = keyring.get_password(SERVICE, user)
        if stored is None:
            keyring.set_password(SERVICE, user, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
            # A backend that keeps nothing says so only when asked again.
            stored = keyring.get_password(SERVICE, user)
        key = base64.b64decode(stored or "", validate=True)
    except Exception:  # noqa: BLE001 - backends are plugins over D-Bus and system calls: they raise anything
        raise _no_keyring() from None
    if len(key) != KEY_BYTES:
        raise _no_keyring()
    return key


def _no_keyring() -> NoKeyring:
    return NoKeyring(
        f"No keyring works here: set {VARIABLE} to file (a key only you can read) or memory (sign in at each start)."
    )
