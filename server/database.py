"""The pool of connections to PostgreSQL, and one statement as a caller in a single round trip."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg_pool import AsyncConnectionPool

from server.tokens import ANON_ROLE, Caller
from sync.protocol import REQUEST_MAX_BYTES

Pool = AsyncConnectionPool[psycopg.AsyncConnection]

_WAIT_SECONDS: Final = 5.0
_TIMEOUT_BY_ROLE: Final = {ANON_ROLE: "3s"}
_TIMEOUT: Final = "8s"

# set_config with its third argument true is `set local`: it ends with the transaction.
_BECOME: Final = b"""
select
  set_config('search_path', 'public, extensions', true), set_config('role', $1, true),
  set_config('request.jwt.claims', $2, true), set_config('statement_timeout', $3, true),
  set_config('transaction_read_only', $4, true)
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


@asynccontextmanager
async def open_pool(conninfo: str) -> AsyncIterator[Pool]:
    """A pool of autocommitting connections, at least one of them ready."""
    pool: Pool = AsyncConnectionPool(
        conninfo,
        kwargs={"autocommit": True, "application_name": "homing gateway"},
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
    """
    timeout = _TIMEOUT_BY_ROLE.get(caller.role, _TIMEOUT)
    async with pool.connection() as db:
        who, call = psycopg.AsyncRawCursor(db), psycopg.AsyncRawCursor(db)
        try:
            async with db.pipeline():
                await who.execute(
                    _BECOME, (caller.role, caller.claims, timeout, "on" if read_only else "off"), prepare=True
                )
                await call.execute(statement, parameters, prepare=keep)
        except psycopg.OperationalError:
            if db.broken:
                # The others in the pool are most likely lost too: replace them before they fail a call each.
                await pool.check()
            raise
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
    """Lets the rest of the open transaction run as the caller."""
    timeout = _TIMEOUT_BY_ROLE.get(caller.role, _TIMEOUT)
    await psycopg.AsyncRawCursor(db).execute(
        _BECOME, (caller.role, caller.claims, timeout, "off"), prepare=True
    )
