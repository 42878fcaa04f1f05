"""Files as a server hands them out are taken for good only if their hash fits."""

import hashlib

import pytest

from storage.records import ProjectId
from sync.errors import CaptivePortal, SyncError, Unreachable
from sync.wire import files

PROJECT = ProjectId("p")


def answer(content: str, told: str, summary: str = "null") -> bytes:
    digest = hashlib.sha256(f"[{content}, {summary}]".encode()).hexdigest()
    return (
        f'{{"files": {told}, "octets": 9, "summary": {summary}, "revision": 3, '
        f'"updated_at": "2026-11-21T10:00:00+00:00", "content_hash": "{digest}"}}'
    ).encode()


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"a": "hé", "bb": {"x": [1, true, null]}}',
        # What a float would not give back.
        '{"a": [1.10, 0.00000010, 100000000000000000000000, 12345678901234567890.5]}',
    ],
)
def test_files_whose_hash_fits_are_taken(content: str) -> None:
    fetched = files.snapshot(answer(content, content, '"all"'), PROJECT)
    assert (fetched.project_id, fetched.revision, fetched.summary) == (PROJECT, 3, "all")
    assert (fetched.pending, fetched.updated_at) == (False, "2026-11-21T10:00:00.000Z")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (answer('{"a": 1}', '{"a": 2}'), Unreachable),
        (answer('{"a": 1}', '{"a": "\\u0000"}'), Unreachable),
        (answer('{"a": 1}', '{"a": 1')[:-40], Unreachable),
        (b"<html>", SyncError),
        (b'{"welcome": 1}', CaptivePortal),
    ],
)
def test_files_that_are_not_those_that_were_saved_are_not(body: bytes, error: type[SyncError]) -> None:
    with pytest.raises(error) as raised:
        files.snapshot(body, PROJECT)
    assert len(str(raised.value).splitlines()) == 1
