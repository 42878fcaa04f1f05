"""The files of projects as they were saved last; pulls bring only their hash, the files come when they are wanted.

The later save wins, in the server's order. Hash and size are of the text that PostgreSQL makes of `[files, summary]`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from storage import projects, rows
from storage.content import clean
from storage.errors import InvalidProject, UnknownProject
from storage.exchange import ErrandKind, SnapshotChange
from storage.records import LOCAL_ACCOUNT, AccountId, ProjectId
from storage.standing import orders
from storage.transaction import Reader, Transaction

MAX_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`files` is None while only its hash is known here: get them from the server, then `keep` them."""

    project_id: ProjectId
    content_hash: str
    octets: int
    revision: int
    files: Mapping[str, Any] | None
    summary: str | None
    updated_at: str
    pending: bool
    sync_error: str | None


def save(
    tx: Transaction, project_id: ProjectId, files: Mapping[str, Any], summary: str | None = None
) -> Snapshot:
    """Puts these files in the place of the last ones; the server hears of it. Raises UnknownProject, InvalidProject."""
    project = projects.get(tx.db, project_id)
    if project.deleted:
        raise UnknownProject("This project was deleted: save the files in another one")
    summary = None if summary is None else clean(summary)
    digest, octets = measured(files, summary)
    tx.db.execute(
        "insert into snapshots (project_id, account_id, content_hash, octets, revision, files, summary, updated_at, "
        "pending) values (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8) on conflict (project_id) do update set "
        "content_hash = ?3, octets = ?4, files = ?5, summary = ?6, updated_at = ?7, pending = ?8, sync_error = null",
        (
            project_id, project.account_id, digest, octets, rows.encode(dict(files)), summary, tx.now(),
            int(project.account_id != LOCAL_ACCOUNT),
        ),
    )  # fmt: skip
    if project.account_id != LOCAL_ACCOUNT:
        _order(tx, project.account_id, project_id)
    tx.touch_projects()
    snapshot = get(tx.db, project_id)
    assert snapshot is not None
    return snapshot


def keep(tx: Transaction, fetched: SnapshotChange, files: Mapping[str, Any], summary: str | None) -> bool:
    """Keeps files that were got from the server; False when others are known or wait here by now."""
    found = tx.db.execute(
        "update snapshots set files = ?, summary = ? where project_id = ? and content_hash = ? and pending = 0",
        (rows.encode(dict(files)), summary, fetched.project_id, fetched.content_hash),
    )
    if found.rowcount:
        tx.touch_projects()
    return bool(found.rowcount)


def get(db: Reader, project_id: ProjectId) -> Snapshot | None:
    """The project's last snapshot, None when it has none."""
    row = db.execute(
        "select project_id, content_hash, octets, revision, files, summary, updated_at, pending, sync_error "
        "from snapshots where project_id = ?",
        (project_id,),
    ).fetchone()
    if row is None:
        return None
    _, content_hash, octets, revision, files, summary, updated_at, pending, error = row
    held = json.loads(files) if files else None
    return Snapshot(
        project_id, content_hash, octets, revision, held, summary, updated_at, bool(pending), error
    )


def body(db: Reader, project_id: str) -> dict[str, Any]:
    """The arguments of the errand that saves it; kept here once, not in the errand too."""
    files, summary = db.execute(
        "select files, summary from snapshots where project_id = ?", (project_id,)
    ).fetchone()
    return {"p_snapshot": {"files": json.loads(files), "summary": summary}}


def apply(tx: Transaction, account_id: AccountId, generation: int, change: SnapshotChange) -> None:
    """Takes over what the server has, unless a save waits here. Files that are the same stay."""
    held = tx.db.execute(
        "select account_id, content_hash, pending from snapshots where project_id = ?", (change.project_id,)
    ).fetchone()
    project = tx.db.execute(
        "select account_id from projects where project_id = ?", (change.project_id,)
    ).fetchone()
    if any(row is not None and row[0] != account_id for row in (held, project)):
        return
    if held and held[2] and held[1] != change.content_hash:
        tx.db.execute(
            "update snapshots set shadow = ?, generation = ? where project_id = ?",
            (rows.encode(asdict(change)), generation, change.project_id),
        )
        return
    tx.db.execute(
        "insert into snapshots (project_id, account_id, content_hash, octets, revision, updated_at, generation) "
        "values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (project_id) do update set "
        "files = iif(content_hash = ?3, files, null), summary = iif(content_hash = ?3, summary, null), "
        "content_hash = ?3, octets = ?4, revision = ?5, updated_at = ?6, generation = ?7, shadow = null",
        (
            change.project_id, account_id, change.content_hash, change.octets, change.revision,
            change.updated_at, generation,
        ),
    )  # fmt: skip
    tx.touch_projects()


def settle(tx: Transaction, project_id: str) -> None:
    """The save was answered: what the server showed meanwhile is the last word, until its next."""
    account_id, generation, shadow = tx.db.execute(
        "update snapshots set pending = 0, sync_error = null, "
        "generation = (select a.generation from accounts a where a.account_id = snapshots.account_id) "
        "where project_id = ? "
        "returning account_id, generation, shadow",
        (project_id,),
    ).fetchone()
    if shadow is not None:
        apply(tx, account_id, generation, SnapshotChange(**json.loads(shadow)))


def send_again(tx: Transaction, account_id: AccountId, project_id: ProjectId) -> None:
    """Queues the files that do not wait already: the server does not have them. A hash alone is of no use then."""
    tx.db.execute("delete from snapshots where project_id = ? and files is null", (project_id,))
    found = tx.db.execute(
        "update snapshots set pending = 1, account_id = ? where project_id = ? and pending = 0",
        (account_id, project_id),
    )
    if found.rowcount:
        _order(tx, account_id, project_id)


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
        case _:
            yield json.dumps(value)


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return json.dumps(text, ensure_ascii=False)


def _order(tx: Transaction, account_id: AccountId, project_id: ProjectId) -> None:
    for errand in orders.of_subject(tx.db, project_id, ErrandKind.SAVE_SNAPSHOT):
        orders.drop(tx, errand.number)
    orders.add(tx, account_id, ErrandKind.SAVE_SNAPSHOT, project_id, {})
