"""Who listens to which realtime topic, and the frames on their way to each listener."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from server.realtime.frames import Frame, Version, broadcast

_FRAMES_WAITING: Final = 128


@dataclass(frozen=True)
class Closing:
    """Why the server ends a socket; `reason` is at most 123 bytes."""

    code: int
    reason: str


GOING_AWAY: Final = Closing(1001, "server is stopping")
MISSED_POKES: Final = Closing(1012, "join again, pokes may be missing")
SLOW: Final = Closing(1013, "reads too slowly")
SESSION_ENDED: Final = Closing(1008, "session ended")


class Member:
    """One socket as the hub sees it: the frames that wait for it, and the wish to close."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        self.sessions: dict[str, uuid.UUID | None] = {}
        self._waiting: dict[Hashable, str] = {}
        self._filled = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Queues an answer. A socket that asks and does not read is closed rather than buffered without bound."""
        self._queue(object(), frame.encode(self.version))

    def poke(self, topic: str, event: str, text: str) -> None:
        """Queues a broadcast. It says "look again", so the newest takes the place of one that still waits."""
        self._queue((topic, event), text)

    def forget(self, topic: str) -> None:
        """Drops the broadcasts of a topic that still wait."""
        self._waiting = {key: text for key, text in self._waiting.items() if _topic_of(key) != topic}

    async def next(self) -> str:
        """The text that goes out next; waits for one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.pop(next(iter(self._waiting)))

    def _queue(self, key: Hashable, text: str) -> None:
        if key not in self._waiting and len(self._waiting) >= _FRAMES_WAITING:
            self.close(SLOW)
            return
        self._waiting[key] = text
        self._filled.set()

    def close(self, closing: Closing) -> None:
        """Asks the socket to end; the first reason stands."""
        if not self.closing.done():
            self.closing.set_result(closing)


def _topic_of(key: Hashable) -> str | None:
    return key[0] if isinstance(key, tuple) else None


class Hub:
    """Topics and their members. Lives on the event loop's thread."""

    def __init__(self) -> None:
        self._members: set[Member] = set()
        self._by_topic: defaultdict[str, set[Member]] = defaultdict(set)

    @property
    def size(self) -> int:
        """How many sockets are open."""
        return len(self._members)

    def enter(self, member: Member) -> None:
        """A socket opened."""
        self._members.add(member)

    def leave(self, member: Member) -> None:
        """A socket is gone, and with it its topics."""
        self._members.discard(member)
        for topic in list(member.sessions):
            self.part(member, topic)

    def join(self, member: Member, topic: str, session_id: uuid.UUID | None) -> None:
        """The member hears the topic from now on."""
        member.sessions[topic] = session_id
        self._by_topic[topic].add(member)

    def part(self, member: Member, topic: str) -> None:
        """The member no longer hears the topic."""
        member.sessions.pop(topic, None)
        member.forget(topic)
        members = self._by_topic[topic]
        members.discard(member)
        if not members:
            del self._by_topic[topic]

    def publish(self, topic: str, event: str, payload: object) -> None:
        """Sends a broadcast to all who hear the topic."""
        members = self._by_topic.get(topic, ())
        frame = broadcast(topic, event, payload)
        texts = {version: frame.encode(version) for version in {member.version for member in members}}
        for member in members:
            member.poke(topic, event, texts[member.version])

    def end_sessions(self, ended: Iterable[uuid.UUID]) -> None:
        """Closes the sockets that joined with a session that is over."""
        gone = set(ended)
        for member in self._members:
            if not gone.isdisjoint(member.sessions.values()):
                member.close(SESSION_ENDED)

    def close_all(self, closing: Closing) -> None:
        """Closes every socket; clients join again and pull what they missed."""
        for member in self._members:
            member.close(closing)
