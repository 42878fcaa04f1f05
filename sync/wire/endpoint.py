"""The address and the publishable key of a server, checked and normalised before anything is sent."""

import base64
import binascii
import ipaddress
import json
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit, urlunsplit

from sync.errors import Refused

BAD_URL = "bad_url"
BAD_KEY = "bad_key"

_PASTED_PATH = re.compile(r"/(rest|auth|realtime|storage|functions)/v1(/.*)?$")
_DASHBOARD = re.compile(r"/dashboard/project/([a-z]+)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server as the user named it. `url` has no trailing slash; equal servers give equal urls."""

    url: str
    key: str = field(repr=False)


def endpoint(url: str, key: str) -> Endpoint:
    """Check what the user typed. Raises Refused (`bad_url`, `bad_key`) with one line that says what to type."""
    return Endpoint(clean_url(url), clean_key(key))


def clean_url(url: str) -> str:
    """The one form of a server's address. A pasted `/rest/v1` and trailing slashes are cut; Refused says why not."""
    text = url.strip()
    if not text:
        raise Refused("There is no server address: type one that starts with https://.", BAD_URL)
    if "://" not in text:
        raise Refused(
            "The address lacks its beginning: write https:// in front, or http:// for this computer.", BAD_URL
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _unreadable() from None
    _check_shape(parts)
    host = (parts.hostname or "").lower()
    _check_scheme(parts.scheme, host)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != {"https": 443, "http": 80}[parts.scheme]:
        netloc = f"{netloc}:{port}"
    path = _PASTED_PATH.sub("", parts.path.rstrip("/")).rstrip("/")
    return urlunsplit((parts.scheme, netloc, path, "", ""))


def clean_key(key: str) -> str:
    """The publishable key without the blanks around it; Refused for an empty, garbled or secret one."""
    text = key.strip()
    if not text:
        raise Refused("There is no publishable key: copy it from the server's settings.", BAD_KEY)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Refused("The publishable key is garbled: copy it again, without blanks or quotes.", BAD_KEY)
    if text.startswith("sb_secret_") or _role_in(text) == "service_role":
        raise Refused(
            "This is the secret key, which must stay on the server: use the publishable key.", BAD_KEY
        )
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name can only be this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_shape(parts: SplitResult) -> None:
    host = parts.hostname
    if not host or not re.fullmatch(r"[\w.:-]+", host):
        raise _unreadable()
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Refused("The address holds more than an address: leave out names, ? and #.", BAD_URL)
    if dashboard := _DASHBOARD.match(parts.path):
        project = f"https://{dashboard.group(1)}.supabase.co"
        raise Refused(f"This is the dashboard's address: the project's own is {project}.", BAD_URL)


def _check_scheme(scheme: str, host: str) -> None:
    if scheme not in ("http", "https"):
        raise Refused("The address is not one of the web: write https:// in front of it.", BAD_URL)
    if scheme == "http" and not is_loopback(host):
        raise Refused("Without encryption Homing talks to this computer only: use https://.", BAD_URL)


def _unreadable() -> Refused:
    return Refused("The server address cannot be read: check it for typing errors.", BAD_URL)


def _role_in(key: str) -> str | None:
    """The role that a legacy key names in its own words; None for every other kind of key."""
    body = key.split(".")[1] if key.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error):
        return None
    role = claims.get("role") if isinstance(claims, dict) else None
    return role if isinstance(role, str) else None
