"""Error answers in the two forms that clients read: PostgREST's and GoTrue's, and the status of each SQLSTATE."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Final, TypeVar

import psycopg
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Entry = TypeVar("Entry")

API_VERSION: Final = "2024-01-01"
_SLICE_BYTES: Final = 256 * 1024
_READ_SECONDS: Final = 300.0

# PostgREST's table, longest prefix first: https://docs.postgrest.org/en/stable/references/errors.html
_STATUS_BY_SQLSTATE: Final = {
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "42501": 403,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53400": 500,
    "57P01": 503,
    "P0001": 400,
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}
# The server is going down, has crashed or is not up yet; and the stack that ran out while it parsed the body.
_LOST: Final = frozenset({"57P01", "57P02", "57P03", "08000", "08003", "08006"})
_TOO_DEEP: Final = "54001"

# What to do about errors that PostgreSQL raises itself, longest prefix first. Hosted projects send them without.
_HINTS: Final = {
    "22003": "Send a number that its type can hold.",
    "22007": "Send the time as RFC 3339 says, with an offset.",
    "22008": "Send a time that exists.",
    "22021": "Send the text as UTF-8.",
    "22P02": "Check the form of each value: a UUID, a whole number, true or false.",
    "22P05": "Take out the character U+0000: PostgreSQL cannot store it.",
    "22": "Check the value of each argument.",
    "23": "Another row is in the way, or one that is needed is not there: pull, then try again.",
    "25006": "Call it with POST.",
    "40": "Others changed the same rows and this call had no effect: try again.",
    "42501": "Sign in as somebody who may do this.",
    "42703": "Check the names of the columns.",
    "42883": "Check the types of the values and columns.",
    "42": "Check the names; an older server may not have them yet.",
    "53": "The server has run out of something and this call had no effect: try again later.",
    "54": "Send less, or nest it less deeply.",
    "55P03": "Another call holds the lock and this one had no effect: try again.",
    "57014": "It took too long and had no effect: ask for less, or try again later.",
}
_HINT: Final = "Try again; if it stays, tell whoever runs the server this code."


def status_of(sqlstate: str, *, anonymous: bool) -> int:
    """The HTTP status that PostgREST gives for an SQLSTATE; `PTxyz` is how SQL asks for HTTP xyz."""
    if sqlstate.startswith("PT") and sqlstate[2:].isdecimal() and 200 <= int(sqlstate[2:]) < 600:
        return int(sqlstate[2:])
    if sqlstate == "42501" and anonymous:
        return 401
    return _nearest(_STATUS_BY_SQLSTATE, sqlstate, 400)


def _nearest(table: Mapping[str, Entry], sqlstate: str, otherwise: Entry) -> Entry:
    return next((entry for prefix, entry in table.items() if sqlstate.startswith(prefix)), otherwise)


def rest_error(status: int, code: str, message: str, *, hint: str, details: str | None = None) -> Response:
    """An error of `/rest/v1` in PostgREST's form. The hint says what to do; docs/errors.md lists the codes."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    body = {"code": code, "message": message, "details": details, "hint": hint}
    return _json(status, body, headers)


def database_error(error: psycopg.Error, *, anonymous: bool) -> Response:
    """What PostgreSQL said, as PostgREST would pass it on; a lost connection becomes 503 PGRST001."""
    if error.sqlstate is None or error.sqlstate in _LOST:
        return unavailable()
    sqlstate = error.sqlstate
    if sqlstate == _TOO_DEEP:
        return malformed("The nesting is too deep.")
    if sqlstate == "22P02" and (error.diag.message_primary or "").endswith("type json"):
        return malformed(error.diag.message_detail)
    return rest_error(
        status_of(sqlstate, anonymous=anonymous),
        sqlstate,
        error.diag.message_primary or "The database refused the request.",
        details=error.diag.message_detail,
        hint=error.diag.message_hint or _nearest(_HINTS, sqlstate, _HINT),
    )


def malformed(details: str | None = None) -> Response:
    """What was sent is not JSON, or not an object where one is needed."""
    return rest_error(
        400,
        "PGRST102",
        "Empty or invalid json",
        details=details,
        hint="Send well-formed JSON; the arguments of a function are one object.",
    )


def wrong_kind() -> Response:
    """A list or an object was sent for an argument that is neither."""
    return rest_error(
        400, "22P02", "A list or an object stands where one value belongs.", hint=_HINTS["22P02"]
    )


def unavailable() -> Response:
    """The database cannot be reached now; the request may or may not have had its effect."""
    return rest_error(
        503, "PGRST001", "The server's database is not reachable.", hint="Try again in a few seconds."
    )


def auth_error(
    status: int, code: str, message: str, *, extra: Mapping[str, object] | None = None, retry_after: float = 0
) -> Response:
    """An error of `/auth/v1` in GoTrue's form of API version 2024-01-01."""
    headers = {"X-Supabase-Api-Version": API_VERSION, "X-Sb-Error-Code": code}
    if retry_after:
        headers["Retry-After"] = str(int(retry_after) + 1)
    return _json(status, {"code": code, "message": message, **(extra or {})}, headers)


def auth_answer(body: Mapping[str, object], status: int = 200) -> Response:
    """A success of `/auth/v1`."""
    return _json(status, body, {"X-Supabase-Api-Version": API_VERSION})


class Passed(Response):
    """A body that PostgreSQL wrote, sent in slices: a slow reader holds up the sending instead of filling buffers.

    Whoever has not read it after five minutes is hung up on. `held` is let go of once nothing more is sent.
    """

    held: AsyncExitStack | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as ASGI asks for it."""
        async with self.held or AsyncExitStack():
            # The server closes a connection whose answer is not whole.
            with suppress(TimeoutError):
                async with asyncio.timeout(_READ_SECONDS):
                    await self._send(send)

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        for place in range(0, len(self.body), _SLICE_BYTES):
            piece = bytes(self.body[place : place + _SLICE_BYTES])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _json(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json; charset=utf-8")
