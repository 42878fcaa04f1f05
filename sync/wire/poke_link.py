"""One connection to the user's realtime topic: joined, kept alive by answered heartbeats, taken down without a trace."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sync.errors import Unreachable
from sync.protocol import POKE_EVENT, poke_topic
from sync.wire.endpoint import Endpoint, is_loopback

if TYPE_CHECKING:
    from realtime import (
        AsyncRealtimeChannel,
        AsyncRealtimeClient,
        RealtimeChannelOptions,
        RealtimeSubscribeStates,
    )

ANSWER_SECONDS: Final = 10
CLOSE_SECONDS: Final = 1.0

# The client's own heartbeat carries no reference, so nobody can tell whether it was answered: ours replace it.
_NO_HEARTBEAT: Final = 1_000_000

_HEARTBEAT_TOPIC: Final = "phoenix"


@dataclass(frozen=True, slots=True)
class Poke:
    """The server hints at a change. `head` is its change counter as far as it was told, None where it was not."""

    head: int | None


class PokeLink:
    """Opens on `open`, then `wait` tells of pokes until the link is lost. Not to be opened twice."""

    def __init__(self, server: Endpoint, user_id: str) -> None:
        self._server = server
        self._user_id = user_id
        self._client: AsyncRealtimeClient | None = None
        self._channel: AsyncRealtimeChannel | None = None
        self._heart: AsyncRealtimeChannel | None = None
        self._token = ""
        self._joined = False
        self._news = asyncio.Event()
        self._poke: Poke | None = None
        self._lost = False

    async def open(self, token: str) -> None:
        """Connect and join. Raises Unreachable, or what the official client raises, unless the join is confirmed."""
        from realtime import AsyncRealtimeChannel, AsyncRealtimeClient

        client = AsyncRealtimeClient(
            f"{self._server.url}/realtime/v1",
            token=self._server.key,
            auto_reconnect=False,
            hb_interval=_NO_HEARTBEAT,
            timeout=ANSWER_SECONDS,
        )
        self._client = client
        await self._connect(client)
        self._require_same_host(client)
        await self.set_token(token)
        if client._listen_task is not None:
            client._listen_task.add_done_callback(self._on_end)
        self._heart = client.channels[_HEARTBEAT_TOPIC] = AsyncRealtimeChannel(client, _HEARTBEAT_TOPIC)
        channel = client.channel(poke_topic(self._user_id), _private())
        self._channel = channel.on_broadcast(POKE_EVENT, self._on_broadcast)
        await channel.subscribe(self._on_state)
        if not self._joined or self._lost:
            raise Unreachable("The server takes no realtime connection: Homing asks for news at intervals.")

    async def wait(self, seconds: float) -> Poke | None:
        """One poke for all that came; None when the time is over. Raises Unreachable when lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        if self._lost:
            raise Unreachable("The realtime connection is lost: Homing connects again by itself.")
        self._news.clear()
        poke, self._poke = self._poke, None
        return poke

    def lose(self) -> None:
        """Count the link as lost: after a sleep or in another network it only looks alive."""
        self._lost = True
        self._news.set()

    async def beat(self) -> None:
        """Ask for a sign of life. When none comes in time the link counts as lost."""
        from realtime import RealtimeAcknowledgementStatus
        from realtime._async.push import AsyncPush

        if self._heart is None:
            return
        push = AsyncPush(self._heart, "heartbeat", {}, ANSWER_SECONDS)
        push.receive(RealtimeAcknowledgementStatus.Timeout, self.lose)
        await push.send()

    async def set_token(self, token: str) -> None:
        """Tell the server of a renewed token before the old one ends."""
        if self._client is not None and token != self._token:
            self._token = token
            await self._client.set_auth(token)

    async def close(self) -> None:
        """End the connection and every task of the official client, also when the other side is gone."""
        if self._client is None:
            return
        socket = self._client._ws_connection
        tasks = {
            task for task in (self._client._listen_task, self._client._heartbeat_task) if task is not None
        }
        for channel in (self._channel, self._heart):
            if channel is not None:
                tasks |= _stop(channel)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()
        except TimeoutError:
            pass
        finally:
            if socket is not None:
                socket.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, client: "AsyncRealtimeClient") -> None:
        if is_loopback(urlsplit(self._server.url).hostname or ""):
            # As for requests: no proxy stands between this computer and itself. The client's own connect() asks one.
            from websockets import connect

            client._ws_connection = await connect(
                client.endpoint_url(), open_timeout=ANSWER_SECONDS, proxy=None
            )
            await client._on_connect()
        else:
            await client.connect()

    def _on_broadcast(self, told: object) -> None:
        head, before = _head(told), self._poke
        if head is not None and before is not None:
            head = None if before.head is None else max(head, before.head)
        self._poke = Poke(head)
        self._news.set()

    def _on_state(self, state: "RealtimeSubscribeStates", _: Exception | None) -> None:
        if state.value == "SUBSCRIBED":
            self._joined = True
        else:
            self.lose()

    def _on_end(self, _: object) -> None:
        self.lose()

    def _require_same_host(self, client: "AsyncRealtimeClient") -> None:
        """The websocket library follows redirects to any host; the token goes to the user's server only."""
        socket = client._ws_connection
        request = socket.request if socket is not None else None
        if request is None or request.headers.get("Host") != urlsplit(self._server.url).netloc:
            raise Unreachable("The realtime address leads elsewhere: check the server's address.")


def _head(told: object) -> int | None:
    payload = told.get("payload") if isinstance(told, dict) else None
    head = payload.get("head") if isinstance(payload, dict) else None
    return head if type(head) is int and head >= 0 else None


def _private() -> "RealtimeChannelOptions":
    return {
        "config": {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": "", "enabled": False},
            "private": True,
        }
    }


def _stop(channel: "AsyncRealtimeChannel") -> set[asyncio.Task[Any]]:
    """Silence a channel's timers; what is still running of them is handed back to be awaited."""
    tasks: set[asyncio.Task[Any]] = set(channel._background_tasks)
    pushes = [channel.join_push, *channel.messages_waiting_for_ack.values()]
    tasks |= {push.timeout_task for push in pushes if push.timeout_task is not None}
    if channel.rejoin_timer.timer is not None:
        tasks.add(channel.rejoin_timer.timer)
    channel.subscribe_callback = None
    return tasks
