"""What stands before every route: Host and Origin checks, security headers, and errors that tell nothing."""

import logging
import socket
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.addresses import LOOPBACK_NAMES, is_address, is_loopback
from server.answers import rest_error
from server.settings import Settings

_log = logging.getLogger(__name__)

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MISTAKE: Final = rest_error(
    500, "XX000", "The server made a mistake.", hint="Try again; if it stays, tell whoever runs the server."
)


class Hosts:
    """The names under which this server may be asked for.

    A web page that rebinds its own name to this machine still sends that name. An address cannot be rebound,
    so a server that listens beyond loopback takes any.
    """

    def __init__(self, settings: Settings) -> None:
        listen, public = settings.host, settings.public_url
        self._any_address = not is_loopback(listen)
        self._names = {*LOOPBACK_NAMES, listen.lower(), *(name.lower() for name in settings.names)}
        self._public = public
        if public is not None:
            self._names |= {urlsplit(public).hostname or ""}
        if self._any_address:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local"}

    def knows(self, host: str | None) -> bool:
        """Whether a Host header, with or without its port, names this server."""
        name = _name(host)
        return name is not None and (name in self._names or (self._any_address and is_address(name)))

    def welcomes(self, origin: str, host: str | None) -> bool:
        """Whether a web page of that origin may ask under that Host: only a page of this server may."""
        return origin in (f"http://{host}", f"https://{host}", self._public)


def _name(host: str | None) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return None


class Guard:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses strangers, passes the rest on, and turns an unforeseen error into a plain 500."""
        if scope["type"] not in ("http", "websocket"):
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(_HEADERS)
            started = True
            await send(message)

        answer = self._refusal(Headers(scope=scope))
        try:
            await (answer or self._app)(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001  # a traceback or message could carry a token or message text
            _log.error("Unforeseen %s in %s.", type(error).__name__, _place(error))  # as above
            if not started and scope["type"] == "http":
                await _MISTAKE(scope, receive, send_guarded)

    def _refusal(self, headers: Headers) -> Response | None:
        host, origin = headers.get("host"), headers.get("origin")
        if len(headers.getlist("host")) != 1 or not self._hosts.knows(host):
            return rest_error(
                421,
                "PT421",
                "This server does not go by that name.",
                hint="Use the url that homing serve printed.",
            )
        if origin is not None and not self._hosts.welcomes(origin, host):
            return rest_error(
                403,
                "PT403",
                "Web pages of another origin may not use this server.",
                hint="Let whoever runs the server allow this origin.",
            )
        return None


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "an unknown place"
