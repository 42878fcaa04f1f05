"""The hash and the size of a project's files, of the very text that PostgreSQL makes of `[files, summary]`."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from storage.errors import InvalidProject

MAX_BYTES: Final = 50_000_000


def measured(files: Mapping[str, Any], summary: str | None) -> tuple[str, int]:
    """Hash and size as the server has them. Raises InvalidProject for what it would not take."""
    try:
        text = "".join(_jsonb([dict(files), summary])).encode()
    except (UnicodeEncodeError, ValueError) as error:
        raise InvalidProject("A file holds what is not text: leave it out, or write it as base64") from error
    if len(text) > MAX_BYTES:
        raise InvalidProject("The files are larger than 50 MB: leave out what can be made again")
    return hashlib.sha256(text).hexdigest(), len(text)


def _jsonb(value: object) -> Iterator[str]:
    """Keys by length, then by octets; a blank behind each comma and colon; numbers without an exponent."""
    match value:
        case dict():
            yield "{"
            for place, key in enumerate(sorted(value, key=lambda key: (len(key.encode()), key.encode()))):
                yield f"{', ' if place else ''}{_quoted(key)}: "
                yield from _jsonb(value[key])
            yield "}"
        case list() | tuple():
            yield "["
            for place, item in enumerate(value):
                yield ", " if place else ""
                yield from _jsonb(item)
            yield "]"
        case str():
            yield _quoted(value)
        case float():
            yield format(Decimal(repr(value)), "f").removeprefix("-" if value == 0 else "\0")
        case Decimal():
            yield format(value, "f")
        case _:
            yield json.dumps(value)


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return json.dumps(text, ensure_ascii=False)
