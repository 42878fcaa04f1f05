"""The frames of the official clients, as supabase-js 2.119 and supabase-py 2.34 write them."""

import pytest

from server.realtime.frames import Frame, Version, parse


def binary(
    kind: int, join_ref: bytes, ref: bytes, topic: bytes, event: bytes = b"e", rest: bytes = b"{}"
) -> bytes:
    lengths = bytes([kind, len(join_ref), len(ref), len(topic), len(event), 0, 1])
    return lengths + join_ref + ref + topic + event + rest


@pytest.mark.parametrize(
    ("received", "version", "frame"),
    [
        ('{"topic": "t", "event": "e", "payload": {"a": 1}, "ref": "1"}', Version.V1, Frame("t", "e", {"a": 1}, "1")),
        ('{"topic": "t", "event": "e", "ref": 7, "join_ref": 8}', Version.V1, Frame("t", "e", {}, "7", "8")),
        ('["2", "3", "t", "e", {"a": 1}]', Version.V2, Frame("t", "e", {"a": 1}, "3", "2")),
        ('[null, null, "phoenix", "heartbeat", {}]', Version.V2, Frame("phoenix", "heartbeat")),
        (binary(3, b"2", b"3", "realtime:ü".encode()), Version.V2, Frame("realtime:ü", "broadcast", {}, "3", "2")),
        (binary(3, b"", b"", b"t"), Version.V2, Frame("t", "broadcast")),
    ],
)  # fmt: skip
def test_a_frame_of_an_official_client_is_read(received: str | bytes, version: Version, frame: Frame) -> None:
    assert parse(received, version) == frame


@pytest.mark.parametrize(
    ("received", "version"),
    [
        ("", Version.V1), ("", Version.V2), (b"", Version.V2), (b"\x03", Version.V2), (b"\x00\x01", Version.V1),
        (binary(0, b"2", b"3", b"t"), Version.V2), (binary(3, b"2", b"3", b"\xff"), Version.V2),
        (binary(3, b"2", b"3", b"t"), Version.V1), ("[1, 2, 3, 4]", Version.V2), ('{"topic": "t"}', Version.V1),
        ('["1", "2", "' + "t" * 256 + '", "e", {}]', Version.V2), ("[" * 50_000, Version.V2), ("9" * 9_999, Version.V2),
    ],
)  # fmt: skip
def test_what_is_no_frame_is_none(received: str | bytes, version: Version) -> None:
    assert parse(received, version) is None
