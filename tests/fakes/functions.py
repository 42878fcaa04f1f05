"""The API's functions as the catalogue describes them, so that tests cover whatever is added."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

_DESCRIBE = """
select p.proname, coalesce(p.proargnames[1:p.pronargs], '{}'),
  array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a (t, place) order by place),
  p.pronargdefaults, p.provolatile = 'v'
from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' order by 1
"""


class JsonText(str):
    """JSON, or what pretends to be, for a jsonb parameter as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its type as PostgreSQL prints it, and whether a call may leave it out."""

    name: str
    kind: str
    optional: bool


@dataclass(frozen=True)
class Function:
    """A function of schema public. `writes` says that it is volatile."""

    name: str
    parameters: tuple[Parameter, ...]
    writes: bool

    def run(self, connection: psycopg.Connection, arguments: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Calls it by parameter names. A value for jsonb is sent as JSON unless it is JsonText; None is null of SQL."""
        chosen = [each for each in self.parameters if each.name in arguments]
        named = [
            sql.SQL("{} => {}::{}").format(
                sql.Identifier(each.name), sql.Placeholder(each.name), sql.SQL(each.kind)
            )
            for each in chosen
        ]
        call = sql.SQL("select * from public.{}({})").format(
            sql.Identifier(self.name), sql.SQL(", ").join(named)
        )
        values = {each.name: _sent(each.kind, arguments[each.name]) for each in chosen}
        return connection.execute(call, values).fetchall()


def functions(connection: psycopg.Connection) -> dict[str, Function]:
    """Every function of schema public by name."""
    found = {}
    for name, names, kinds, defaults, writes in connection.execute(_DESCRIBE).fetchall():
        first_optional = len(names) - defaults
        parameters = tuple(
            Parameter(each, kind, place >= first_optional)
            for place, (each, kind) in enumerate(zip(names, kinds, strict=True))
        )
        found[name] = Function(name, parameters, writes)
    return found


def _sent(kind: str, value: object) -> object:
    if kind != "jsonb" or value is None:
        return value
    return str(value) if isinstance(value, JsonText) else json.dumps(value)
