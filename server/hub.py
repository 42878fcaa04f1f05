"""Who listens to which realtime topic, and the frames on their way to each listener."""

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_FRAMES_WAITING: Final = 64
TOPIC_PREFIX: Final = "realtime:"


class Version(StrEnum):
    """The two serialisations of the Phoenix protocol."""

    V1 = "1.0.0"
    V2 = "2.0.0"


@dataclass(frozen=True)
class Frame:
    """One message of the Phoenix protocol, in either direction."""

    topic: str
    event: str
    payload: Mapping[str, object] = field(default_factory=dict)
    ref: str | None = None
    join_ref: str | None = None

    def encode(self, version: Version) -> str:
        """The text frame; `ref` is always there, clients drop frames without it."""
        if version is Version.V2:
            return json.dumps([self.join_ref, self.ref, self.topic, self.event, self.payload])
        return json.dumps(
            {
                "event": self.event,
                "topic": self.topic,
                "payload": self.payload,
                "ref": self.ref,
                "join_ref": self.join_ref,
            }
        )


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
    """One socket as the hub sees it: a bounded queue of frames, and the wish to close."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.frames: asyncio.Queue[str] = asyncio.Queue(_FRAMES_WAITING)
        self.closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        self.sessions: dict[str, uuid.UUID | None] = {}

    def offer(self, text: str) -> None:
        """Queues a frame; a socket that does not keep up is closed rather than buffered without bound."""
        try:
            self.frames.put_nowait(text)
        except asyncio.QueueFull:
            self.close(SLOW)

    def close(self, closing: Closing) -> None:
        """Asks the socket to end; the first reason stands."""
        if not self.closing.done():
            self.closing.set_result(closing)


class Hub:
    """Topics and their members. Lives on the event loop's thread."""

    def __init__(self) -> None:
        self._members: set[Member] = set()
        self._by_topic: defaultdict[str, set[Member]] = defaultdict(set)

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
        members = self._by_topic[topic]
        members.discard(member)
        if not members:
            del self._by_topic[topic]

    def publish(self, topic: str, event: str, payload: object) -> None:
        """Sends a broadcast to all who hear the topic."""
        members = self._by_topic.get(topic, ())
        frame = Frame(
            TOPIC_PREFIX + topic, "broadcast", {"event": event, "type": "broadcast", "payload": payload}
        )
        texts = {version: frame.encode(version) for version in {member.version for member in members}}
        for member in members:
            member.offer(texts[member.version])

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
