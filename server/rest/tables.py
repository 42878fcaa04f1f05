"""`/rest/v1/<table>`: reads of tables and views for `.from().select()`; whatever writes is a function."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from server import answers
from server.callers import Door
from server.database import Pool, call_as
from server.rest import border
from server.rest.catalogue import Catalogue
from server.rest.queries import BadQuery, Query, parse
from server.rest.relations import Relation
from server.rest.selects import Select
from server.shares import Shares
from server.tokens import Caller

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ARRAY: Final = "application/json"
_OBJECT: Final = "application/vnd.pgrst.object+json"
_ANY: Final = frozenset({"", "*/*", "application/*", _ARRAY, "application/vnd.pgrst.array+json"})


@dataclass(frozen=True)
class _Page:
    """A part of what was found: its first row's place, its rows, and how many there are in all when that was asked."""

    offset: int
    rows: int
    total: int | None

    @property
    def content_range(self) -> str:
        span = f"{self.offset}-{self.offset + self.rows - 1}" if self.rows else "*"
        return f"{span}/{'*' if self.total is None else self.total}"

    @property
    def status(self) -> int:
        return 206 if self.total is not None and self.rows < self.total else 200


class Tables:
    """The endpoint. Which rows a caller sees is PostgreSQL's decision, by its grants and policies."""

    def __init__(self, door: Door, catalogue: Catalogue, pool: Pool, shares: Shares) -> None:
        self._door = door
        self._catalogue = catalogue
        self._pool = pool
        self._shares = shares

    async def endpoint(self, request: Request) -> Response:
        """Answers one request."""
        return await border.answer(self._door, request, lambda caller: self._answer(request, caller))

    async def _answer(self, request: Request, caller: Caller) -> Response:
        if request.method not in ("GET", "HEAD"):
            return answers.rest_error(
                405,
                "PGRST117",
                "Tables can only be read.",
                hint="Call a function under /rest/v1/rpc to write.",
            )
        kind = _media_type(request.headers.get("accept", ""))
        try:
            query = parse(request.query_params.multi_items(), request.headers.get("range"))
        except BadQuery as bad:
            return answers.rest_error(400, bad.code, bad.message, hint=bad.hint)
        relation = await self._relation(request.path_params["table"], query)
        count = "count=" in request.headers.get("prefer", "")
        return await self._read(caller, Select(relation, query, count), kind)

    async def _relation(self, name: str, query: Query) -> Relation:
        relation = await self._catalogue.relation(name, query.columns)
        if relation is None:
            raise border.Refused(
                answers.rest_error(
                    404,
                    "PGRST205",
                    f"Could not find the table public.{name}",
                    hint="Check the name; an older server may not have it yet.",
                )
            )
        for column in query.columns:
            if column not in relation.columns:
                raise border.Refused(
                    answers.rest_error(
                        400,
                        "42703",
                        f"column {name}.{column} does not exist",
                        hint="Check the names of the columns.",
                    )
                )
        return relation

    async def _read(self, caller: Caller, select: Select, kind: str) -> Response:
        text = select.text()
        async with self._shares.one_of(caller.user_id):
            row = await call_as(self._pool, caller, text, select.parameters, read_only=True, keep=False)
        rows, body, whole, total = row
        page = _Page(select.query.offset, int(rows or 0), None if total is None else int(total))
        if whole != b"t":
            return answers.rest_error(
                413, "PT413", "The answer is too large.", hint="Select fewer columns or fewer rows."
            )
        if page.total is not None and 0 < page.total <= page.offset:
            return answers.rest_error(
                416,
                "PGRST103",
                "Requested range not satisfiable",
                details=f"An offset of {page.offset} was requested, but there are only {page.total} rows.",
                hint="Ask for a smaller offset.",
            )
        return _single(body or b"", page) if kind == _OBJECT else _many(body or b"", page)


def _media_type(accept: str) -> str:
    for wanted in accept.split(","):
        if (kind := wanted.partition(";q=")[0].strip().lower()) in _ANY:
            return _ARRAY
        if kind == _OBJECT:
            return _OBJECT
    raise border.Refused(
        answers.rest_error(
            406, "PGRST107", "None of these media types are available", hint=f"Ask for {_ARRAY} or {_OBJECT}."
        )
    )


def _single(body: bytes, page: _Page) -> Response:
    if page.rows != 1:
        return answers.rest_error(
            406,
            "PGRST116",
            "Cannot coerce the result to a single JSON object",
            details=f"The result contains {page.rows} rows",
            hint="Ask for a list, or filter by a key.",
        )
    return _passed(body[1:-1], 200, page, _OBJECT)


def _many(body: bytes, page: _Page) -> Response:
    return _passed(body, page.status, page, _ARRAY)


def _passed(body: bytes, status: int, page: _Page, kind: str) -> Response:
    headers = {"Content-Range": page.content_range}
    if page.total is not None:
        headers["Preference-Applied"] = "count=exact"
    return answers.Passed(body, status, headers, f"{kind}; charset=utf-8")
