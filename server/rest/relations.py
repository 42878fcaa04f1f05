"""The tables and views that may be read over HTTP, as PostgreSQL's catalogue describes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Column:
    """A column's name and type as SQL text, quoted by PostgreSQL."""

    quoted: str
    type: str


@dataclass(frozen=True)
class Relation:
    """A table or view of schema public: its qualified name as quoted SQL text, and its columns by plain name."""

    quoted: str
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class _Described:
    name: str
    quoted: str
    columns: list[tuple[str, str, str]]


async def describe(db: psycopg.AsyncConnection) -> dict[str, Relation]:
    """All relations by plain name. Who may read one is PostgreSQL's decision, by its grants and policies."""
    async with db.cursor(row_factory=class_row(_Described)) as cursor:
        await cursor.execute(_DESCRIBE)
        return {
            row.name: Relation(row.quoted, {name: Column(quoted, kind) for name, quoted, kind in row.columns})
            for row in await cursor.fetchall()
        }


_DESCRIBE: Final = """
select
  relation.relname as name,
  format('%I.%I', space.nspname, relation.relname) as quoted,
  coalesce(
    (select json_agg(json_build_array(attname, quote_ident(attname), format_type(atttypid, null)) order by attnum)
      from pg_attribute where attrelid = relation.oid and attnum > 0 and not attisdropped), '[]') as columns
from pg_class as relation
join pg_namespace as space on space.oid = relation.relnamespace
where space.nspname = 'public' and relation.relkind in ('r', 'p', 'v', 'm')
"""
