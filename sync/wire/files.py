"""A project's files as the server hands them out, checked against their hash before anything is done with them."""

import json
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from storage.digests import measured
from storage.errors import InvalidProject
from storage.records import ProjectId
from storage.snapshots import Snapshot
from sync.errors import Unreachable
from sync.wire.bodies import parsed_object
from sync.wire.changes import moment
from sync.wire.rows import Count


class _Snapshot(BaseModel):
    files: dict[str, Any]
    summary: str | None = None
    content_hash: str
    octets: Count
    revision: Count
    updated_at: str


def snapshot(body: bytes, project_id: ProjectId) -> Snapshot:
    """The files and what is known of them. Unreachable for files that are not those that were saved."""
    row = _Snapshot.model_validate(parsed_object(body, "content_hash"))
    if _hash_of(body) != row.content_hash:
        raise Unreachable("The files arrived damaged: check the network, then get them again.")
    return Snapshot(
        project_id=project_id,
        content_hash=row.content_hash,
        octets=row.octets,
        revision=row.revision,
        files=row.files,
        summary=row.summary,
        updated_at=moment(row.updated_at),
        pending=False,
        sync_error=None,
    )


def _hash_of(body: bytes) -> str | None:
    # PostgreSQL keeps the zeros at the end of a number, which a float would lose.
    try:
        exact = json.loads(body, parse_float=Decimal)
        return measured(exact["files"], exact.get("summary"))[0]
    except (InvalidProject, ValueError):
        return None
