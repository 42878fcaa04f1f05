"""Every foreign error has a place in the one table, and none of its words goes through."""

import inspect
import json
import traceback
from typing import Any, cast

import httpx
import pytest
import supabase_auth.errors as gotrue
from postgrest.exceptions import APIError
from pydantic import BaseModel, TypeAdapter, ValidationError

from sync.errors import (
    AccountGone,
    CaptivePortal,
    QuotaExceeded,
    Refused,
    RetryLater,
    SessionOver,
    SignInAgain,
    SyncError,
    UnknownFunction,
    Unreachable,
    UpdateNeeded,
)
from sync.wire.foreign import TABLE, translate, translated
from sync.wire.replies import DEFINITIVE, answered

SECRET = "my-secret-words"
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}

ABSTRACT = {
    httpx.HTTPError,
    httpx.RequestError,
    httpx.TransportError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProtocolError,
    httpx.StreamError,
}


def exceptions_of(module: Any) -> list[type[BaseException]]:
    return [
        kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, BaseException)
    ]


def instance(kind: Any) -> BaseException:
    if kind is httpx.HTTPStatusError:
        response = httpx.Response(500, request=httpx.Request("GET", "http://localhost"))
        return httpx.HTTPStatusError(SECRET, request=response.request, response=response)
    if issubclass(kind, httpx.StreamError) and "message" not in inspect.signature(kind).parameters:
        return cast(BaseException, kind())
    if issubclass(kind, gotrue.AuthError):
        error = kind.__new__(kind)
        error.__dict__ |= {"message": SECRET, "status": 500, "code": None}
        error.args = (SECRET,)
        return cast(BaseException, error)
    return cast(BaseException, kind(SECRET))


@pytest.mark.parametrize("kind", exceptions_of(httpx), ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_is_in_the_table_by_name(kind: type[BaseException]) -> None:
    assert kind in TABLE or kind in ABSTRACT


@pytest.mark.parametrize(
    "kind", [*exceptions_of(httpx), *exceptions_of(gotrue)], ids=lambda kind: kind.__name__
)
def test_every_exception_of_the_clients_becomes_ours_without_its_words(kind: type[BaseException]) -> None:
    if kind in ABSTRACT:
        return
    ours = translate(instance(kind))
    assert isinstance(ours, SyncError)
    assert SECRET not in str(ours)
    assert "\n" not in str(ours)


def test_the_tables_errors_are_raised_without_the_foreign_traceback() -> None:
    with pytest.raises(Unreachable) as caught, translated():
        raise httpx.ReadTimeout(SECRET)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_what_is_no_border_error_passes_unchanged() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "PT401", SignInAgain),
        (401, "PGRST301", SignInAgain),
        (401, "PGRST302", SignInAgain),
        (401, "PGRST303", SignInAgain),
        (401, "42501", SignInAgain),
        (403, "42501", Refused),
        (400, "PT400", Refused),
        (404, "PT404", Refused),
        (409, "PT409", Refused),
        (410, "PT410", Refused),
        (413, "PT413", Refused),
        (400, "22P02", Refused),
        (400, "22023", Refused),
        (409, "23505", Refused),
        (409, "23503", Refused),
        (400, "23514", Refused),
        (500, "54001", Refused),
        (400, "P0001", Refused),
        (400, "PGRST102", Refused),
        (500, "40001", RetryLater),
        (500, "40P01", RetryLater),
        (500, "57014", RetryLater),
        (500, "55P03", RetryLater),
        (503, "57P01", RetryLater),
        (503, "08006", RetryLater),
        (503, "53300", RetryLater),
        (405, "25006", RetryLater),
        (429, "PT429", RetryLater),
        (503, "PGRST001", RetryLater),
        (503, "PGRST002", RetryLater),
        (500, "XX000", RetryLater),
        (404, "PGRST202", UnknownFunction),
        (406, "PGRST106", UpdateNeeded),
        (421, "PT421", Unreachable),
        (404, "PGRST125", Unreachable),
        (404, "42883", UnknownFunction),
        (500, "53100", QuotaExceeded),
        (402, "exceed_egress_quota", QuotaExceeded),
        (404, "42P01", UpdateNeeded),
    ],
)
def test_what_postgrest_says_has_a_remedy(status: int, code: str, kind: type[SyncError]) -> None:
    body = {"code": code, "message": SECRET, "details": SECRET, "hint": SECRET}
    error = answered(status, JSON, json.dumps(body).encode())
    assert type(error) is kind
    assert SECRET not in str(error)
    if isinstance(error, Refused):
        assert error.code == code
    assert type(translate(APIError(body))) in (kind, RetryLater, Refused)


