"""`homing serve`: PostgreSQL, schema and gateway brought up in order, and down in order on a signal."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import psycopg
import uvicorn

from server import keys, schema
from server.errors import CannotListen, DatabaseUnavailable, ServerError
from server.gateway import open_gateway
from server.guards import is_loopback
from server.postgres import Postgres

_DRAIN_SECONDS: Final = 5
_KEEP_ALIVE_SECONDS: Final = 75
_CONNECTIONS: Final = 1_000
_SOCKET_MESSAGE_BYTES: Final = 64 * 1024
_BACKLOG: Final = 512

OnReady = Callable[[str, str], None]
"""Called with the url and the publishable key once the server listens."""


class Stop:
    """The wish to end. It never interrupts: a start runs to its end first, for a half-made cluster helps nobody."""

    def __init__(self) -> None:
        self.wished = False

    def __call__(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Handles a signal; the second changes nothing."""
        self.wished = True


def serve(
    data_dir: Path,
    *,
    host: str,
    port: int,
    database_url: str | None,
    on_ready: OnReady,
    names: Iterable[str] = (),
) -> None:
    """Serves until SIGINT or SIGTERM. `names` are further host names under which clients may ask.

    Raises ServerError when it cannot start; the message is one line for people.
    """
    stop = Stop()
    with _signals(stop), _listening(host, port) as listener:
        if not is_loopback(host):
            print(  # noqa: T201  # a warning for whoever typed the command
                f"homing: {host} can be reached by others, and nothing is encrypted: put a TLS proxy in front.",
                file=sys.stderr,
            )
        root = data_dir / "server"
        postgres = Postgres(root, database_url)
        try:
            conninfo = postgres.start()
            schema.apply(conninfo)
            own = keys.load(root)
            # Psycopg cannot use the proactor loop, the default on Windows.
            loops = asyncio.SelectorEventLoop if sys.platform == "win32" else None
            with asyncio.Runner(loop_factory=loops) as runner:
                runner.run(_run(conninfo, own, listener, host, tuple(names), on_ready, stop))
        except (psycopg.Error, TimeoutError):
            raise DatabaseUnavailable(
                "PostgreSQL went away during the start: start the server again."
            ) from None
        except ServerError:
            # Ctrl+C reaches PostgreSQL's programs too.
            if not stop.wished:
                raise
        finally:
            postgres.stop()


async def _run(
    conninfo: str,
    own: keys.Keys,
    listener: socket.socket,
    host: str,
    names: tuple[str, ...],
    on_ready: OnReady,
    stop: Stop,
) -> None:
    url = _url(listener, host)
    async with open_gateway(conninfo, own, url=url, host=host, names=names) as gateway:
        server = _Server(
            uvicorn.Config(
                gateway.app,
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
            ),
            ready=lambda: on_ready(url, own.publishable),
            stop=stop,
            hang_up=gateway.hang_up,
        )
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling: it would end the process before PostgreSQL is down."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], stop: Stop, hang_up: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop = stop
        self._hang_up = hang_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self._stop.wished:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.wished

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hang_up()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With the protocol named asyncio sets TCP_NODELAY; without, every answer waits 40 ms for an acknowledgement.
        listener = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
    except OSError as error:
        raise CannotListen(
            f"{host} is not an address of this machine ({error.strerror}): choose --host."
        ) from None
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


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    kept = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
