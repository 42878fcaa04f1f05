"""One connection to the server under examination: every answer as it came, with what it means and how long it took."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.errors import SyncError
from sync.wire.endpoint import Endpoint
from sync.wire.foreign import translated
from sync.wire.replies import answered, not_the_server
from sync.wire.transport import http_client

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is the server's own for an error, `fault` what the error means; both None for a success."""

    status: int
    data: Any
    code: str | None
    fault: SyncError | None
    seconds: float


class Line:
    """Sends requests of one person, or of nobody, to one server. Raises Unreachable when no answer comes."""

    def __init__(self, server: Endpoint, http: "httpx.AsyncClient") -> None:
        self._server = server
        self._http = http

    async def settings(self) -> Answer:
        """What the login service says of itself to whoever has the publishable key."""
        return await self._send("GET", "/auth/v1/settings", None)

    async def call(self, function: str, arguments: Mapping[str, Any], token: str | None) -> Answer:
        """One call of a function; without a token as somebody who is not signed in."""
        return await self._send("POST", f"/rest/v1/rpc/{function}", token, body=dict(arguments))

    async def table(
        self, method: str, name: str, token: str | None, *, where: Mapping[str, str], body: object = None
    ) -> Answer:
        """One request to the API of the tables, which a server need not have."""
        return await self._send(method, f"/rest/v1/{name}", token, where=where, body=body)

    async def _send(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        where: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Answer:
        headers = {"apikey": self._server.key, "Authorization": f"Bearer {token or self._server.key}"}
        began = time.perf_counter()
        with translated():
            response = await self._http.request(
                method, self._server.url + path, headers=headers, params=where, json=body
            )
        return _read(response, time.perf_counter() - began)


@asynccontextmanager
async def open_line(server: Endpoint) -> AsyncIterator[Line]:
    """A connection of its own, closed at the end."""
    async with http_client(server) as http:
        # The doctor reads refusals instead of raising them.
        http.event_hooks = {}
        yield Line(server, http)


def _read(response: "httpx.Response", seconds: float) -> Answer:
    fault = answered(response.status_code, response.headers, response.content)
    try:
        data = response.json() if response.content else None
    except (ValueError, RecursionError):
        data, fault = None, fault or not_the_server()
    code = data.get("code") if response.is_error and isinstance(data, dict) else None
    return Answer(response.status_code, data, None if code is None else str(code), fault, seconds)
