"""`/rest/v1/rpc/<name>`: calls of SQL functions with PostgREST's semantics, bodies passed through unread."""

import json
from contextlib import AsyncExitStack
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from server import answers
from server.bodies import Room
from server.callers import Door
from server.database import JsonBody, Pool, call_as
from server.rest import border
from server.rest.catalogue import Catalogue, Function, Shape, Verdict
from server.shares import Shares
from server.tokens import Caller
from sync.protocol import REQUEST_MAX_BYTES

_SNAPSHOT_MAX_BYTES: Final = 64 * 1024 * 1024
_LIMITS: Final = {"save_snapshot": _SNAPSHOT_MAX_BYTES}
_LARGE_ANSWERS: Final = frozenset({"get_snapshot"})


class Rpc:
    """The endpoint. Who may run a function is PostgreSQL's decision, by its grants."""

    def __init__(self, door: Door, catalogue: Catalogue, pool: Pool, shares: Shares) -> None:
        self._door = door
        self._catalogue = catalogue
        self._pool = pool
        self._shares = shares
        self._room = Room()

    async def endpoint(self, request: Request) -> Response:
        """Answers one call."""
        return await border.answer(self._door, request, lambda caller: self._answer(request, caller))

    async def _answer(self, request: Request, caller: Caller) -> Response:
        name = request.path_params["name"]
        posted = request.method == "POST"
        if posted and not _is_json(request.headers.get("content-type")):
            return answers.rest_error(
                415, "PGRST107", "The Content-Type is not supported.", hint="Send JSON as application/json."
            )
        limit = _LIMITS.get(name, REQUEST_MAX_BYTES) if caller.user_id else REQUEST_MAX_BYTES
        async with AsyncExitStack() as held:
            if posted:
                body = await held.enter_async_context(self._room.body(request, limit, caller.user_id))
            else:
                body = bytearray(json.dumps(dict(request.query_params)).encode())
            if name in _LARGE_ANSWERS:
                await held.enter_async_context(self._room.place(caller.user_id))
            answer = await self._call(name, caller, body or b"{}", read_only=not posted)
            if name in _LARGE_ANSWERS and isinstance(answer, answers.Passed):
                answer.held = held.pop_all()
            return answer

    async def _call(self, name: str, caller: Caller, body: bytes | bytearray, *, read_only: bool) -> Response:
        function = await self._catalogue.function(name)
        if function is None:
            return _no_such_function(name)
        async with self._shares.one_of(caller.user_id):
            verdict, answer = await call_as(
                self._pool,
                caller,
                function.statement,
                (JsonBody(body),),
                read_only=read_only or function.read_only,
            )
        return _success(function, answer) if verdict == Verdict.OK.encode() else _misfit(name, verdict)


def _is_json(content_type: str | None) -> bool:
    """Whether a body may be JSON: PostgREST takes one without a type for JSON too."""
    return (content_type or "application/json").partition(";")[0].strip().lower() == "application/json"


def _success(function: Function, answer: bytes | None) -> Response:
    if function.shape is Shape.VOID:
        return Response(status_code=204)
    return answers.Passed(answer, media_type="application/json; charset=utf-8")


def _misfit(name: str, verdict: bytes | None) -> Response:
    if verdict == Verdict.NOT_AN_OBJECT.encode():
        return answers.malformed()
    if verdict == Verdict.WRONG_KIND.encode():
        return answers.wrong_kind()
    return _no_such_function(name)


def _no_such_function(name: str) -> Response:
    return answers.rest_error(
        404,
        "PGRST202",
        f"Could not find the function public.{name} with these parameters",
        hint="Check the name and the names of its arguments; an older server may not have it yet.",
    )
