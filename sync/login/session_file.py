"""The places for sessions: a file per account, encrypted with the vault's key, or this process's memory."""

import hashlib
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from storage.records import AccountId
from sync.errors import SignInAgain
from sync.login.durable import erase, make_private_folder, write_private
from sync.login.session import Session, SessionPlace
from sync.login.vault import SessionStoreKind, wrapping_key

_MAGIC: Final = b"HOMING-SESSION-1"
_NONCE_BYTES: Final = 12


class Sessions:
    """The places of all accounts of a profile. Making it may ask the keyring: never on the GUI thread; NoKeyring."""

    def __init__(self, profile_dir: Path, kind: SessionStoreKind) -> None:
        self.kind = kind
        self._folder = profile_dir / "sessions"
        self._key = wrapping_key(profile_dir, kind)
        self._in_memory: dict[AccountId, SessionInMemory] = {}

    def of(self, account_id: AccountId) -> SessionPlace:
        """One account's place; in memory the same one each time."""
        if self.kind is SessionStoreKind.MEMORY:
            return self._in_memory.setdefault(account_id, SessionInMemory())
        return SessionFile(self._folder, account_id, self._key)


class SessionFile:
    """A session in a file that only its user reads and only the holder of the wrapping key understands."""

    def __init__(self, folder: Path, account_id: AccountId, key: bytes) -> None:
        self.path = folder / f"{hashlib.sha256(account_id.encode()).hexdigest()[:32]}.session"
        self._account_id = account_id
        self._key = key

    def load(self) -> Session | None:
        """SignInAgain for a file that this key does not open; the file stays until the next session replaces it."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from pydantic import TypeAdapter, ValidationError

        try:
            sealed = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            raise self._unreadable() from None
        body = sealed.removeprefix(_MAGIC)
        nonce, secret = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        try:
            text = AESGCM(self._key).decrypt(nonce, secret, self._bound_to())
            return TypeAdapter(Session).validate_json(text)
        except (InvalidTag, ValueError, ValidationError):
            raise self._unreadable() from None

    def save(self, session: Session) -> None:
        """Durable on return; a crash leaves the old session or this one."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from pydantic import TypeAdapter

        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = TypeAdapter(Session).dump_json(session)
        write_private(self.path, _MAGIC + nonce + AESGCM(self._key).encrypt(nonce, text, self._bound_to()))

    def erase(self) -> None:
        """Remove the file."""
        erase(self.path)

    def try_lock(self) -> Callable[[], None] | None:
        """A file lock of its own each time, so that it excludes other threads as well as other processes."""
        from filelock import FileLock, Timeout

        make_private_folder(self.path.parent)
        lock = FileLock(self.path.with_suffix(".lock"), thread_local=False, mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return lock.release

    def _bound_to(self) -> bytes:
        """What a file is sealed to: moved to another account's name it does not open."""
        return _MAGIC + self._account_id.encode()

    def _unreadable(self) -> SignInAgain:
        return SignInAgain(
            "The saved login cannot be opened on this computer: sign in again; nothing is lost."
        )


class SessionInMemory:
    """A session that ends with the process."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._lock = threading.Lock()

    def load(self) -> Session | None:
        """What was saved last."""
        return self._session

    def save(self, session: Session) -> None:
        """Keep it until the process ends."""
        self._session = session

    def erase(self) -> None:
        """Drop it."""
        self._session = None

    def try_lock(self) -> Callable[[], None] | None:
        """The lock among the threads of this process."""
        return self._lock.release if self._lock.acquire(blocking=False) else None
