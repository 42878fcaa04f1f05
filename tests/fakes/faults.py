"""A server on loopback that answers just what a test tells it to: pages, garbage, silence, a cut line."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; a body that is no bytes is sent as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes instead of an answer; then the line is cut."""

    octets: bytes


HANG: Final = object()
RESET: Final = object()

Reply: TypeAlias = Answer | Raw | object
Respond: TypeAlias = Callable[[Request], Reply]


def page(status: int = 200) -> Answer:
    """The kind of page that networks and proxies put in place of a server."""
    return Answer(status, b"<html><body>Welcome</body></html>", {"content-type": "text/html; charset=utf-8"})


class FaultyServer:
    """Collects requests and answers each by `respond`, which tests replace at will."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[Request] = []
        self.url = ""
        self.connections: set[asyncio.Task[Any]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                if not await self._reply(writer, self.respond(request)):
                    break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(task)
            writer.transport.abort()

    async def _reply(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        if isinstance(reply, Answer):
            writer.write(_octets(reply))
            await writer.drain()
            return True
        if isinstance(reply, Raw):
            writer.write(reply.octets)
            await writer.drain()
        if reply is HANG:
            await asyncio.Event().wait()
        return False


@asynccontextmanager
async def faulty_server(respond: Respond, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultyServer]:
    """Run one for the length of a test."""
    faulty = FaultyServer(respond)
    server = await asyncio.start_server(faulty.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    faulty.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield faulty
    finally:
        server.close()
        tasks = list(faulty.connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def _octets(answer: Answer) -> bytes:
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    kind = {} if isinstance(answer.body, bytes) else {"content-type": "application/json"}
    headers = {**kind, **answer.headers, "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Told\r\n{lines}\r\n".encode() + body
