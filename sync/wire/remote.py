"""The server's functions over the official Supabase client: records in, records out, only SyncError raised."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storage.exchange import Batch, ChangePage, ChatEdit, ChatVerdict, Verdict
from storage.records import Cursor
from sync.errors import SessionOver, SignInAgain, Unreachable
from sync.login.session import AccessTokens
from sync.protocol import Rpc
from sync.wire.endpoint import endpoint
from sync.wire.transport import CALL_SECONDS, http_client

if TYPE_CHECKING:
    import httpx
    from supabase import AsyncClient


class SupabaseRemote:
    """One account's server, for one asyncio loop. Constructing it checks the address and touches no network."""

    def __init__(self, url: str, key: str, tokens: AccessTokens) -> None:
        self._endpoint = endpoint(url, key)
        self._tokens = tokens
        self._closed = False
        self._calls = 0
        self._http: httpx.AsyncClient | None = None
        self._client: AsyncClient | None = None

    async def save_chats(self, edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
        """One verdict per edit. Only the fields that an edit names are sent."""
        from sync.wire import answers
        from sync.wire.foreign import translated

        rows = [{"chat_id": edit.chat_id, **edit.fields} for edit in edits]
        answer = await self._call(Rpc.SAVE_CHATS, {"p_chats": rows})
        with translated():
            return answers.chat_verdicts(answer, edits)

    async def append_messages(self, batch: Batch) -> tuple[Verdict, ...]:
        """One verdict per message. After an error the messages may be on the server: send them again."""
        from sync.wire import answers
        from sync.wire.foreign import translated

        rows = [answers.message_json(message) for message in batch.messages]
        answer = await self._call(Rpc.APPEND_MESSAGES, {"p_chat_id": batch.chat_id, "p_messages": rows})
        with translated():
            return answers.verdicts(answer, batch)

    async def pull_changes(self, cursor: Cursor, limit: int) -> ChangePage:
        """The changes after the cursor, at most `limit` of them."""
        from sync.wire import answers
        from sync.wire.foreign import translated

        arguments = {"p_epoch": cursor.epoch, "p_cursor": cursor.change, "p_limit": limit}
        answer = await self._call(Rpc.PULL_CHANGES, arguments)
        with translated():
            return answers.change_page(answer)

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

    async def _call(self, function: Rpc, arguments: Mapping[str, Any]) -> object:
        self._calls += 1
        try:
            return await self._ask(function, arguments)
        finally:
            self._calls -= 1
            await self._close_when_idle()

    async def _ask(self, function: Rpc, arguments: Mapping[str, Any]) -> object:
        token = await self._tokens.access_token()
        try:
            return await self._send(function, arguments, token)
        except SessionOver:
            raise
        except SignInAgain:
            token = await self._tokens.renewed(token)
        return await self._send(function, arguments, token)

    async def _send(self, function: Rpc, arguments: Mapping[str, Any], token: str) -> object:
        from sync.wire.foreign import translated

        with translated():
            async with asyncio.timeout(CALL_SECONDS):
                # The builder copies the headers before anything is awaited, so calls side by side keep their own token.
                request = self._connected().postgrest.auth(token).rpc(function.value, dict(arguments))
                return (await request.execute()).data

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
