"""An answer's body as JSON, told apart from what networks answer in a server's place."""

from typing import Any

from pydantic_core import from_json

from sync.errors import Unreachable
from sync.wire.replies import not_the_server


def parsed_object(body: bytes, mark: str) -> dict[str, Any]:
    """An object with the field that each answer of its kind has; CaptivePortal for anything else."""
    answer = _parsed(body)
    if not isinstance(answer, dict) or mark not in answer:
        raise not_the_server()
    return answer


def parsed_rows(body: bytes) -> list[Any]:
    """A list of objects; CaptivePortal for anything else."""
    answer = _parsed(body)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise not_the_server()
    return answer


def _parsed(body: bytes) -> object:
    if not body:
        raise not_the_server()
    try:
        return from_json(body, cache_strings="keys")
    except ValueError:
        raise Unreachable("The server's answer is cut off: check the network, then sync again.") from None
