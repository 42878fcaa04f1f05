"""TLS by certificate files: checked before serving, and read again when they were renewed."""

import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from cryptography import x509

from server.errors import UnusableCertificate

_log = logging.getLogger(__name__)

_Stamp = tuple[tuple[int, int, int], ...]


class Certificates:
    """A certificate chain and its private key, in PEM files. Raises UnusableCertificate.

    `context` is what a listener takes once and for all; each new connection gets the newest pair that was usable.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._files = (cert, key)
        self._stamp = self._seen = self._look()
        self._newest = self.context = self._read()
        # Called for clients that name no host too.
        self.context.sni_callback = self._serve_newest

    def refresh(self) -> None:
        """Takes renewed files. The two are rarely replaced at once, so a bad pair is told of at the second look."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        try:
            self._newest = self._read()
            self._stamp = stamp
            _log.warning("The certificate was renewed.")
        except UnusableCertificate as error:
            if stamp == self._seen:
                self._stamp = stamp
                _log.warning("The earlier certificate stays: %s", error)
        self._seen = stamp

    def _serve_newest(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        connection.context = self._newest
        return None

    def _look(self) -> _Stamp:
        try:
            return tuple((f.st_mtime_ns, f.st_ino, f.st_size) for f in map(Path.stat, self._files))
        except OSError:
            return ()

    def _read(self) -> ssl.SSLContext:
        cert, key = self._files
        _check_dates(cert, _contents(cert))
        _contents(key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise UnusableCertificate(f"{key} is not the key of {cert}: give the pair.") from None
            raise UnusableCertificate(f"{key} holds no private key in PEM form: give one.") from None
        except OSError as error:
            # Whoever renews the pair took a file away just now; OpenSSL does not say which.
            raise _unreadable(key, error) from None
        return context


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> UnusableCertificate:
    return UnusableCertificate(f"{path} cannot be read ({error.strerror}): check --tls-cert and --tls-key.")


def _check_dates(cert: Path, chain: bytes) -> None:
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise UnusableCertificate(f"{cert} holds no certificate in PEM form: give one.") from None
    now = datetime.now(UTC)
    if now > first.not_valid_after_utc:
        raise UnusableCertificate(f"{cert} expired on {first.not_valid_after_utc:%Y-%m-%d}: renew it.")
    if now < first.not_valid_before_utc:
        raise UnusableCertificate(
            f"{cert} is valid from {first.not_valid_before_utc:%Y-%m-%d} on: check the clock."
        )


def _no_password() -> NoReturn:
    raise UnusableCertificate(
        "The private key is encrypted, and nobody is there to type: give one that is not."
    )
