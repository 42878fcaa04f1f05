"""Reading request bodies with a bound on size and time."""

import asyncio
import json
from typing import Final

from starlette.requests import ClientDisconnect, Request

_SECONDS: Final = 30.0
# A client that is still sending does not read the answer, so some of what is too much is read and dropped.
_DRAINED_BYTES: Final = 32 * 1024 * 1024


class BodyTooLarge(Exception):
    """The body is larger than its route takes."""


class BodyTooSlow(Exception):
    """The body did not arrive in time, or not at all."""


class NotAnObject(Exception):
    """The body is not one JSON object."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, at most `limit` bytes. Raises BodyTooLarge, BodyTooSlow."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit:
                    chunks.append(chunk)
                elif size > _DRAINED_BYTES:
                    break
    except (TimeoutError, ClientDisconnect):
        raise BodyTooSlow from None
    if size > limit:
        raise BodyTooLarge
    return b"".join(chunks)


async def read_object(request: Request, limit: int) -> dict[str, object]:
    """The body as a JSON object; NotAnObject for anything else."""
    try:
        value = json.loads(await read_body(request, limit))
    except (ValueError, RecursionError):
        raise NotAnObject from None
    if not isinstance(value, dict):
        raise NotAnObject
    return value
