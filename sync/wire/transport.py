"""The HTTP client under everything that talks to a server: strict, with timeouts, and silent in logs."""

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sync.errors import Unreachable
from sync.wire.endpoint import Endpoint, is_loopback
from sync.wire.replies import answered

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 30.0

CALL_SECONDS: Final = 180.0
"""The longest that one call may take altogether: a megabyte over a slow line, but no endless trickle."""

TALKATIVE: Final = (
    "httpx",
    "httpcore",
    "hpack",
    "websockets",
    "realtime",
    "postgrest",
    "supabase",
    "supabase_auth",
)


def http_client(server: Endpoint) -> "httpx.AsyncClient":
    """A client with verification on, no redirects, and answers that are no server's raised as SyncError.

    Proxies and SSL_CERT_FILE come from the environment, except for a server on this computer. Nothing is sent before
    the first request. Raises Unreachable for a proxy that httpx cannot use.
    """
    import httpx

    hush_libraries()
    address = urlsplit(server.url)
    here = is_loopback(address.hostname or "")
    try:
        return httpx.AsyncClient(
            timeout=httpx.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=not here,
            # Reading all certificates takes longer than a whole exchange on this computer, which needs none of them.
            verify=address.scheme == "https" or not here,
            event_hooks={"response": [_refuse_failures]},
        )
    except (ImportError, ValueError):
        # Desktops set ALL_PROXY to socks://, which httpx does not speak.
        raise Unreachable("The proxy setting cannot be used: set HTTPS_PROXY, or unset ALL_PROXY.") from None


def hush_libraries() -> None:
    """httpx logs whole URLs at INFO; below it and in realtime, tokens and message text go to the log."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


async def _refuse_failures(response: "httpx.Response") -> None:
    await response.aread()
    error = answered(response.status_code, response.headers, response.content)
    if error is not None:
        raise error
