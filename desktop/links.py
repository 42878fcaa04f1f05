"""The one place that decides whether a link may leave the window."""

from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = frozenset({"http", "https", "mailto"})
LONGEST: Final = 2048


def safe_url(href: str) -> str | None:
    """The address when a person may follow it, else None: only http, https and mailto, no login in it, no control
    characters, no spaces, and a host where the scheme has one."""
    if len(href) > LONGEST or any(ord(c) <= 0x20 or 0x7F <= ord(c) <= 0x9F or c == "\\" for c in href):
        return None
    try:
        parts = urlsplit(href)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in SCHEMES:
        return None
    if parts.scheme == "mailto":
        return href if parts.path and not parts.netloc else None
    return href if host and "@" not in parts.netloc else None


def host_of(url: str) -> str:
    """What a person should see before following a link."""
    parts = urlsplit(url)
    return parts.hostname or parts.path
