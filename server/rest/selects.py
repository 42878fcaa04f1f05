"""The one statement that answers a query of a table: names from the catalogue, values bound, sizes bounded."""

from dataclasses import dataclass, field
from typing import Final

from psycopg import sql

from server.rest.queries import COMPARISONS, STATES, Filter, Query
from server.rest.relations import Relation
from sync.protocol import MAX_ROWS

ANSWER_MAX_BYTES: Final = 32 * 1024 * 1024


@dataclass
class Select:
    """A statement in the making. It answers (rows, text of a JSON array, whether that is all of it, total or null)."""

    relation: Relation
    query: Query
    count: bool
    parameters: list[object] = field(default_factory=list)

    def text(self) -> bytes:
        """The statement; its parameters stand in `parameters` afterwards."""
        source = f"from {self.relation.quoted}{self._where()}"
        limit = min(MAX_ROWS if self.query.limit is None else self.query.limit, MAX_ROWS)
        return _STATEMENT.format(
            columns=self._columns(),
            source=source,
            order=self._order(),
            limit=self._bound(limit),
            offset=self._bound(self.query.offset),
            most=ANSWER_MAX_BYTES,
            total=f"(select count(*) {source})" if self.count else "null",
        ).encode()

    def _columns(self) -> str:
        chosen = self.query.selected or [(name, name) for name in self.relation.columns]
        return ", ".join(
            f"{self._name(column)} as {sql.Identifier(name).as_string()}" for name, column in chosen
        )

    def _where(self) -> str:
        conditions = [self._condition(each) for each in self.query.filters]
        return f" where {' and '.join(conditions)}" if conditions else ""

    def _condition(self, asked: Filter) -> str:
        column = self._name(asked.column)
        if isinstance(asked.value, list):
            kind = self.relation.columns[asked.column].type
            condition = f"{column} = any({self._bound(asked.value)}::{kind}[])"
        elif asked.operator == "is":
            condition = f"{column} is {STATES[asked.value]}"
        else:
            condition = f"{column} {COMPARISONS[asked.operator]} {self._bound(asked.value)}"
        return f"not ({condition})" if asked.negated else condition

    def _order(self) -> str:
        keys = [f"{self._name(each.column)} {each.way} {each.nulls}" for each in self.query.order]
        return f"order by {', '.join(keys)}" if keys else ""

    def _name(self, column: str) -> str:
        return self.relation.columns[column].quoted

    def _bound(self, value: object) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"


# The rows are counted in octets before they are put together, so that no answer outgrows the server's memory.
_STATEMENT: Final = """
with found as materialized (
  select to_json(line.*)::text as row, row_number() over () as place
  from (select {columns} {source} {order} limit {limit} offset {offset}) as line
), sized as (
  select row, place, sum(octet_length(row)) over (order by place) as octets from found
)
select
  count(*), '[' || coalesce(string_agg(row, ',' order by place) filter (where octets <= {most}), '') || ']',
  coalesce(max(octets), 0) <= {most}, {total}
from sized
"""
