"""The pool of connections to PostgreSQL, and one statement as a caller in a single round trip."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from server.tokens import ANON_ROLE, Caller, Refusal, TokenRefused
from sync.protocol import REQUEST_MAX_BYTES

Pool = AsyncConnectionPool[psycopg.AsyncConnection]

APPLICATION: Final = "homing gateway"
"""The pool's name in pg_stat_activity."""

LISTENER: Final = "homing pokes"
"""The name there of the connection that hears broadcasts."""

_WAIT_SECONDS: Final = 5.0
# The operating system alone holds on to a connection with a database that vanished for a quarter of an hour.
_PATIENCE: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "tcp_user_timeout": 30_000}
_TIMEOUT_BY_ROLE: Final = {ANON_ROLE: "3s"}
_TIMEOUT: Final = "8s"

# set_config with its third argument true is `set local`: it ends with the transaction. An access token outlives its
# session by up to an hour: who signed out, was banned or deleted in that time becomes anon.
_BECOME: Final = b"""
with caller as materialized (
  select $5::uuid is null or exists (
    select from auth.sessions join auth.users on users.id = sessions.user_id
    where sessions.id = $5 and (banned_until is null or banned_until <= now())) as lives
)
select lives,
  set_config('search_path', 'public, extensions', true),
  set_config('role', case when lives then $1 else 'anon' end, true),
  set_config('request.jwt.claims', case when lives then $2 else '{"role":"anon"}' end, true),
  set_config('statement_timeout', $3, true), set_config('transaction_read_only', $4, true)
from caller
"""


@dataclass(frozen=True, slots=True)
class JsonBody:
    """JSON text as it came from the network, for a jsonb parameter that PostgreSQL parses."""

    text: bytes | bytearray

    def __len__(self) -> int:
        return len(self.text)


class _JsonBodyDumper(Dumper):
    oid = psycopg.adapters.types["jsonb"].oid

    def dump(self, obj: JsonBody) -> Buffer:
        return obj.text


async def _configure(connection: psycopg.AsyncConnection) -> None:
    connection.adapters.register_dumper(JsonBody, _JsonBodyDumper)


def named(conninfo: str, name: str) -> str:
    """For a connection that bears the name, and that ends within a minute when the database is lost."""
    given: dict[str, Any] = {**_PATIENCE, **conninfo_to_dict(conninfo), "application_name": name}
    return make_conninfo(**given)


@asynccontextmanager
async def open_pool(conninfo: str) -> AsyncIterator[Pool]:
    """A pool of autocommitting connections, at least one of them ready."""
    pool: Pool = AsyncConnectionPool(
        named(conninfo, APPLICATION),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=8,
        timeout=_WAIT_SECONDS,
        max_idle=60,
        # Later attempts come further and further apart: give up soon, the next request begins anew.
        reconnect_timeout=1,
        configure=_configure,
        open=False,
    )
    await pool.open(wait=True, timeout=30)
    try:
        yield pool
    finally:
        await pool.close(timeout=_WAIT_SECONDS)


async def call_as(
    pool: Pool,
    caller: Caller,
    statement: bytes,
    parameters: Sequence[object],
    *,
    read_only: bool,
    keep: bool = True,
) -> list[bytes | None]:
    """Runs a statement of one row as the caller, gives its columns as the bytes PostgreSQL wrote.

    A pipeline without BEGIN is one transaction that ends at its Sync: identity, call and commit cost one
    round trip, and a failed call leaves nothing behind. `keep` says that the statement will come again.
    Raises TokenRefused when the caller's session is over.
    """
    async with pool.connection() as db:
        who, call = psycopg.AsyncRawCursor(db), psycopg.AsyncRawCursor(db)
        try:
            async with db.pipeline():
                await who.execute(_BECOME, _identity(caller, read_only=read_only), prepare=True)
                await call.execute(statement, parameters, prepare=keep)
        except psycopg.Error:
            if db.broken:
                # The others in the pool are most likely lost too: replace them before they fail a call each.
                await pool.check()
            _require_life(who)
            raise
        _require_life(who)
        result = call.pgresult
        assert result is not None
        row = [result.get_value(0, column) for column in range(result.nfields)]
        if (
            sum(len(part) for part in (*parameters, *row) if isinstance(part, (JsonBody, bytes)))
            > REQUEST_MAX_BYTES
        ):
            # libpq's buffers never shrink: the pool replaces the connection by one with small ones.
            await db.close()
        return row


async def become(db: psycopg.AsyncConnection, caller: Caller) -> None:
    """Lets the rest of the open transaction run as the caller, or as anon when the caller's session is over."""
    await psycopg.AsyncRawCursor(db).execute(_BECOME, _identity(caller, read_only=False), prepare=True)


def _identity(caller: Caller, *, read_only: bool) -> tuple[object, ...]:
    timeout = _TIMEOUT_BY_ROLE.get(caller.role, _TIMEOUT)
    return caller.role, caller.claims, timeout, "on" if read_only else "off", caller.session_id


def _require_life(who: psycopg.AsyncRawCursor[TupleRow]) -> None:
    if who.pgresult is not None and who.pgresult.ntuples and who.pgresult.get_value(0, 0) == b"f":
        raise TokenRefused(Refusal.ENDED)
