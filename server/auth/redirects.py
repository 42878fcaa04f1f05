"""Where a link in a mail may lead, and how a session or a refusal travels there."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from server.addresses import is_loopback

_LENGTH: Final = 2_000


class Redirects:
    """The addresses that may be given a session: this machine's, this server's, and named hosts by https."""

    def __init__(self, url: str, names: Iterable[str] = ()) -> None:
        self._own = _origin(url)
        self._names = {name.lower() for name in names}

    def allows(self, target: str) -> bool:
        """Whether a link may lead there. Anything that two parsers could read in two ways may not."""
        if (
            len(target) > _LENGTH
            or not target.isascii()
            or not target.isprintable()
            or set(target) & set(" \\")
        ):
            return False
        try:
            parts = urlsplit(target)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return False
        if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            return False
        return (
            is_loopback(host)
            or _origin(target) == self._own
            or (parts.scheme == "https" and host in self._names)
        )


def with_query(target: str, more: Mapping[str, str]) -> str:
    """The address with further query parameters."""
    parts = urlsplit(target)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def with_fragment(target: str, more: Mapping[str, str]) -> str:
    """The address with parameters that stay in the browser."""
    return urlunsplit((*urlsplit(target)[:4], urlencode(more)))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
