"""A database that the operator gives: checked before anything is made in it, each lack told with its remedy."""

import secrets
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from server.errors import DatabaseUnavailable
from server.postgres.binaries import OLDEST
from server.postgres.schema import MARK

_CONNECT_SECONDS: Final = 10
_NOTICE_SECONDS: Final = 3.0


def check(url: str) -> str:
    """Returns the url when `homing serve` can work there. Raises DatabaseUnavailable, which never holds the password."""
    facts = describe(url)
    version = facts["version"] // 10_000
    if version < OLDEST:
        raise DatabaseUnavailable(
            f"The given database is PostgreSQL {version}; {OLDEST} or newer is needed: check --database-url."
        )
    if facts["standby"] or facts["read_only"]:
        raise DatabaseUnavailable(
            "The given database is read-only, most likely a standby: give the primary's --database-url."
        )
    if facts["accounts"] is not None and not facts["accounts"].startswith(MARK):
        raise DatabaseUnavailable(
            "The accounts of the given database (schema auth) belong to somebody else. If it is a Supabase project, "
            "apps talk to its own url: run no homing serve on it. Else give an empty --database-url."
        )
    if facts["owners"]:
        raise DatabaseUnavailable(
            f"What Homing made in the given database belongs to {facts['owners'][0]}, not to {facts['login']}: "
            "give --database-url with that login."
        )
    if lacks := list(_lacks(facts)):
        raise DatabaseUnavailable(
            f"{facts['login']} lacks rights on the given database: let its administrator run "
            f"`{'; '.join(lacks)};` and start again."
        )
    _require_notices(url)
    return url


def describe(url: str) -> dict[str, Any]:
    """What the database and the login are. Raises DatabaseUnavailable when it does not answer."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its message quotes what it cannot read, which may be the password.
        raise DatabaseUnavailable(
            "The url of the given database cannot be read: give --database-url like "
            "postgresql://user:password@host/database."
        ) from None
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS, row_factory=dict_row) as db:
            facts = db.execute(_FACTS).fetchone()
    except psycopg.Error as error:
        # The lines that begin with a tab are advice to whoever runs that database.
        reason = [line for line in str(error).strip().splitlines() if not line.startswith("\t")][-1]
        raise DatabaseUnavailable(
            f"The given database does not answer ({reason}): check --database-url."
        ) from error
    assert facts is not None
    return facts


def _lacks(facts: dict[str, Any]) -> Iterator[str]:
    """The statements that give the login what it needs."""
    login, database = facts["login_quoted"], facts["database_quoted"]
    if not facts["may_make_schemas"]:
        yield f"grant create on database {database} to {login}"
    if not facts["may_make_tables"]:
        yield f"grant create on schema public to {login}"
    for role in facts["roles_missing"]:
        yield f"create role {role} nologin"
    if closed := [*facts["roles_missing"], *facts["roles_closed"]]:
        yield f"grant {', '.join(closed)} to {login}"


def _require_notices(url: str) -> None:
    """A pooler that lends a connection for a transaction takes LISTEN and never delivers, and breaks more besides."""
    channel = f"homing_{secrets.token_hex(8)}"
    try:
        with psycopg.connect(url, autocommit=True) as hears, psycopg.connect(url, autocommit=True) as says:
            hears.execute(f"listen {channel}".encode())
            says.execute("select pg_notify(%s, '')", [channel])
            heard = next(hears.notifies(timeout=_NOTICE_SECONDS, stop_after=1), None)
    except psycopg.Error:
        heard = None
    if heard is None:
        raise DatabaseUnavailable(
            "Notifications do not come through to the given database, most likely because of a transaction pooler: "
            "give the --database-url of the database itself or of a session pooler."
        )


_FACTS: Final = """
with me as (
  select oid, rolname, rolsuper, rolcreaterole, current_setting('server_version_num')::int as version
  from pg_roles where rolname = current_user
),
wanted as (
  select name, pg_roles.oid as role,
    -- Whoever may grant a role gives it to himself. From PostgreSQL 16 on that takes its admin option.
    me.rolsuper or pg_roles.oid is not null and (
      pg_has_role(pg_roles.oid, case when me.version >= 160000 then 'set' else 'member' end)
      or case when me.version >= 160000 then pg_has_role(pg_roles.oid, 'member with admin option')
        else me.rolcreaterole end
    ) as open
  from me cross join unnest(array['anon', 'authenticated', 'service_role']) as name
  left join pg_roles on pg_roles.rolname = name
)
select
  me.version, me.rolname as login, quote_ident(me.rolname) as login_quoted,
  quote_ident(current_database()) as database_quoted,
  pg_is_in_recovery() as standby, current_setting('transaction_read_only')::boolean as read_only,
  (select coalesce(obj_description(oid), '') from pg_namespace where nspname = 'auth') as accounts,
  has_database_privilege(current_database(), 'create') as may_make_schemas,
  has_schema_privilege('public', 'create') as may_make_tables,
  array(select pg_get_userbyid(nspowner)::text from pg_namespace
    where nspname in ('auth', 'realtime', 'homing') and not pg_has_role(nspowner, 'usage')) as owners,
  array(select name from wanted where role is null and not (rolsuper or rolcreaterole)) as roles_missing,
  array(select name from wanted where role is not null and not open) as roles_closed
from me
"""
