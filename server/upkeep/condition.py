"""What an operator asks a server's database outside of any request."""

from dataclasses import dataclass
from typing import Final

import psycopg

from server.database import APPLICATION
from server.errors import DatabaseUnavailable, MigrationFailed
from server.postgres import schema
from server.upkeep.database import one_line

_LOCK_SECONDS: Final = 10


@dataclass(frozen=True)
class Condition:
    """`octets` is what the database takes on disk; `users` and `chats` are null where they may not be counted."""

    schema_version: str
    postgresql: str
    serving: bool
    octets: int
    users: int | None
    chats: int | None


def examine(conninfo: str) -> Condition:
    """Looks at a database that may not have a schema yet. Raises DatabaseUnavailable."""
    try:
        with psycopg.connect(conninfo, autocommit=True) as db:
            row = db.execute(_LOOK, [APPLICATION]).fetchone()
            assert row is not None
            postgresql, octets, serving, sees_all = row
            made = schema.version(db)
            users = _count(db, "auth.users") if made else 0
            chats = (_count(db, "public.chats") if sees_all else None) if made else 0
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            f"PostgreSQL refused ({one_line(error)}): mend that and try again."
        ) from error
    return Condition(made, postgresql, serving, octets, users, chats)


def begin_epoch(conninfo: str) -> int:
    """Begins a new epoch for every owner, and tells how many there are. Raises MigrationFailed, DatabaseUnavailable."""
    try:
        with psycopg.connect(conninfo) as db:
            if not schema.version(db):
                raise MigrationFailed(
                    "This database has no schema of Homing: start homing serve on it first."
                )
            db.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'".encode())
            row = db.execute("select homing.begin_epoch()").fetchone()
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            f"PostgreSQL refused ({one_line(error)}), and the epoch is the old one: try again."
        ) from error
    assert row is not None
    return int(row[0])


def _count(db: psycopg.Connection, table: str) -> int:
    row = db.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608  # names of this module
    assert row is not None
    return int(row[0])


_LOOK: Final = """
select
  current_setting('server_version'), pg_database_size(current_database()),
  exists (select from pg_stat_activity where datname = current_database() and application_name = %s),
  (select rolsuper or rolbypassrls from pg_roles where rolname = current_user)
"""
