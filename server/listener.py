"""The listening socket, and the HTTP server on it, which ends by a wish instead of by a signal."""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from server.connections import Connection
from server.errors import CannotListen

_DRAIN_SECONDS: Final = 5
_KEEP_ALIVE_SECONDS: Final = 75
_CONNECTIONS: Final = 1_000
_SOCKET_MESSAGE_BYTES: Final = 64 * 1024
_BACKLOG: Final = 512
_CHORES_SECONDS: Final = 1.0


class Stop:
    """The wish to end. It never interrupts: a start runs to its end first, for a half-made cluster helps nobody."""

    def __init__(self) -> None:
        self.wished = False

    def __call__(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Handles a signal; the second changes nothing."""
        self.wished = True


def configured(
    app: ASGIApp, *, trusted_proxies: tuple[str, ...] = (), tls: ssl.SSLContext | None = None
) -> uvicorn.Config:
    """How uvicorn serves the application: quietly, with bounds, and without believing strangers' headers."""
    return uvicorn.Config(
        app,
        http=Connection,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=_SOCKET_MESSAGE_BYTES,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        # Its default trusts everybody on this machine.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
    )


class HttpServer(uvicorn.Server):
    """Uvicorn without its signal handling: it would end the process before PostgreSQL is down.

    `chores` runs about once a second while it serves.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        ready: Callable[[], None],
        stop: Stop,
        hang_up: Callable[[], None],
        chores: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop = stop
        self._hang_up = hang_up
        self._chores = chores
        self._next_chores = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says that it is ready, unless it is to end already."""
        await super().startup(sockets)
        if not self._stop.wished:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends it."""
        now = time.monotonic()
        if now >= self._next_chores:
            self._next_chores = now + _CHORES_SECONDS
            self._chores()
        return await super().on_tick(counter) or self._stop.wished

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the websockets first: they would be waited for."""
        self._hang_up()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures none."""
        yield


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; 0 picks a free port. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With the protocol named asyncio sets TCP_NODELAY; without, every answer waits 40 ms for an acknowledgement.
        listener = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name"
        raise CannotListen(f"{host} is not an address of this machine ({reason}): choose --host.") from None
    with listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise CannotListen(
                f"Cannot listen on {host}:{port} ({error.strerror}): choose another --port, 0 picks a free one."
            ) from None
        yield listener


def url_of(listener: socket.socket, host: str, *, scheme: str = "http") -> str:
    """Where clients reach the socket."""
    port = listener.getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
