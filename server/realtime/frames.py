"""The frames of the Phoenix protocol as the official clients write and read them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

TOPIC_PREFIX: Final = "realtime:"
_TOPIC_LENGTH: Final = 255
_BROADCAST: Final = "broadcast"
# supabase-js sends a broadcast in version 2 as kind, five lengths and an encoding, then what the lengths are of.
_USER_BROADCAST: Final = 3
_BINARY_HEADER: Final = 7


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


def broadcast(topic: str, event: str, payload: object) -> Frame:
    """What the members of a topic get; `topic` is without its prefix."""
    return Frame(TOPIC_PREFIX + topic, _BROADCAST, {"event": event, "type": _BROADCAST, "payload": payload})


def parse(received: str | bytes, version: Version) -> Frame | None:
    """The frame that a client sent; None for what is none. The words of a binary broadcast are not read."""
    try:
        if isinstance(received, bytes):
            return _parse_binary(received) if version is Version.V2 else None
        value = json.loads(received)
        if version is Version.V2:
            join_ref, ref, topic, event, payload = value
        else:
            topic, event, payload = value["topic"], value["event"], value.get("payload")
            ref, join_ref = value.get("ref"), value.get("join_ref")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None
    if not (isinstance(topic, str) and isinstance(event, str) and len(topic) <= _TOPIC_LENGTH):
        return None
    return Frame(topic, event, payload if isinstance(payload, dict) else {}, _ref(ref), _ref(join_ref))


def _parse_binary(received: bytes) -> Frame | None:
    if received[0] != _USER_BROADCAST or len(received) < _BINARY_HEADER:
        return None
    words: list[str] = []
    place = _BINARY_HEADER
    for length in received[1:4]:
        words.append(received[place : place + length].decode())
        place += length
    join_ref, ref, topic = words
    return Frame(topic, _BROADCAST, {}, ref or None, join_ref or None)


def _ref(value: object) -> str | None:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None
