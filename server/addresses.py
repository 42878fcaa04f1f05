"""What host names and network addresses say: this very machine, or one client among many."""

import ipaddress
from typing import Final

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_IPV6_NETWORK: Final = 64


def is_loopback(host: str) -> bool:
    """Whether a name or an address leads to this machine only."""
    parsed = _parsed(host)
    return host == "localhost" if parsed is None else parsed.is_loopback


def is_address(name: str) -> bool:
    """Whether it is an address, not a name."""
    return _parsed(name) is not None


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the IPv6 network that one subscriber has to choose from."""
    parsed = _parsed(address.partition("%")[0])
    if parsed is None:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
