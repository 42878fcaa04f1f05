"""What may be asked for over HTTP, read from PostgreSQL: relations, and functions with the statement that calls each."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from server.rest import relations
from server.rest.relations import Relation
from sync.protocol import MAX_ROWS

_MISS_INTERVAL_SECONDS: Final = 1.0


class Shape(StrEnum):
    """What a function gives back."""

    ROWS = "rows"
    VALUES = "values"
    JSON = "json"
    SCALAR = "scalar"
    VOID = "void"


class Verdict(StrEnum):
    """Whether the arguments fit, decided by PostgreSQL before it calls the function."""

    OK = "ok"
    NOT_AN_OBJECT = "not an object"
    WRONG_NAMES = "wrong names"
    WRONG_KIND = "wrong kind"


@dataclass(frozen=True)
class Function:
    """A callable function. `statement` takes the JSON body as its parameter, gives (Verdict, answer as JSON text)."""

    statement: bytes
    read_only: bool
    shape: Shape


@dataclass(frozen=True)
class _Described:
    """A row of the catalogue query; names and expressions are already quoted by PostgreSQL."""

    name: str
    call: str
    read_only: bool
    shape: str
    columns: str
    arguments: str
    known: str
    required: str
    plain: str


class Catalogue:
    """Knows what schema public offers; asks PostgreSQL again when something is missing, once a second at most."""

    def __init__(
        self, pool: AsyncConnectionPool[psycopg.AsyncConnection], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._functions: dict[str, Function] = {}
        self._relations: dict[str, Relation] = {}
        self._missed_at = float("-inf")

    def knows(self, name: str) -> bool:
        """Whether a function of that name was read, without asking."""
        return name in self._functions

    async def function(self, name: str) -> Function | None:
        """The function of that name; None when there is none, or more than one."""
        if name not in self._functions:
            await self._read_again()
        return self._functions.get(name)

    async def relation(self, name: str, columns: Collection[str]) -> Relation | None:
        """The table or view of that name; None when there is none. It may lack some of the columns."""
        known = self._relations.get(name)
        if known is None or not known.columns.keys() >= set(columns):
            await self._read_again()
        return self._relations.get(name)

    async def _read_again(self) -> None:
        if self._clock() - self._missed_at >= _MISS_INTERVAL_SECONDS:
            self._missed_at = self._clock()
            await self.read()

    async def read(self) -> None:
        """Reads everything anew."""
        async with self._pool.connection() as db:
            async with db.cursor(row_factory=class_row(_Described)) as cursor:
                await cursor.execute(_DESCRIBE)
                described = await cursor.fetchall()
            self._relations = await relations.describe(db)
        names = [row.name for row in described]
        self._functions = {row.name: _function(row) for row in described if names.count(row.name) == 1}


def _function(row: _Described) -> Function:
    shape = Shape(row.shape)
    source = f"jsonb_to_record(given.body) as argument({row.columns})," if row.columns else ""
    call = f"{row.call}({row.arguments})"
    answer = _ANSWER[shape].format(source=source, call=call, most=MAX_ROWS)
    statement = _STATEMENT.format(known=row.known, required=row.required, plain=row.plain, answer=answer)
    return Function(statement.encode(), row.read_only, shape)


# A `case` in PostgreSQL evaluates only the branch it takes, so a refused call never runs the function. A list or an object
# would be written out as text to be read as a UUID or a number, and a small list of numbers can be a gigabyte as text.
_STATEMENT: Final = """
select given.verdict, case when given.verdict = 'ok' then ({answer}) end
from (
  select body, case
    when jsonb_typeof(body) <> 'object' then 'not an object'
    when exists (select from jsonb_object_keys(body) as key where key <> all ({known}))
      or not body ?& {required} then 'wrong names'
    when exists (select from unnest({plain}) as name where jsonb_typeof(body -> name) in ('array', 'object'))
      then 'wrong kind'
    else 'ok' end as verdict
  from (select $1::jsonb as body) as sent
  offset 0
) as given
"""

_ANSWER: Final = {
    Shape.ROWS: "select coalesce(json_agg(line), '[]')::text from ("
    "select answer.* from {source} lateral {call} as answer limit {most}) as line",
    Shape.VALUES: "select coalesce(json_agg(line.value), '[]')::text from ("
    "select answer.* from {source} lateral {call} as answer(value) limit {most}) as line",
    Shape.JSON: "select coalesce(({call})::text, 'null') from {source} (select) as once",
    Shape.SCALAR: "select coalesce(to_json({call})::text, 'null') from {source} (select) as once",
    Shape.VOID: "select count(*)::text from {source} lateral {call} as answer",
}

_DESCRIBE: Final = """
select
  function.proname as name,
  format('%I.%I', space.nspname, function.proname) as call,
  function.provolatile <> 'v' as read_only,
  case
    when function.prorettype = 'void'::regtype then 'void'
    when function.proretset and type.typtype <> 'c' and function.prorettype <> 'record'::regtype
      and not coalesce(function.proargmodes && array['t', 'o', 'b']::"char"[], false) then 'values'
    when function.proretset then 'rows'
    when function.prorettype in ('json'::regtype, 'jsonb'::regtype) then 'json'
    else 'scalar' end as shape,
  argument.columns, argument.arguments, argument.known, argument.required, argument.plain
from pg_proc as function
join pg_namespace as space on space.oid = function.pronamespace
join pg_type as type on type.oid = function.prorettype
cross join lateral (
  select
    coalesce(string_agg(format('%I %s', name, format_type(type, null)), ', '), '') as columns,
    coalesce(string_agg(
      case when preset is null then format('%1$I := argument.%1$I', name)
      else format('%1$I := case when given.body ? %1$L then argument.%1$I else %2$s end', name, preset) end,
      ', '), '') as arguments,
    format('%L::text[]', coalesce(array_agg(name), '{}')::text) as known,
    format('%L::text[]', coalesce(array_agg(name) filter (where preset is null), '{}')::text) as required,
    format('%L::text[]', coalesce(array_agg(name) filter (where type not in (select oid from pg_type
      where typcategory in ('A', 'C') or oid in ('json'::regtype, 'jsonb'::regtype))), '{}')::text) as plain
  from (
    select
      function.proargnames[place] as name,
      (coalesce(function.proallargtypes, function.proargtypes::oid[]))[place - first] as type,
      pg_get_function_arg_default(function.oid, place) as preset
    from (
      select place::integer, case when function.proallargtypes is null then 1 else 0 end as first
      from generate_series(1, coalesce(cardinality(function.proargnames), 0)) as place
    ) as counted
    where coalesce(function.proargmodes[place], 'i') in ('i', 'b')
  ) as input
) as argument
where space.nspname = 'public' and function.prokind = 'f' and function.provariadic = 0
  and function.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
  and function.pronargs = (select count(*) from unnest(function.proargnames[1:function.pronargs]) as n where n <> '')
"""
