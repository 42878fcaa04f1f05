"""What a query string asks of a table: the part of PostgREST's grammar that `.from().select()` uses from day to day."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_MOST_FILTERS: Final = 100
_MOST_WORDS: Final = 60
_NOT_OFFERED: Final = "PGRST127"
_UNREADABLE: Final = "PGRST100"

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_NAME: Final = rf'{_QUOTED}|[^"(),.:>]+'
# A quote that never closes would be sought again from each place: such texts are refused before they are cut up.
_CLOSED: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^"])*+', re.DOTALL)
_ITEMS: Final = re.compile(rf'(?:{_QUOTED}|[^",])+', re.DOTALL)
_COLUMN: Final = re.compile(rf"(?:(?P<alias>{_NAME}):)?(?P<column>{_NAME})", re.DOTALL)
_ORDER: Final = re.compile(
    rf"(?P<column>{_NAME})(?:\.(?P<way>asc|desc))?(?:\.nulls(?P<nulls>first|last))?", re.DOTALL
)
_ELEMENT: Final = re.compile(rf"({_QUOTED})(?=,|$)|([^,]*)", re.DOTALL)
_COUNT: Final = re.compile(r"\d{1,18}", re.ASCII)
_RANGE: Final = re.compile(r"(\d{1,18})-(\d{1,18})?", re.ASCII)

COMPARISONS: Final = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "like",
    "ilike": "ilike",
    "isdistinct": "is distinct from",
}
"""PostgREST's operators and PostgreSQL's."""

STATES: Final = {
    "null": "null",
    "not_null": "not null",
    "true": "true",
    "false": "false",
    "unknown": "unknown",
}
"""What may stand behind `is`."""


class BadQuery(Exception):
    """The query string cannot be answered."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Filter:
    """One condition; `value` is a list for the operator `in`, a key of STATES for `is`."""

    column: str
    operator: str
    value: str | list[str]
    negated: bool = False


@dataclass(frozen=True)
class Order:
    """One sort key, in SQL words."""

    column: str
    way: str = ""
    nulls: str = ""


@dataclass(frozen=True)
class Query:
    """What is asked. `selected` holds (name in the answer, column) and is empty for all columns."""

    selected: tuple[tuple[str, str], ...] = ()
    filters: tuple[Filter, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def columns(self) -> list[str]:
        """Every column that is named, in the order of their naming."""
        filtered, sorted_by = [each.column for each in self.filters], [each.column for each in self.order]
        return [column for _, column in self.selected] + filtered + sorted_by


def parse(parameters: Iterable[tuple[str, str]], span: str | None = None) -> Query:
    """Reads decoded parameters and the Range header, which counts when no parameter says how many. Raises BadQuery."""
    selected: tuple[tuple[str, str], ...] = ()
    order: tuple[Order, ...] = ()
    filters: list[Filter] = []
    counts: dict[str, int] = {}
    for key, value in parameters:
        if "\0" in key + value:
            raise BadQuery("22P05", "The query holds the character U+0000.", "Take it out.")
        match key:
            case "select":
                selected = _selected(value)
            case "order":
                order = tuple(_order(item) for item in _items(value))
            case "limit" | "offset":
                counts[key] = _count(key, value)
            case "and" | "or" | "not.and" | "not.or":
                raise _not_offered(f"conditions joined by {key}")
            case _:
                filters.append(_filter(key, value))
    if len(filters) > _MOST_FILTERS:
        raise _unreadable(f"more than {_MOST_FILTERS} filters")
    first, most = _span(span) if span and not counts else (0, None)
    return Query(selected, tuple(filters), order, counts.get("limit", most), counts.get("offset", first))


def _selected(text: str) -> tuple[tuple[str, str], ...]:
    items = _items(text)
    if items in ([], ["*"]):
        return ()
    selected = tuple(_aliased(item) for item in items)
    if len({column for _, column in selected}) < len(selected):
        # A column of large bodies, a thousand times, would fill the server's memory and disk.
        raise _not_offered("a column more than once in select")
    return selected


def _aliased(item: str) -> tuple[str, str]:
    found = _COLUMN.fullmatch(item)
    if found is None or item == "*":
        raise _not_offered(f"{item!r} in select")
    column = _plain(found["column"])
    return _plain(found["alias"] or found["column"]), column


def _order(item: str) -> Order:
    found = _ORDER.fullmatch(item)
    if found is None:
        raise _unreadable(f"{item!r} in order")
    return Order(
        _plain(found["column"]), found["way"] or "", f"nulls {found['nulls']}" if found["nulls"] else ""
    )


def _filter(key: str, text: str) -> Filter:
    if not re.fullmatch(_NAME, key, re.DOTALL):
        raise _not_offered(f"a filter on {key!r}")
    rest = text.removeprefix("not.")
    operator, dot, value = rest.partition(".")
    if not dot:
        raise _unreadable(f"the filter {text!r}")
    return Filter(_plain(key), operator, _operand(operator, value), rest != text)


def _operand(operator: str, value: str) -> str | list[str]:
    if operator == "in":
        return _list(value)
    if operator == "is":
        if value.lower() not in STATES:
            raise _unreadable(f"{value!r} behind is")
        return value.lower()
    if operator not in COMPARISONS:
        raise _not_offered(f"the operator {operator!r}")
    return value.replace("*", "%") if operator in ("like", "ilike") else value


def _list(text: str) -> list[str]:
    if not (text.startswith("(") and text.endswith(")") and len(text) > 1):
        raise _unreadable("a list that is not in parentheses")
    inner = text[1:-1]
    values: list[str] = []
    place = 0
    while inner and place <= len(inner):
        found = _ELEMENT.match(inner, place)
        assert found is not None
        values.append(_plain(found[1]) if found[1] else found[2])
        place = found.end() + 1
    return values


def _items(text: str) -> list[str]:
    if not _CLOSED.fullmatch(text):
        raise _unreadable(f"{text!r}")
    items = _ITEMS.findall(text)
    if ",".join(items) != text:
        raise _unreadable(f"{text!r}")
    return [item.strip() for item in items]


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL) if name.startswith('"') else name


def _count(key: str, value: str) -> int:
    if not _COUNT.fullmatch(value):
        raise _unreadable(f"{value!r} as {key}")
    return int(value)


def _span(text: str) -> tuple[int, int | None]:
    found = _RANGE.fullmatch(text.removeprefix("items="))
    if found is None:
        raise _unreadable("the header Range")
    first, last = int(found[1]), found[2]
    return first, None if last is None else max(int(last) - first + 1, 0)


def _unreadable(what: str) -> BadQuery:
    return BadQuery(
        _UNREADABLE,
        f"Could not read {_short(what)}.",
        "Write it as docs/errors.md and PostgREST's pages say.",
    )


def _not_offered(what: str) -> BadQuery:
    return BadQuery(
        _NOT_OFFERED,
        f"This server does not offer {_short(what)}.",
        "Read plain columns, or call a function that answers it.",
    )


def _short(words: str) -> str:
    return words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 1]}…"
