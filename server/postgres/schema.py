"""Brings a database up to date: the platform objects where they are missing, then each migration once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from server.errors import MigrationFailed

_PLATFORM: Final = Path(__file__).with_name("platform.sql")
_PACKAGE: Final = Path(__file__).parents[1]
MARK: Final = "Stands in for Supabase; made by Homing, "
"""How the comment on schema auth begins where the platform objects are ours."""

_LOCK: Final = 0x686F6D696E67


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the Supabase CLI's layout: `<version>_<name>.sql`."""

    version: str
    name: str
    path: Path

    def text(self) -> str:
        """The SQL of the file."""
        return self.path.read_text(encoding="utf-8")


def migrations() -> tuple[Migration, ...]:
    """All migrations, the oldest first: of the repository, else those that the wheel brought."""
    for folder in (_PACKAGE.parent / "supabase" / "migrations", _PACKAGE / "migrations"):
        if folder.is_dir():
            files = sorted(folder.glob("*.sql"))
            return tuple(_named(file) for file in files)
    raise MigrationFailed("This installation lacks its migrations: install Homing again.")


def _named(file: Path) -> Migration:
    version, _, name = file.stem.partition("_")
    return Migration(version, name, file)


def apply(conninfo: str) -> tuple[str, ...]:
    """Applies what is missing and returns the versions it applied; nothing when all was there.

    Each migration is one transaction with the record that it ran, in the table of the Supabase CLI. Several servers
    may call this at once: an advisory lock of the transaction lets one do it. Raises MigrationFailed.
    """
    with psycopg.connect(conninfo, autocommit=True) as db:
        _apply_platform(db)
        _prepare_record(db)
        return tuple(each.version for each in migrations() if _apply_once(db, each))


def version(db: psycopg.Connection) -> str:
    """The newest migration of a database, empty when it has none."""
    return max(_applied(db), default="")


def unknown(db: psycopg.Connection) -> list[str]:
    """Migrations of a newer Homing than this one that the database has, the oldest first."""
    return sorted(_applied(db) - {each.version for each in migrations()})


def _applied(db: psycopg.Connection) -> set[str]:
    known = db.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
    if known is None or not known[0]:
        return set()
    rows = db.execute("select version from supabase_migrations.schema_migrations").fetchall()
    return {row[0] for row in rows}


def _apply_platform(db: psycopg.Connection) -> None:
    """Skips a database whose schema auth came from somebody else, and one that already has this very version.

    The version says nothing of the roles: a dump brings it along, and they belong to the cluster.
    """
    text = _PLATFORM.read_text(encoding="utf-8")
    mark = MARK + hashlib.sha256(text.encode()).hexdigest()[:16]
    with _failing_as("platform"), db.transaction():
        _lock(db)
        row = db.execute(_PLATFORM_THERE).fetchone()
        if row is not None:
            made_as, may_become_all = row
            if not made_as.startswith(MARK) or (made_as == mark and may_become_all):
                return
        _run(db, text)
        db.execute(sql.SQL("comment on schema auth is {}").format(sql.Literal(mark)))


def _prepare_record(db: psycopg.Connection) -> None:
    with _failing_as("record"), db.transaction():
        _lock(db)
        _run(db, _RECORD)


def _apply_once(db: psycopg.Connection, migration: Migration) -> bool:
    with _failing_as(migration.path.name), db.transaction():
        _lock(db)
        known = db.execute(
            "select from supabase_migrations.schema_migrations where version = %s", [migration.version]
        ).fetchone()
        if known is not None:
            return False
        text = migration.text()
        _run(db, text)
        db.execute(
            "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
            [migration.version, migration.name, [text]],
        )
        return True


def _lock(db: psycopg.Connection) -> None:
    db.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


def _run(db: psycopg.Connection, text: str) -> None:
    # Our own files, never input: without parameters psycopg sends the whole script as it is.
    db.execute(text)


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        reason = error.diag.message_primary or str(error).strip()
        raise MigrationFailed(
            f"The database refused {what} ({reason}), which changed nothing: "
            "give a database that is empty or Homing's own."
        ) from error


_PLATFORM_THERE: Final = """
select coalesce(obj_description(oid), ''), (
  select count(*) = 3 from pg_roles where rolname in ('anon', 'authenticated', 'service_role')
    and pg_has_role(oid, case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end))
from pg_namespace where nspname = 'auth'
"""

_RECORD: Final = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""
