"""Connections that send nothing, half a head, or come in crowds; and those that only take their time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from server import connections
from server.connections import Connection
from server.listener import configured

REQUEST = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def listening(go: asyncio.Event) -> AsyncIterator[int]:
    """A port whose application answers 204 when it may."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await go.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    config = configured(app)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for each in list(state.connections):
            each.transport.abort()


@asynccontextmanager
async def connected(port: int, said: bytes = b"") -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ended(peer: Peer) -> bool:
    try:
        async with asyncio.timeout(10):
            return await peer[0].read(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /slow HTTP/1.1\r\nHost: lo"])
def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.05)

    async def story() -> None:
        async with listening(asyncio.Event()) as port, connected(port, said) as peer:
            assert await ended(peer)

    asyncio.run(story())


def test_half_a_head_after_an_answer_ends_it_and_a_slow_answer_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.05)

    async def story() -> None:
        go = asyncio.Event()
        async with listening(go) as port, connected(port, REQUEST) as slow, connected(port) as silent:
            assert await ended(silent)
            go.set()
            reader, writer = slow
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
            writer.write(b"GET ")
            assert await ended(slow)

    asyncio.run(story())


def test_one_address_takes_a_part_of_the_places_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_OF_ONE_ADDRESS", 2)
    monkeypatch.setattr(connections, "_is_exempt", lambda *_: False)

    async def story() -> None:
        go = asyncio.Event()
        go.set()
        async with listening(go) as port, connected(port) as first, connected(port), connected(port) as third:
            assert await ended(third)
            first[1].write(REQUEST)
            assert (await first[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("address", "exempt"),
    [("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("192.0.2.1", False)],
)
def test_this_machine_and_trusted_proxies_bring_as_many_as_they_like(address: str, *, exempt: bool) -> None:
    assert connections._is_exempt(address, ["10.0.0.0/8"]) is exempt
