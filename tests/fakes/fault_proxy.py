"""A proxy on loopback before a real server that does to requests and answers what networks do, by seed."""

import asyncio
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from itertools import cycle
from typing import Final
from urllib.parse import urlsplit


class Harm(StrEnum):
    """What happens to one request."""

    NONE = "none"
    DROP_REQUEST = "the server never sees it"
    DROP_ANSWER = "the server acts, and the answer is lost"
    CUT_ANSWER = "the server acts, and half of the answer comes"
    RESET = "the server acts, and the line is reset"
    DOUBLE = "the server sees it twice"
    DELAY = "everything takes longer"
    BAD_GATEWAY = "502 before the server"
    BUSY_AFTER = "503 though the server acted"
    TOO_MANY = "429 with a time"
    PAGE = "a page with 200"
    REDIRECT = "a redirect to a portal"
    EMPTY_JSON = "200 and an empty object"
    LOGIN_REQUIRED = "511"


HARMS: Final = tuple(harm for harm in Harm if harm is not Harm.NONE)
PORTAL: Final = (Harm.PAGE, Harm.REDIRECT, Harm.EMPTY_JSON, Harm.LOGIN_REQUIRED)

_BEFORE: Final = {
    Harm.BAD_GATEWAY: (502, "text/html", b"<html>Bad gateway</html>", ""),
    Harm.TOO_MANY: (
        429,
        "application/json",
        json.dumps({"code": "PT429", "message": "slow"}).encode(),
        "retry-after: 1",
    ),
    Harm.PAGE: (200, "text/html", b"<html>Welcome to our hotel</html>", ""),
    Harm.REDIRECT: (302, "text/html", b"", "location: http://127.0.0.1:1/portal"),
    Harm.EMPTY_JSON: (200, "application/json", b"{}", ""),
    Harm.LOGIN_REQUIRED: (511, "text/html", b"<html>Log in</html>", ""),
}
_NO_FUNCTION: Final = (
    404,
    "application/json",
    json.dumps({"code": "PGRST202", "message": "Could not find the function"}).encode(),
    "",
)
_BUSY: Final = (503, "text/html", b"<html>Busy</html>", "")


class FaultProxy:
    """`rate` of the requests are harmed, by each of `harms` in turn; `heal` ends that. Realtime is cut as often.

    `missing` are functions that the server behind it seems not to have.
    """

    def __init__(self, target: str, seed: int) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._rate = 0.0
        self._harms: Iterator[Harm] = iter(())
        self.counts: Counter[Harm] = Counter()
        self.missing: frozenset[str] = frozenset()
        self.missed: set[str] = set()
        self.url = ""

    def hurt(self, rate: float, harms: tuple[Harm, ...] = HARMS) -> None:
        """From now on."""
        self._harms = cycle(self._random.sample(harms, len(harms)))
        self._rate = rate

    def heal(self) -> None:
        """From now on everything goes through."""
        self._rate = 0.0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Until told to stop."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [
            line for line in head.split(b"\r\n") if not line.lower().startswith((b"host:", b"connection:"))
        ]
        upgrade = b"upgrade: websocket" in head.lower()
        host = f"host: {self._target[0]}:{self._target[1]}".encode()
        connection = b"connection: upgrade" if upgrade else b"connection: close"
        body = await reader.readexactly(_length(head))
        function = lines[0].split(b" ")[1].decode().rpartition("/rpc/")[2]
        if function in self.missing:
            self.missed.add(function)
            return await _say(writer, _answer(*_NO_FUNCTION))
        request = b"\r\n".join([lines[0], host, connection, *lines[1:]]) + body
        harm = next(self._harms) if self._random.random() < self._rate else Harm.NONE
        self.counts[harm] += 1
        if upgrade:
            await self._tunnel(request, reader, writer, harm)
            return False
        return await self._exchange(request, writer, harm)

    async def _exchange(self, request: bytes, writer: asyncio.StreamWriter, harm: Harm) -> bool:
        if harm is Harm.DROP_REQUEST:
            return False
        if harm in _BEFORE:
            return await _say(writer, _answer(*_BEFORE[harm]))
        if harm is Harm.DELAY:
            await asyncio.sleep(self._random.uniform(0.05, 0.5))
        if harm is Harm.DOUBLE:
            await self._ask(request)
        answer = await self._ask(request)
        match harm:
            case Harm.DROP_ANSWER:
                return False
            case Harm.CUT_ANSWER:
                await _say(writer, answer[: len(answer) // 2])
                return False
            case Harm.RESET:
                _reset(writer)
                return False
            case Harm.BUSY_AFTER:
                return await _say(writer, _answer(*_BUSY))
            case _:
                # One answer for each connection to the server, and its end tells how long it is.
                await _say(writer, answer)
                return False

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._target)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read(-1)
        finally:
            writer.close()

    async def _tunnel(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: Harm
    ) -> None:
        if harm is not Harm.NONE and harm is not Harm.DELAY:
            return
        theirs, ours = await asyncio.open_connection(*self._target)
        try:
            ours.write(request)
            both = {asyncio.ensure_future(_pump(reader, ours)), asyncio.ensure_future(_pump(theirs, writer))}
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in both:
                    each.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        finally:
            ours.transport.abort()


@contextmanager
def fault_proxy(target: str, seed: int) -> Iterator[FaultProxy]:
    """One that runs beside the test, in a thread of its own, and harms nothing at first."""
    proxy = FaultProxy(target, seed)
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.serve(ready, stop)), daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await source.read(65_536):
            sink.write(octets)
            await sink.drain()


async def _say(writer: asyncio.StreamWriter, octets: bytes) -> bool:
    writer.write(octets)
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _answer(status: int, kind: str, body: bytes, more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Told", f"content-type: {kind}", f"content-length: {len(body)}", more]
    return "\r\n".join(line for line in lines if line).encode() + b"\r\n\r\n" + body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
