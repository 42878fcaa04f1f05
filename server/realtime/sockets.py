"""`/realtime/v1/websocket`: private broadcast channels for the official clients, Phoenix protocol 1 and 2."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from server.callers import Door
from server.realtime.frames import TOPIC_PREFIX, Frame, Version, parse
from server.realtime.hub import Closing, Hub, Member
from server.tokens import Caller, TokenRefused

_CHANNELS: Final = 100
_REFUSED_JOINS: Final = 20
_SILENCE_SECONDS: Final = 90.0
_CLOSE_SECONDS: Final = 1.0

_EXPIRED: Final = Closing(1008, "access token expired")
_UNREADABLE: Final = Closing(1003, "frame is not of the protocol")
_SILENT: Final = Closing(1000, "no heartbeat")
_LEFT: Final = Closing(1000, "the client left")
_TOO_MANY: Final = Closing(1008, "too many refused joins")


Authorise = Callable[[Caller, str], Awaitable[bool]]
"""Whether the caller may listen to a private topic; ConnectionError when that cannot be found out now."""


class Realtime:
    """The endpoint: one Conversation a socket."""

    def __init__(
        self, door: Door, hub: Hub, authorise: Authorise, clock: Callable[[], float] = time.time
    ) -> None:
        self._door = door
        self._hub = hub
        self._authorise = authorise
        self._clock = clock

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serves one socket until either side ends it."""
        key = websocket.query_params.get("apikey") or websocket.headers.get("apikey")
        version = websocket.query_params.get("vsn", Version.V1)
        if not self._door.knows(key):
            await websocket.send_denial_response(PlainTextResponse("Invalid API key", 401))
            return
        if version not in (Version.V1, Version.V2):
            await websocket.send_denial_response(PlainTextResponse("Unknown protocol version", 400))
            return
        await websocket.accept()
        member = Member(Version(version))
        self._hub.enter(member)
        try:
            await _converse(
                websocket, member, Conversation(member, self._hub, self._door, self._authorise, self._clock)
            )
        finally:
            self._hub.leave(member)


async def _converse(websocket: WebSocket, member: Member, conversation: "Conversation") -> None:
    reading = asyncio.create_task(_read(websocket, conversation))
    writing = asyncio.create_task(_write(websocket, member))
    tasks = (reading, writing)
    try:
        await asyncio.wait((*tasks, member.closing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
            raise outcome
    closing = member.closing.result() if member.closing.done() else ended[0]
    if isinstance(closing, Closing) and websocket.client_state is WebSocketState.CONNECTED:
        with suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await websocket.close(closing.code, closing.reason)


async def _write(websocket: WebSocket, member: Member) -> None:
    while True:
        await websocket.send_text(await member.next())


async def _read(websocket: WebSocket, conversation: "Conversation") -> Closing:
    while True:
        left = conversation.seconds_left()
        try:
            async with asyncio.timeout(min(left, _SILENCE_SECONDS)):
                message = await websocket.receive()
        except TimeoutError:
            return _EXPIRED if left <= _SILENCE_SECONDS else _SILENT
        if message["type"] == "websocket.disconnect":
            return _LEFT
        if closing := await conversation.hear(message.get("text") or message.get("bytes") or ""):
            return closing


class Conversation:
    """What one client said so far: its joined topics and until when its tokens count."""

    def __init__(
        self, member: Member, hub: Hub, door: Door, authorise: Authorise, clock: Callable[[], float]
    ) -> None:
        self._member = member
        self._hub = hub
        self._door = door
        self._authorise = authorise
        self._clock = clock
        self._expiries: dict[str, float] = {}
        self._refused = 0

    def seconds_left(self) -> float:
        """Seconds until the first token of a joined channel expires."""
        return max(0.0, min(self._expiries.values(), default=float("inf")) - self._clock())

    async def hear(self, received: str | bytes) -> Closing | None:
        """Takes one frame; the answer, if any, is queued. Gives a reason to close the socket, or None."""
        frame = parse(received, self._member.version)
        if frame is None:
            return _UNREADABLE
        match frame.event:
            case "heartbeat" if frame.topic == "phoenix":
                self._reply(frame, "ok", {})
            case "phx_join":
                return await self._join(frame)
            case "phx_leave":
                self._part(frame.topic)
                self._reply(frame, "ok", {})
            case "access_token":
                return await self._renew(frame)
            case _ if frame.ref is not None:
                self._reply(frame, "error", {"reason": "Unknown: this server only sends broadcasts"})
        return None

    async def _join(self, frame: Frame) -> Closing | None:
        refusal = await self._admit(frame)
        if refusal is None:
            self._reply(frame, "ok", {"postgres_changes": []})
            return None
        self._refused += 1
        self._reply(frame, "error", {"reason": refusal})
        return _TOO_MANY if self._refused > _REFUSED_JOINS else None

    async def _renew(self, frame: Frame) -> Closing | None:
        if frame.topic not in self._expiries:
            return None
        if await self._admit(frame, renewing=True) is not None:
            return _EXPIRED
        if frame.ref is not None:
            self._reply(frame, "ok", {})
        return None

    async def _admit(self, frame: Frame, *, renewing: bool = False) -> str | None:
        if not frame.topic.startswith(TOPIC_PREFIX):
            return "Unauthorized: topics begin with realtime:"
        config = frame.payload.get("config")
        if not renewing and not (isinstance(config, dict) and config.get("private") is True):
            return "PrivateOnly: This project only allows private channels"
        if not renewing and len(self._expiries) >= _CHANNELS:
            return "ChannelRateLimitReached: Too many channels"
        token = frame.payload.get("access_token")
        try:
            caller = self._door.caller(token if isinstance(token, str) else None)
        except TokenRefused as refused:
            return f"InvalidJWTToken: Token {'has expired' if refused.refusal.value == 'expired' else 'is invalid'}"
        topic = frame.topic.removeprefix(TOPIC_PREFIX)
        try:
            allowed = await self._authorise(caller, topic)
        except ConnectionError:
            return "UnableToConnectToProject: The database is not reachable"
        if not allowed:
            return f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}"
        self._expiries[frame.topic] = caller.expires_at or float("inf")
        self._hub.join(self._member, topic, caller.session_id)
        return None

    def _part(self, topic: str) -> None:
        if self._expiries.pop(topic, None) is not None:
            self._hub.part(self._member, topic.removeprefix(TOPIC_PREFIX))

    def _reply(self, to: Frame, status: str, response: dict[str, object]) -> None:
        answer = {"status": status, "response": response}
        self._member.offer(Frame(to.topic, "phx_reply", answer, to.ref, to.join_ref))
