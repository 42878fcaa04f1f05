"""The HTTP client under everything that talks to a server: strict, with timeouts, and silent in logs."""

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 30.0

CALL_SECONDS: Final = 180.0
"""The longest that one call may take altogether: a megabyte over a slow line, but no endless trickle."""

_TALKATIVE: Final = (
    "httpx",
    "httpcore",
    "hpack",
    "websockets",
    "realtime",
    "postgrest",
    "supabase",
    "supabase_auth",
)


def http_client() -> "httpx.AsyncClient":
    """A client with verification on, no redirects, and answers that are no server's raised as SyncError.

    Proxies and SSL_CERT_FILE come from the environment. Nothing is sent before the first request.
    """
    import httpx

    hush_libraries()
    return httpx.AsyncClient(
        timeout=httpx.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        event_hooks={"response": [_refuse_failures]},
    )


def hush_libraries() -> None:
    """httpx logs whole URLs at INFO; below it and in realtime, tokens and message text go to the log."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


async def _refuse_failures(response: "httpx.Response") -> None:
    from sync.foreign import answered

    await response.aread()
    error = answered(response.status_code, response.headers, response.content)
    if error is not None:
        raise error
