"""The files of projects as they were saved last; pulls bring only their hash, the files come when they are wanted.

A save names the hash of what it replaces. Where the server has another one by then, nobody's files are lost: those here
are set aside beside what is known of the server's, until a person chooses.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from storage import projects, rows
from storage.content import clean
from storage.digests import measured
from storage.errors import UnknownProject
from storage.exchange import Errand, ErrandKind, SnapshotChange
from storage.records import LOCAL_ACCOUNT, AccountId, ProjectId
from storage.standing import openings, orders
from storage.transaction import Reader, Transaction

NOTHING: Final = ""
"""The hash by which a save expects that the server has no files of the project."""

_MOST_GUESSES: Final = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`files` is None while only its hash is known here: get them from the server, then `keep` them.

    `theirs` is what the server has instead, as far as is known, while a save waits here or is set aside.
    """

    project_id: ProjectId
    content_hash: str
    octets: int
    revision: int
    files: Mapping[str, Any] | None
    summary: str | None
    updated_at: str
    pending: bool
    sync_error: str | None
    theirs: SnapshotChange | None = None


def save(
    tx: Transaction, project_id: ProjectId, files: Mapping[str, Any], summary: str | None = None
) -> Snapshot:
    """Puts these files in the place of the last ones; the server hears of it. Raises UnknownProject, InvalidProject."""
    project = projects.get(tx.db, project_id)
    if project.deleted:
        raise UnknownProject("This project was deleted: save the files in another one")
    summary = None if summary is None else clean(summary)
    digest, octets = measured(files, summary)
    expected = _expected(tx.db, project_id)
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
        _order(tx, project.account_id, project_id, expected)
    tx.touch_projects()
    snapshot = get(tx.db, project_id)
    assert snapshot is not None
    return snapshot


def keep(tx: Transaction, fetched: Snapshot) -> bool:
    """Keeps files that were got from the server; False when others are known or wait here by now."""
    known = tx.db.execute(
        "select p.account_id, a.generation, max(s.revision, coalesce(json_extract(s.shadow, '$.revision'), 0)) "
        "from projects p join accounts a using (account_id) left join snapshots s using (project_id) "
        "where p.project_id = ?",
        (fetched.project_id,),
    ).fetchone()
    if known is None:
        return False
    account_id, generation, revision = known
    if fetched.revision > (revision or 0):
        apply(tx, account_id, generation, _change(fetched))
    found = tx.db.execute(
        "update snapshots set files = ?, summary = ? where project_id = ? and content_hash = ? and pending = 0",
        (rows.encode(fetched.files), fetched.summary, fetched.project_id, fetched.content_hash),
    )
    if found.rowcount:
        tx.touch_projects()
    return bool(found.rowcount)


def keep_mine(tx: Transaction, project_id: ProjectId) -> None:
    """Sends the files here in the place of the server's, if those are still the ones that are known here.

    Nothing is changed where nothing is set aside.
    """
    mine = get(tx.db, project_id)
    if mine is None or mine.sync_error is None:
        return
    expected = [mine.theirs.content_hash] if mine.theirs else _expected(tx.db, project_id)
    (account_id,) = tx.db.execute(
        "update snapshots set sync_error = null, shadow = null, revision = ? where project_id = ? returning account_id",
        (mine.theirs.revision if mine.theirs else mine.revision, project_id),
    ).fetchone()
    _order(tx, account_id, project_id, expected)
    tx.touch_projects()


def keep_theirs(tx: Transaction, project_id: ProjectId) -> None:
    """Drops the files here that were set aside; those of the server come when they are wanted."""
    mine = get(tx.db, project_id)
    if mine is None or mine.sync_error is None:
        return
    _drop_orders(tx, project_id)
    account_id, generation = tx.db.execute(
        "delete from snapshots where project_id = ? returning account_id, generation", (project_id,)
    ).fetchone()
    if mine.theirs is None:
        openings.ask_again(tx, account_id)
    else:
        apply(tx, account_id, generation, mine.theirs)
    tx.touch_projects()


def get(db: Reader, project_id: ProjectId) -> Snapshot | None:
    """The project's last snapshot, None when it has none."""
    row = db.execute(
        "select content_hash, octets, revision, files, summary, updated_at, pending, sync_error, shadow "
        "from snapshots where project_id = ?",
        (project_id,),
    ).fetchone()
    if row is None:
        return None
    content_hash, octets, revision, files, summary, updated_at, pending, error, shadow = row
    return Snapshot(
        project_id, content_hash, octets, revision, json.loads(files) if files else None, summary, updated_at,
        bool(pending), error, SnapshotChange(**json.loads(shadow)) if shadow else None,
    )  # fmt: skip


def body(db: Reader, errand: Errand) -> dict[str, Any]:
    """The arguments of the errand that saves it; the files are kept here once, not in the errand too."""
    files, summary = db.execute(
        "select files, summary from snapshots where project_id = ?", (errand.subject,)
    ).fetchone()
    snapshot = {"files": json.loads(files), "summary": summary}
    return {"p_snapshot": snapshot, "p_expected_hash": errand.body["expected"][0]}