AUTH_CODES = [
    (400, "invalid_credentials", SignInAgain),
    (400, "email_not_confirmed", SignInAgain),
    (403, "bad_jwt", SignInAgain),
    (422, "user_already_exists", Refused),
    (422, "weak_password", Refused),
    (422, "signup_disabled", Refused),
    (400, "validation_failed", Refused),
    (400, "email_address_invalid", Refused),
    (422, "something_new", Refused),
    (429, "over_request_rate_limit", RetryLater),
    (429, "over_email_send_rate_limit", RetryLater),
    (504, "request_timeout", RetryLater),
    (500, "unexpected_failure", RetryLater),
    (403, "user_not_found", AccountGone),
    *((400, code, SessionOver) for code in sorted(DEFINITIVE)),
]


@pytest.mark.parametrize(("status", "code", "kind"), AUTH_CODES)
def test_what_gotrue_says_has_a_remedy_in_both_its_shapes(
    status: int, code: str, kind: type[SyncError]
) -> None:
    newer = answered(
        status,
        {**JSON, "x-supabase-api-version": "2024-01-01"},
        json.dumps({"code": code, "message": SECRET}).encode(),
    )
    older = answered(status, JSON, json.dumps({"code": status, "error_code": code, "msg": SECRET}).encode())
    for error in (newer, older):
        assert type(error) is kind
        assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (200, HTML, b"<html>", CaptivePortal),
        (200, {}, b"<html>", CaptivePortal),
        (302, {"location": "http://portal.example"}, b"", CaptivePortal),
        (307, {}, b"", CaptivePortal),
        (511, HTML, b"<html>", CaptivePortal),
        (511, JSON, b'{"error": "login"}', CaptivePortal),
        (401, HTML, b"<html>", CaptivePortal),
        (401, JSON, b"{}", CaptivePortal),
        (403, HTML, b"<html>", CaptivePortal),
        (404, HTML, b"<html>", CaptivePortal),
        (407, HTML, b"<html>", Unreachable),
        (404, JSON, b'{"message": "no Route matched"}', CaptivePortal),
        (400, JSON, b"[1]", CaptivePortal),
        (400, JSON, b"[" * 100_000, CaptivePortal),
        (402, HTML, b"<html>", QuotaExceeded),
        (402, JSON, b'{"message": "pay"}', QuotaExceeded),
        (507, JSON, b"{}", QuotaExceeded),
        (500, HTML, b"<html>", RetryLater),
        (502, HTML, b"<html>", RetryLater),
        (503, HTML, b"", RetryLater),
        (521, HTML, b"", RetryLater),
        (540, JSON, b"{}", RetryLater),
        (408, HTML, b"", RetryLater),
        (429, HTML, b"", RetryLater),
        (413, HTML, b"<html>", Refused),
        (401, JSON, b'{"message": "JWSError"}', SignInAgain),
        (401, JSON, b'{"message": "Invalid API key"}', Refused),
        (401, JSON, b'{"message": "No API key found in request"}', Refused),
        (403, JSON, b'{"msg": "Unregistered API key"}', Refused),
    ],
)
def test_an_answer_without_a_known_code_is_judged_by_its_kind(
    status: int, headers: dict[str, str], body: bytes, kind: type[SyncError]
) -> None:
    assert type(answered(status, headers, body)) is kind


def test_a_success_in_json_or_without_a_body_is_none_of_the_tables_business() -> None:
    assert answered(200, JSON, b"[]") is None
    assert answered(204, {}, b"") is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), (" 120 ", 120.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_taken_in_seconds_only(status: int, header: str, seconds: float | None) -> None:
    error = answered(status, {**HTML, "retry-after": header}, b"")
    assert isinstance(error, RetryLater)
    assert error.after == seconds


def test_an_answer_of_another_shape_asks_for_an_update_and_broken_json_for_the_network() -> None:
    class Wanted(BaseModel):
        number: int

    for text, kind in ((json.dumps({"number": SECRET}), UpdateNeeded), ("<html>", CaptivePortal)):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(Wanted).validate_json(text)
        assert type(translate(caught.value)) is kind
        assert SECRET not in str(translate(caught.value))
