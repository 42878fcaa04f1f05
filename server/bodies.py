"""Reading request bodies with a bound on size, time and memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from starlette.requests import ClientDisconnect, Request

from server.shares import NoRoom, Shares, held
from sync.protocol import REQUEST_MAX_BYTES

_SECONDS: Final = 30.0
_LARGE_SECONDS: Final = 300.0
_LARGE_AT_ONCE: Final = 2
# A client that is still sending does not read the answer, so some of what is too much is read and dropped.
_DRAINED_BYTES: Final = 32 * 1024 * 1024


class BodyTooLarge(Exception):
    """The body is larger than its route takes."""


class BodyTooSlow(Exception):
    """The body did not arrive in time, or not at all."""


class NotAnObject(Exception):
    """The body is not one JSON object."""


async def read_body(
    request: Request, limit: int, before_large: Callable[[], Awaitable[None]] | None = None
) -> bytearray:
    """The whole body, at most `limit` bytes. Raises BodyTooLarge, BodyTooSlow.

    `before_large` is awaited once, before a body grows beyond REQUEST_MAX_BYTES, and may raise NoRoom.
    """
    body = bytearray()
    size = 0
    refusal: Exception | None = None
    try:
        async with asyncio.timeout(_SECONDS) as deadline:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    refusal = refusal or BodyTooLarge()
                elif before_large and size > REQUEST_MAX_BYTES:
                    deadline.reschedule(asyncio.get_running_loop().time() + _LARGE_SECONDS)
                    refusal = await _refusal_of(before_large)
                    before_large = None
                if refusal is None:
                    body += chunk
                elif size > limit + _DRAINED_BYTES:
                    break
                else:
                    body.clear()
    except (TimeoutError, ClientDisconnect):
        raise BodyTooSlow from None
    if refusal is not None:
        raise refusal
    return body


async def _refusal_of(step: Callable[[], Awaitable[None]]) -> NoRoom | None:
    try:
        await step()
    except NoRoom as refusal:
        return refusal
    return None


class Room:
    """Lets a few bodies beyond REQUEST_MAX_BYTES in at once, one a person; the next is not read on before one is done."""

    def __init__(self, places: int = _LARGE_AT_ONCE, patience: float = _SECONDS) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience = patience
        self._shares = Shares(1, patience)

    @asynccontextmanager
    async def place(self, who: Hashable) -> AsyncIterator[None]:
        """A place for something large until the block ends. Raises NoRoom."""
        async with self._shares.one_of(who), held(self._places, self._patience):
            yield

    @asynccontextmanager
    async def body(self, request: Request, limit: int, who: Hashable) -> AsyncIterator[bytearray]:
        """The whole body; its place is held until the block ends. Raises BodyTooLarge, BodyTooSlow, NoRoom."""
        async with AsyncExitStack() as kept:
            yield await read_body(request, limit, lambda: kept.enter_async_context(self.place(who)))


async def read_object(request: Request, limit: int) -> dict[str, object]:
    """The body as a JSON object; NotAnObject for anything else. Raises BodyTooLarge, BodyTooSlow.

    An object with a key twice is none: whoever stands before this server may have read the other value.
    """
    try:
        value = json.loads(await read_body(request, limit), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotAnObject from None
    if not isinstance(value, dict):
        raise NotAnObject
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotAnObject
    return value
