"""A man in the middle for tests: passes every request on to a real server, but for those that a test answers itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.fakes.faults import Answer, FaultyServer, Reply, Request, faulty_server
from tests.fakes.served import Served

Meddle = Callable[[Request, Callable[[Request], Answer]], Reply | None]
"""The answer of a test's own, or None to pass the request on. The second argument asks the real server."""


@asynccontextmanager
async def meddling(served: Served, meddle: Meddle) -> AsyncIterator[FaultyServer]:
    """Run one for the length of a test. Websockets are not passed on."""
    with httpx.Client(timeout=30) as http:

        def ask(request: Request) -> Answer:
            kept = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
            answer = http.request(
                request.method, served.url + request.path, headers=kept, content=request.body
            )
            kind = answer.headers.get("content-type")
            headers: dict[str, Any] = {"content-type": kind} if kind else {}
            return Answer(answer.status_code, answer.content, headers)

        async with faulty_server(lambda request: meddle(request, ask) or ask(request)) as faulty:
            yield faulty


_HOP_BY_HOP = frozenset({"host", "content-length", "connection", "accept-encoding"})