def apply(tx: Transaction, account_id: AccountId, generation: int, change: SnapshotChange) -> None:
    """Takes over what the server has, unless a save waits here. Files that are the same stay."""
    held = tx.db.execute(
        "select account_id, content_hash, pending, revision from snapshots where project_id = ?",
        (change.project_id,),
    ).fetchone()
    project = tx.db.execute(
        "select account_id from projects where project_id = ?", (change.project_id,)
    ).fetchone()
    if any(row is not None and row[0] != account_id for row in (held, project)):
        return
    if held and held[2]:
        if held[1] != change.content_hash:
            tx.db.execute(
                "update snapshots set shadow = ?, generation = ? where project_id = ?",
                (rows.encode(asdict(change)), generation, change.project_id),
            )
            tx.touch_projects()
            return
        if change.revision <= held[3]:
            return
        # The save has arrived, whatever became of its answer: what comes after it is no conflict with it.
        _drop_orders(tx, change.project_id)
    tx.db.execute(
        "insert into snapshots (project_id, account_id, content_hash, octets, revision, updated_at, generation) "
        "values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (project_id) do update set "
        "files = iif(content_hash = ?3, files, null), summary = iif(content_hash = ?3, summary, null), "
        "content_hash = ?3, octets = ?4, revision = ?5, updated_at = ?6, generation = ?7, shadow = null, "
        "pending = 0, sync_error = null",
        (
            change.project_id, account_id, change.content_hash, change.octets, change.revision,
            change.updated_at, generation,
        ),
    )  # fmt: skip
    tx.touch_projects()


def settle(tx: Transaction, errand: Errand) -> None:
    """The save was taken: what the server showed of a later one is the last word."""
    (shadow,) = tx.db.execute(
        "select shadow from snapshots where project_id = ?", (errand.subject,)
    ).fetchone()
    account_id, generation, revision = tx.db.execute(
        "update snapshots set pending = 0, sync_error = null, shadow = null, revision = revision + 1, "
        "generation = (select a.generation from accounts a where a.account_id = snapshots.account_id) "
        "where project_id = ? returning account_id, generation, revision",
        (errand.subject,),
    ).fetchone()
    if shadow is None:
        return
    change = SnapshotChange(**json.loads(shadow))
    if change.revision > revision and change.content_hash != errand.body["expected"][0]:
        apply(tx, account_id, generation, change)


def refuse(tx: Transaction, errand: Errand, reason: str) -> bool:
    """The server did not take the save: False when it may have met with an earlier one of this device, and goes again."""
    left = errand.body["expected"][1:]
    if left:
        orders.replace(tx, errand.number, {"expected": left})
        return False
    tx.db.execute("update snapshots set sync_error = ? where project_id = ?", (reason, errand.subject))
    return True


def send_again(tx: Transaction, account_id: AccountId, project_id: ProjectId) -> None:
    """Queues the files: the server has none of the project. A hash alone is of no use then."""
    tx.db.execute("delete from snapshots where project_id = ? and files is null", (project_id,))
    found = tx.db.execute(
        "update snapshots set pending = 1, account_id = ?, revision = 0, sync_error = null where project_id = ?",
        (account_id, project_id),
    )
    if found.rowcount:
        _order(tx, account_id, project_id, [NOTHING])


def forget_revisions(tx: Transaction, account_id: AccountId) -> None:
    """The server may count anew."""
    tx.db.execute("update snapshots set revision = 0, shadow = null where account_id = ?", (account_id,))


def _change(fetched: Snapshot) -> SnapshotChange:
    return SnapshotChange(
        0, fetched.project_id, fetched.content_hash, fetched.octets, fetched.revision, fetched.updated_at
    )


def _expected(db: Reader, project_id: ProjectId) -> Sequence[str]:
    """What a new save may find on the server: what was known there, or an earlier save whose answer is not known."""
    row = db.execute(
        "select content_hash, pending from snapshots where project_id = ?", (project_id,)
    ).fetchone()
    if row is None:
        return [NOTHING]
    content_hash, pending = row
    if not pending:
        return [content_hash]
    before = [each.body["expected"] for each in orders.of_subject(db, project_id, ErrandKind.SAVE_SNAPSHOT)]
    known, *sent = before[0] if before else [NOTHING]
    return [known, *[each for each in sent if each != content_hash][-_MOST_GUESSES:], content_hash]


def _order(tx: Transaction, account_id: AccountId, project_id: ProjectId, expected: Sequence[str]) -> None:
    _drop_orders(tx, project_id)
    orders.add(tx, account_id, ErrandKind.SAVE_SNAPSHOT, project_id, {"expected": list(expected)})


def _drop_orders(tx: Transaction, project_id: ProjectId) -> None:
    for errand in orders.of_subject(tx.db, project_id, ErrandKind.SAVE_SNAPSHOT):
        orders.drop(tx, errand.number)
