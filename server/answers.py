"""Error answers in the two forms that clients read: PostgREST's and GoTrue's, and the status of each SQLSTATE."""

import json
from collections.abc import Mapping
from typing import Final

import psycopg
from starlette.responses import Response

API_VERSION: Final = "2024-01-01"

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


def status_of(sqlstate: str, *, anonymous: bool) -> int:
    """The HTTP status that PostgREST gives for an SQLSTATE; `PTxyz` is how SQL asks for HTTP xyz."""
    if sqlstate.startswith("PT") and sqlstate[2:].isdecimal() and 200 <= int(sqlstate[2:]) < 600:
        return int(sqlstate[2:])
    if sqlstate == "42501" and anonymous:
        return 401
    return next(
        (status for prefix, status in _STATUS_BY_SQLSTATE.items() if sqlstate.startswith(prefix)), 400
    )


def rest_error(
    status: int, code: str, message: str, *, details: str | None = None, hint: str | None = None
) -> Response:
    """An error of `/rest/v1` in PostgREST's form."""
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
        hint=error.diag.message_hint,
    )


def malformed(details: str | None = None) -> Response:
    """The body is not a JSON object."""
    return rest_error(
        400, "PGRST102", "Empty or invalid json", details=details, hint="Send one JSON object of arguments."
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


def _json(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json; charset=utf-8")
