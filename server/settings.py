"""What an operator may choose about `homing serve`, checked once before anything starts."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from server.errors import UnusableSetting
from server.limits import Rates
from server.mail import Mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All choices with their defaults. Raises UnusableSetting for one that cannot work.

    `names` are further host names under which clients may ask, and to which a link in a mail may lead by https.
    `public_url` is where a proxy offers this server, `trusted_proxies` are the addresses or networks whose forwarding
    headers count. Without `mail`, which follows from `smtp_url` and `mail_from`, codes go to the operator's stderr.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    names: tuple[str, ...] = ()
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    metrics: bool = False
    mail_from: str | None = None
    rates: Rates = field(default_factory=Rates)
    # These may hold a password.
    database_url: str | None = field(default=None, repr=False)
    smtp_url: str | None = field(default=None, repr=False)
    mail: Mail | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if self.public_url is not None:
            object.__setattr__(self, "public_url", _origin(self.public_url))
        for proxy in self.trusted_proxies:
            _check_network(proxy)
        if self.smtp_url is not None:
            object.__setattr__(self, "mail", Mail.from_url(self.smtp_url, self.mail_from))
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UnusableSetting("A certificate and its key come together: give --tls-cert and --tls-key.")


def _origin(url: str) -> str:
    """The url without a closing slash, when it is no more than scheme, host and port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    plain = f"{parts.scheme}://{parts.netloc}"
    # What stands before an @ may be a password.
    shown = "What was given" if "@" in url else url
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or "@" in parts.netloc:
        raise UnusableSetting(
            f"{shown} is no url of a server: give --public-url like https://sync.example.org."
        )
    if url.rstrip("/").lower() != plain.lower():
        raise UnusableSetting(
            f"{shown} has a path, but clients ask at the root of a host: give --public-url like {plain}."
        )
    return plain.lower()


def _check_network(proxy: str) -> None:
    try:
        ipaddress.ip_network(proxy)
    except ValueError:
        raise UnusableSetting(
            f"{proxy} is no address or network: give --trusted-proxy like 127.0.0.1 or 10.0.0.0/8."
        ) from None
