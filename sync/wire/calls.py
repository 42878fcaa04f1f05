"""Calls of the server's functions over the official Supabase client: arguments in, the answer's body out."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sync.errors import SessionOver, SignInAgain, Unreachable
from sync.login.session import AccessTokens
from sync.protocol import Rpc
from sync.wire.endpoint import endpoint
from sync.wire.transport import CALL_SECONDS, http_client

if TYPE_CHECKING:
    import httpx
    from postgrest.base_request_builder import RequestConfig
    from supabase import AsyncClient

READ_AT_ONCE: Final = 32_768
"""Octets of an answer that are read on the spot. Larger ones are read beside the loop, so that nothing waits for them."""

LAST_SECONDS: Final = 4.0
"""What a call gets that was on the wire when the computer slept or its network changed."""

T = TypeVar("T")


class Calls:
    """One account's server, for one asyncio loop. Constructing it checks the address and touches no network."""

    def __init__(self, url: str, key: str, tokens: AccessTokens) -> None:
        self._endpoint = endpoint(url, key)
        self._tokens = tokens
        self._closed = False
        self._calls = 0
        self._limits: set[asyncio.Timeout] = set()
        self._http: httpx.AsyncClient | None = None
        self._client: AsyncClient | None = None

    async def call(self, function: Rpc, arguments: Mapping[str, Any], read: Callable[[bytes], T]) -> T:
        """What `read` makes of the answer. It may run in a thread, and what it raises is translated."""
        from sync.wire.foreign import translated

        body = await self._counted(function, arguments)
        with translated():
            return read(body) if len(body) <= READ_AT_ONCE else await asyncio.to_thread(read, body)

    def hasten(self) -> None:
        """Give what is on the wire a few seconds more: after a sleep or in another network it may wait for nobody."""
        latest = asyncio.get_running_loop().time() + LAST_SECONDS
        for limit in self._limits:
            limit.reschedule(min(limit.when() or latest, latest))

    async def aclose(self) -> None:
        """Close for good. A call under way ends by itself first, one that waits for its token fails."""
        self._closed = True
        await self._close_when_idle()

    async def _close_when_idle(self) -> None:
        # httpx would not close a connection that is only being made while its client closes.
        if self._closed and not self._calls:
            http, self._http, self._client = self._http, None, None
            if http is not None:
                await http.aclose()

    async def _counted(self, function: Rpc, arguments: Mapping[str, Any]) -> bytes:
        self._calls += 1
        try:
            return await self._ask(function, arguments)
        finally:
            self._calls -= 1
            await self._close_when_idle()

    async def _ask(self, function: Rpc, arguments: Mapping[str, Any]) -> bytes:
        token = await self._tokens.access_token()
        try:
            return await self._send(function, arguments, token)
        except SessionOver:
            raise
        except SignInAgain:
            token = await self._tokens.renewed(token)
        return await self._send(function, arguments, token)

    async def _send(self, function: Rpc, arguments: Mapping[str, Any], token: str) -> bytes:
        from sync.wire.foreign import translated

        with translated():
            async with asyncio.timeout(CALL_SECONDS) as limit:
                self._limits.add(limit)
                try:
                    return await self._exchange(function, arguments, token)
                finally:
                    self._limits.discard(limit)

    async def _exchange(self, function: Rpc, arguments: Mapping[str, Any], token: str) -> bytes:
        from httpx import Headers

        # The builder copies the headers before anything is awaited, so calls side by side keep their own token.
        builder = self._connected().postgrest.auth(token).rpc(function.value, dict(arguments))
        # Not execute(), which reads the whole answer into objects on this thread.
        request: RequestConfig[httpx.AsyncClient] = builder.request
        return (await request.send(Headers())).content

    def _connected(self) -> "AsyncClient":
        if self._closed:
            raise Unreachable("This connection was closed: sync goes on with a new one.")
        if self._client is None:
            from supabase import AsyncClient, AsyncClientOptions

            self._http = http_client(self._endpoint)
            options = AsyncClientOptions(
                auto_refresh_token=False,
                persist_session=False,
                httpx_client=self._http,
                postgrest_client_retry=False,
            )
            # Not create_client: that one looks for a session of its own, and falls back to the anonymous role.
            self._client = AsyncClient(self._endpoint.url, self._endpoint.key, options)
        return self._client
