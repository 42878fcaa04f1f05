"""Backups of the server's database, and their return: checked before they count, swapped in as one step."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from server import ownership
from server.errors import BackupFailed
from server.postgres import schema
from server.postgres.gateway_login import GATEWAY
from server.upkeep import dumps
from server.upkeep.database import one_line

_RECORD: Final = "last-backup.json"
_ROLES: Final = ("anon", "authenticated", "service_role", GATEWAY)
_MAINTENANCE: Final = ("postgres", "template1")


@dataclass(frozen=True)
class Backup:
    """A file that holds everything but the keys. `made_at` is RFC 3339, `schema_version` its newest migration."""

    file: str
    octets: int
    made_at: str
    schema_version: str


@dataclass(frozen=True)
class Restored:
    """What a restore brought, and the name of the database that holds what was there before."""

    file: str
    users: int
    chats: int
    schema_version: str
    earlier: str


def back_up(conninfo: str, file: Path, root: Path) -> Backup:
    """Writes a backup, reads it back, and only then gives it its name. Raises BackupFailed.

    The database may be in use: the backup is of one moment. `root` remembers that there was one.
    """
    with _telling():
        with psycopg.connect(conninfo) as db:
            major = _major(db)
            version = schema.version(db)
            _require_every_row(db)
        draft = file.with_name(f".{file.name}.part")
        try:
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            dumps.dump(conninfo, major, draft)
            dumps.verify(major, draft)
            _reach_the_disk(draft)
            draft.replace(file)
            _reach_the_disk(file.parent)
        finally:
            draft.unlink(missing_ok=True)
        made = Backup(
            str(file.resolve()), file.stat().st_size, datetime.now(UTC).isoformat(timespec="seconds"), version
        )
    with ownership.in_one_line(root):
        root.mkdir(parents=True, exist_ok=True)
        (root / _RECORD).write_text(json.dumps(asdict(made)))
    return made


def last_backup(root: Path) -> Backup | None:
    """The latest backup that was made of this data directory's server, as far as it knows."""
    try:
        return Backup(**json.loads((root / _RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def restore(conninfo: str, file: Path) -> Restored:
    """Puts a backup in the place of the database, in a new epoch, so that devices send what it lacks.

    Everything happens in a database beside it; then both change names in one transaction. Raises BackupFailed and
    MigrationFailed, and has changed nothing then. Nobody may use the database meanwhile.
    """
    with _telling():
        name = str(conninfo_to_dict(conninfo)["dbname"])
        fresh, earlier = f"{name}_restoring", f"{name}_before_restore"
        maintenance = _maintenance(conninfo)
        with psycopg.connect(maintenance, autocommit=True) as admin:
            _require_every_row(admin)
            owner = dumps.verify(_major(admin), file)
            _drop(admin, fresh)
            made_roles = _make_roles(admin, {*_ROLES, owner})
            admin.execute(sql.SQL("create database {} template template0").format(sql.Identifier(fresh)))
            try:
                restored = _fill(make_conninfo(conninfo, dbname=fresh), _major(admin), file, owner, earlier)
                _swap(admin, name, fresh, earlier)
            finally:
                _drop(admin, fresh)
                if owner in made_roles:
                    # Where something in the new database still names it, it stays: the restore is done.
                    with suppress(psycopg.errors.DependentObjectsStillExist):
                        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(owner)))
    return restored


def _fill(conninfo: str, major: int, file: Path, owner: str, earlier: str) -> Restored:
    dumps.restore(conninfo, major, file)
    with psycopg.connect(conninfo, autocommit=True) as db:
        if newer := schema.unknown(db):
            raise BackupFailed(
                f"{file} comes from a newer Homing (it knows of {newer[-1]}): install that version first."
            )
        _hand_over_policies(db, owner)
    schema.apply(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as db:
        users = _number(db, "select count(*) from auth.users")
        _number(db, "select homing.begin_epoch()")
        db.execute("analyze")
        return Restored(
            str(file), users, _number(db, "select count(*) from public.chats"), schema.version(db), earlier
        )


def _hand_over_policies(db: psycopg.Connection, owner: str) -> None:
    """Policies of the tables' owner name him: where another login restores, they are given to it."""
    theirs = db.execute(
        "select polname, relnamespace::regnamespace::text, relname from pg_policy join pg_class on pg_class.oid = polrelid"
        " where polroles = array[(select oid from pg_roles where rolname = %s)] and %s <> current_user",
        [owner, owner],
    )
    for policy, space, table in theirs.fetchall():
        statement = sql.SQL("alter policy {} on {} to current_user")
        db.execute(statement.format(sql.Identifier(policy), sql.Identifier(space, table)))


def _swap(admin: psycopg.Connection, name: str, fresh: str, earlier: str) -> None:
    _drop(admin, earlier)
    with admin.transaction():
        for old, new in ((name, earlier), (fresh, name)):
            statement = sql.SQL("alter database {} rename to {}")
            admin.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))


def _make_roles(admin: psycopg.Connection, names: set[str]) -> set[str]:
    """Makes those of the roles that are missing, and tells which."""
    there = {row[0] for row in admin.execute("select rolname from pg_roles").fetchall()}
    for name in names - there:
        admin.execute(sql.SQL("create role {} nologin noinherit").format(sql.Identifier(name)))
    return names - there


def _maintenance(conninfo: str) -> str:
    """A database that is not the one to be renamed."""
    *others, last = [make_conninfo(conninfo, dbname=name) for name in _MAINTENANCE]
    for other in others:
        try:
            psycopg.connect(other).close()
        except psycopg.OperationalError:
            continue
        return other
    return last


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _major(db: psycopg.Connection) -> int:
    return db.info.server_version // 10_000


def _require_every_row(db: psycopg.Connection) -> None:
    query = "select count(*) from pg_roles where rolname = current_user and (rolsuper or rolbypassrls)"
    if _number(db, query) == 0:
        raise BackupFailed(
            f"{db.info.user} does not see everybody's rows: give --database-url with a login that has bypassrls, "
            "or use the backups of whoever runs the database."
        )


def _number(db: psycopg.Connection, query: str) -> int:
    row = db.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _reach_the_disk(path: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise BackupFailed(f"PostgreSQL refused ({one_line(error)}): mend that and try again.") from error
    except OSError as error:
        raise BackupFailed(
            f"{error.filename} cannot be used ({error.strerror}): choose another file."
        ) from error
