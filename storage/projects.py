"""Projects: groups of chats, with fields that are merged as those of chats are."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from storage import rows
from storage.content import clean
from storage.errors import InvalidProject, UnknownProject
from storage.exchange import ProjectEdit
from storage.records import LOCAL_ACCOUNT, AccountId, Project, ProjectId
from storage.standing import edits, fields
from storage.transaction import Reader, Transaction

MAX_NAME: Final = 1_000
MAX_DESCRIPTION: Final = 10_000
"""Characters; the server takes no more."""

STATUSES: Final = ("draft", "published", "archived")

_COLUMNS: Final = "project_id, account_id, name, description, status, url_id, deleted_at, created_at, updated_at, sync_error"
_FIELDS: Final = tuple(fields.PROJECTS.blank)


def create(
    tx: Transaction,
    name: str,
    *,
    account_id: AccountId = LOCAL_ACCOUNT,
    description: str = "",
    project_id: ProjectId | None = None,
) -> Project:
    """A new project; the server hears of it with the next push."""
    project_id = project_id or ProjectId(str(uuid4()))
    now = tx.now()
    tx.db.execute(
        "insert into projects (project_id, account_id, name, description, created_at, updated_at) "
        "values (?, ?, ?, ?, ?, ?)",
        (project_id, account_id, _name(name), _description(description), now, now),
    )
    edits.mark_new(tx, project_id, fields.PROJECTS)
    tx.touch_projects()
    return get(tx.db, project_id)


def rename(tx: Transaction, project_id: ProjectId, name: str) -> Project:
    """Gives the project another name. Raises UnknownProject."""
    return _set(tx, project_id, "name", _name(name))


def describe(tx: Transaction, project_id: ProjectId, description: str) -> Project:
    """Replaces the description. Raises UnknownProject."""
    return _set(tx, project_id, "description", _description(description))


def set_status(tx: Transaction, project_id: ProjectId, status: str) -> Project:
    """Draft, published or archived. Raises UnknownProject or InvalidProject."""
    if status not in STATUSES:
        raise InvalidProject(
            f"A project is {', '.join(STATUSES[:-1])} or {STATUSES[-1]}: choose one of these"
        )
    return _set(tx, project_id, "status", status)


def delete(tx: Transaction, project_id: ProjectId) -> Project:
    """Deletes the project; its chats stay. Raises UnknownProject."""
    return _set(tx, project_id, "deleted", tx.now())


def get(db: Reader, project_id: ProjectId) -> Project:
    """The project, a deleted one too. Raises UnknownProject."""
    row = db.execute(f"select {_COLUMNS} from projects where project_id = ?", (project_id,)).fetchone()
    if row is None:
        raise UnknownProject(
            f"There is no project {project_id} here: choose one from the list, or sync first"
        )
    return _project(row)


def list_projects(db: Reader, owners: Sequence[AccountId]) -> list[Project]:
    """The accounts' projects without the deleted ones, in the order in which they were made."""
    found = db.execute(
        f"select {_COLUMNS} from projects where account_id in ({rows.marks(owners)}) and deleted_at is null "
        "order by created_at, project_id",
        tuple(owners),
    )
    return [_project(row) for row in found]


def edited(db: Reader, account_id: AccountId, limit: int = 500) -> tuple[ProjectEdit, ...]:
    """What the server has not confirmed, for the next parcel."""
    found = db.execute(
        "select project_id, revision, edited, offered, name, description, status, url_id, deleted_at is not null "
        "from projects where account_id = ? and edited <> '' and sync_error is null order by rowid limit ?",
        (account_id, limit),
    )
    return tuple(_edit(row) for row in found)


def _set(tx: Transaction, project_id: ProjectId, name: str, value: str) -> Project:
    get(tx.db, project_id)
    column = "deleted_at" if name == "deleted" else name
    tx.db.execute(
        f"update projects set {column} = ?, updated_at = ? where project_id = ?",
        (value, tx.now(), project_id),
    )
    edits.mark(tx, project_id, (name,), fields.PROJECTS)
    tx.touch_projects()
    return get(tx.db, project_id)


def _edit(row: tuple[Any, ...]) -> ProjectEdit:
    project_id, revision, marked, offered, *stored = row
    values = dict(zip(_FIELDS, (*stored[:-1], bool(stored[-1])), strict=True))
    return ProjectEdit(
        project_id, revision, edits.to_send(fields.split(marked), fields.split(offered), values)
    )


def _project(row: tuple[Any, ...]) -> Project:
    project_id, account_id, name, description, status, url_id, deleted_at, created_at, updated_at, error = row
    return Project(
        project_id, account_id, name, description, status, url_id,
        deleted_at is not None, created_at, updated_at, error,
    )  # fmt: skip


def _name(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_NAME]


def _description(text: str) -> str:
    return clean(text)[:MAX_DESCRIPTION]
