"""`/rest/v1/rpc/<name>`: calls of SQL functions with PostgREST's semantics, bodies passed through unread."""

import json
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from server import answers
from server.bodies import BodyTooLarge, BodyTooSlow, read_body
from server.callers import Door, bearer_of
from server.catalogue import Catalogue, Function, Shape, Verdict
from server.database import JsonBody, Pool, call_as
from server.tokens import Caller, Refusal, TokenRefused
from sync.protocol import REQUEST_MAX_BYTES

_SCHEMA: Final = "public"
_REFUSED: Final = {
    Refusal.EXPIRED: ("PGRST303", "JWT expired"),
    Refusal.INVALID: ("PGRST301", "JWT could not be verified"),
}


class Rpc:
    """The endpoint. Who may run a function is PostgreSQL's decision, by its grants."""

    def __init__(self, door: Door, catalogue: Catalogue, pool: Pool) -> None:
        self._door = door
        self._catalogue = catalogue
        self._pool = pool

    async def endpoint(self, request: Request) -> Response:
        """Answers one call."""
        if not self._door.knows(request.headers.get("apikey")):
            return answers.rest_error(
                401, "PGRST301", "Invalid API key", hint="Send the server's publishable key."
            )
        profile = request.headers.get("content-profile") or request.headers.get("accept-profile") or _SCHEMA
        if profile != _SCHEMA:
            return answers.rest_error(406, "PGRST106", "The schema must be one of the following: public")
        try:
            caller = self._door.caller(bearer_of(request.headers.get("authorization")))
        except TokenRefused as refused:
            return answers.rest_error(401, *_REFUSED[refused.refusal])
        try:
            body = await _arguments(request)
        except BodyTooLarge:
            return answers.rest_error(
                413, "PT413", "The request is too large.", hint="Send fewer messages a call."
            )
        except BodyTooSlow:
            return answers.rest_error(408, "PT408", "The request did not arrive in time.")
        return await self._answer(request, caller, body)

    async def _answer(self, request: Request, caller: Caller, body: JsonBody) -> Response:
        name = request.path_params["name"]
        try:
            function = await self._catalogue.find(name)
            if function is None:
                return _no_such_function(name)
            read_only = function.read_only or request.method != "POST"
            verdict, answer = await call_as(self._pool, caller, function.statement, body, read_only=read_only)
        except PoolTimeout:
            return answers.unavailable()
        except psycopg.Error as error:
            return answers.database_error(error, anonymous=caller.user_id is None)
        return _success(function, answer) if verdict == Verdict.OK.encode() else _misfit(name, verdict)


async def _arguments(request: Request) -> JsonBody:
    if request.method == "POST":
        return JsonBody(await read_body(request, REQUEST_MAX_BYTES) or b"{}")
    return JsonBody(json.dumps(dict(request.query_params)).encode())


def _success(function: Function, answer: bytes | None) -> Response:
    if function.shape is Shape.VOID:
        return Response(status_code=204)
    return Response(answer, media_type="application/json; charset=utf-8")


def _misfit(name: str, verdict: bytes) -> Response:
    return answers.malformed() if verdict == Verdict.NOT_AN_OBJECT.encode() else _no_such_function(name)


def _no_such_function(name: str) -> Response:
    return answers.rest_error(
        404,
        "PGRST202",
        f"Could not find the function public.{name} with these parameters",
        hint="Check the name and the names of its arguments; an older server may not have it yet.",
    )
