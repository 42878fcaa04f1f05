"""What may be pinned to a chat: cleaned or refused before it is ever stored."""

import hashlib
from dataclasses import dataclass
from typing import Final

from storage.content import clean
from storage.errors import InvalidResource

KINDS: Final = ("instruction_file", "skill", "document", "mcp_config", "mcp_server")
STATUSES: Final = ("ok", "oversize", "unreadable", "invalid", "excluded")
MAX_BODY: Final = 65_536
SECRETIVE: Final = "mcp_config"
"""Of this kind the text may hold secrets: only its hash is kept."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is to be pinned. One without its text has another status than ok, and a reason.

    Of an mcp_config only `source_hash` is kept: its text may hold secrets.
    """

    source: str
    kind: str
    body: str | None = None
    name: str = ""
    status: str = "ok"
    reason: str | None = None
    source_hash: str | None = None


def checked(resource: Resource) -> Resource:
    """The resource as it is to be kept. Raises InvalidResource."""
    _refuse_unknown(resource)
    body = None if resource.body is None or resource.kind == SECRETIVE else clean(resource.body)
    source_hash = resource.source_hash if resource.body is None else digest(clean(resource.body))
    status, reason = resource.status, clean(resource.reason or "")[:1000] or None
    if status == "ok" and len((body or "").encode()) > MAX_BODY:
        status, reason = "oversize", "The text is larger than 64 KiB."
    if status == "ok" and source_hash is None:
        raise InvalidResource("The resource has no text: choose a file that can be read")
    if status != "ok" and reason is None:
        raise InvalidResource("A resource without its text needs a reason: say why it cannot be read")
    bodied, reason = (body, None) if status == "ok" else (None, reason)
    name = clean(resource.name)[:200]
    return Resource(resource.source, resource.kind, bodied, name, status, reason, source_hash)


def _refuse_unknown(resource: Resource) -> None:
    source = resource.source
    if not 1 <= len(source) <= 1024 or len(clean(source).encode()) > 2048 or source != clean(source):
        raise InvalidResource("A resource has a source of 1 to 1,024 characters: name where it comes from")
    if resource.kind not in KINDS:
        raise InvalidResource(f"A resource is of the kind {', '.join(KINDS)}: choose one of these")
    if resource.status not in STATUSES:
        raise InvalidResource(f"A resource is {', '.join(STATUSES)}: choose one of these")


def digest(text: str) -> str:
    """How the server names a text: its hex sha256."""
    return hashlib.sha256(text.encode()).hexdigest()
