"""`homing serve`: PostgreSQL, schema and gateway brought up in order, and down in order on a signal."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from server import keys, logs
from server.addresses import is_loopback
from server.certificates import Certificates
from server.errors import DatabaseUnavailable, KeysUnreadable, ServerError
from server.gateway import Gateway, open_gateway
from server.listener import HttpServer, Stop, configured, listening, url_of
from server.postgres import schema
from server.postgres.gateway_login import open_gateway_login
from server.postgres.supervisor import Postgres
from server.settings import Settings

OnReady = Callable[[str, str], None]
"""Called with the url and the publishable key once the server listens."""


def serve(data_dir: Path, settings: Settings, on_ready: OnReady) -> None:
    """Serves until SIGINT or SIGTERM. Raises ServerError when it cannot start; the message is one line for people."""
    stop = Stop()
    tls = (
        Certificates(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    )
    with logs.on_stderr(), _signals(stop), listening(settings.host, settings.port) as listener:
        _warn_of_an_open_address(settings)
        root = data_dir / "server"
        postgres = Postgres(root, settings.database_url)
        try:
            conninfo = postgres.start()
            schema.apply(conninfo)
            if settings.database_url is None:
                conninfo = open_gateway_login(conninfo)
            own = keys.load(root)
            # Psycopg cannot use the proactor loop, the default on Windows.
            loops = asyncio.SelectorEventLoop if sys.platform == "win32" else None
            with asyncio.Runner(loop_factory=loops) as runner:
                runner.run(_run(conninfo, root, own, listener, settings, tls, on_ready, stop))
        except (psycopg.Error, TimeoutError) as error:
            reason = (isinstance(error, psycopg.Error) and error.diag.message_primary) or "no answer"
            raise DatabaseUnavailable(
                f"PostgreSQL failed during the start ({reason}): start the server again."
            ) from None
        except ServerError:
            # Ctrl+C reaches PostgreSQL's programs too.
            if not stop.wished:
                raise
        finally:
            postgres.stop()


async def _run(
    conninfo: str,
    root: Path,
    own: keys.Keys,
    listener: socket.socket,
    settings: Settings,
    tls: Certificates | None,
    on_ready: OnReady,
    stop: Stop,
) -> None:
    url = settings.public_url or url_of(listener, settings.host, scheme="https" if tls else "http")

    def chores() -> None:
        _follow_keys(root, gateway)
        if tls is not None:
            tls.refresh()

    async with open_gateway(conninfo, own, settings, url=url) as gateway:
        server = HttpServer(
            configured(
                gateway.app,
                trusted_proxies=settings.trusted_proxies,
                tls=tls.context if tls is not None else None,
            ),
            ready=lambda: on_ready(url, own.publishable),
            stop=stop,
            hang_up=gateway.hang_up,
            chores=chores,
        )
        await server.serve(sockets=[listener])


def _follow_keys(root: Path, gateway: Gateway) -> None:
    try:
        gateway.use(keys.load(root))
    except KeysUnreadable:
        # What the server has in memory still counts.
        return


def _warn_of_an_open_address(settings: Settings) -> None:
    if not is_loopback(settings.host) and settings.public_url is None and settings.tls_cert is None:
        print(  # noqa: T201  # a warning for whoever typed the command
            f"homing: {settings.host} can be reached by others, and nothing is encrypted: "
            "give --tls-cert and --tls-key, or put a TLS proxy in front.",
            file=sys.stderr,
        )


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    kept = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
