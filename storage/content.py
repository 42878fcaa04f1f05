"""What may be a message's content: cleaned or refused before it is ever stored (I28)."""

import math
from collections.abc import Sequence
from typing import Final

from storage.errors import InvalidMessage
from storage.records import Part
from storage.rows import encode

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
"""Of nested arrays and objects, the content array itself included."""

_EMPTY: Final = "The message is empty: write something first"
_TOO_LARGE: Final = "The message is larger than 1 MiB: shorten it or split it"
_TOO_DEEP: Final = "The message is nested deeper than 64 levels: flatten it"
_NOT_JSON: Final = "The message holds something that is not JSON: send text or JSON objects"
_NOT_PARTS: Final = "The message must be text or a list of JSON objects: send one of these"


def normalise(content: str | Sequence[Part]) -> tuple[Part, ...]:
    """The parts as they are stored: a string becomes one text part, NUL goes, lone surrogates become U+FFFD.

    Raises InvalidMessage for what is empty, larger than 1 MiB as JSON text, nested too deep, or not JSON objects.
    """
    given = [{"type": "text", "text": content}] if isinstance(content, str) else content
    parts = tuple(_part(part) for part in given)
    if all(_is_blank(part) for part in parts):
        raise InvalidMessage(_EMPTY)
    if encoded_size(parts) > MAX_BYTES:
        raise InvalidMessage(_TOO_LARGE)
    return parts


def plain_text(parts: Sequence[Part]) -> str:
    """What a person wrote or reads: the text parts, a line break between them."""
    return "\n".join(
        text for part in parts if part.get("type") == "text" and isinstance(text := part.get("text"), str)
    )


def encoded_size(parts: Sequence[Part]) -> int:
    """Bytes of the content as compact JSON in UTF-8, which is what the server measures too."""
    try:
        return len(encode(parts).encode())
    except ValueError as error:
        raise InvalidMessage(_NOT_JSON) from error


def _part(value: object) -> Part:
    if not isinstance(value, dict):
        raise InvalidMessage(_NOT_PARTS)
    return {_text(key): _clean(item, 3) for key, item in value.items()}


def _clean(value: object, depth: int) -> object:
    match value:
        case str():
            return _text(value)
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case dict() | list() | tuple() if depth > MAX_DEPTH:
            raise InvalidMessage(_TOO_DEEP)
        case dict():
            return {_text(key): _clean(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item, depth + 1) for item in value]
    raise InvalidMessage(_NOT_JSON)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidMessage(_NOT_JSON)
    return clean(value)


def clean(text: str) -> str:
    """The text without NUL, lone surrogates repaired: what JSON and every database hold."""
    # Through UTF-16, so that a pair of surrogates becomes the character that it means.
    repaired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return repaired.replace("\0", "")


def _is_blank(part: Part) -> bool:
    text = part.get("text")
    return not part or (part.get("type") == "text" and (not isinstance(text, str) or not text.strip()))
