"""A realtime server on loopback that speaks Phoenix frames and stops speaking when a test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


@dataclass
class Topics:
    """What came in, and what is answered from now on."""

    url: str = ""
    joins: str = "ok"
    heartbeats: bool = True
    handshake: HTTPStatus | None = None
    location: str = ""
    frames: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    sockets: list[ServerConnection] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int, event: str) -> list[dict[str, Any]]:
        """Wait for that many frames of one event; all of them."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: len(self.of(event)) >= count)
        return self.of(event)

    def of(self, event: str) -> list[dict[str, Any]]:
        """The frames of one event so far."""
        return [frame for frame in self.frames if frame["event"] == event]

    async def poke(self, event: str = "changed") -> None:
        """Broadcast to the newest connection."""
        payload = {"event": event, "type": "broadcast", "payload": {"head": 1}}
        await self.say(
            json.dumps({"event": "broadcast", "topic": self.topic, "payload": payload, "ref": None})
        )

    async def say(self, text: str) -> None:
        """Any text to the newest connection."""
        await self.sockets[-1].send(text)

    @property
    def topic(self) -> str:
        return str(self.of("phx_join")[-1]["topic"])

    async def _serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        try:
            async for text in socket:
                frame = json.loads(text)
                if (status := self._status(frame)) is not None:
                    reply = {"status": status, "response": {}}
                    await socket.send(json.dumps({**frame, "event": "phx_reply", "payload": reply}))
                async with self.changed:
                    self.frames.append(frame)
                    self.changed.notify_all()
        except ConnectionClosed:
            pass

    def _status(self, frame: dict[str, Any]) -> str | None:
        if frame["event"] == "heartbeat":
            return "ok" if self.heartbeats else None
        return self.joins or None if frame["event"] == "phx_join" else None

    async def until_greeted(self, count: int) -> None:
        """Wait for that many handshakes."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: len(self.paths) >= count)

    async def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        async with self.changed:
            self.paths.append(request.path)
            self.changed.notify_all()
        if self.handshake is None:
            return None
        response = connection.respond(self.handshake, "told\n")
        response.headers["Location"] = self.location
        return response


@asynccontextmanager
async def topic_server() -> AsyncIterator[Topics]:
    """Run one for the length of a test."""
    topics = Topics()
    async with serve(
        topics._serve, "127.0.0.1", 0, process_request=topics._greet, close_timeout=0.2
    ) as server:
        topics.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield topics
