"""Sums over a message's text, so that damage which SQLite cannot see is noticed when the row is read."""

from zlib import crc32


def checksum(message_id: str, role: str, content_json: str, annotations_json: str | None) -> int:
    """Over the columns exactly as they are stored. JSON text is never empty, so no annotations equal no other ones."""
    text = "\0".join((message_id, role, content_json, annotations_json or ""))
    return crc32(text.encode("utf-8", "surrogatepass"))


def fits(
    kept: object, message_id: object, role: object, content_json: object, annotations_json: object
) -> bool:
    """Whether a row is what was written. One that was written without a sum (null) passes.

    Takes values of any type: a damaged row may hold some.
    """
    if not (isinstance(message_id, str) and isinstance(role, str) and isinstance(content_json, str)):
        return False
    if not isinstance(annotations_json, str | None):
        return False
    return kept is None or kept == checksum(message_id, role, content_json, annotations_json)
