"""The one table that turns what others raise or answer at the border into this package's errors.

No foreign text goes through: a server's words may hold message text, an address or a token.
"""

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
from postgrest.exceptions import APIError
from pydantic import ValidationError
from supabase_auth import errors as gotrue

from sync.endpoint import BAD_KEY, BAD_URL
from sync.errors import Refused, RetryLater, SessionOver, SignInAgain, SyncError, Unreachable, UpdateNeeded

DEFINITIVE: Final = frozenset(
    {
        "refresh_token_not_found",
        "refresh_token_already_used",
        "session_not_found",
        "session_expired",
        "user_banned",
    }
)
"""The only codes that end a session: every other failure leaves its tokens where they are."""

UNENCODABLE: Final = "unencodable"
"""Code of a Refused that this side raised: the request holds what JSON cannot carry."""

_SIGN_IN: Final = {
    "invalid_credentials": "The e-mail address or the password is wrong: check both and sign in again.",
    "invalid_grant": "The e-mail address, the password or the login is not valid: sign in again.",
    "email_not_confirmed": "The address is not confirmed yet: open the link in the mail, then sign in.",
    "bad_jwt": "The login is not valid any more: sign in again.",
    "no_authorization": "The login is missing: sign in again.",
    "user_not_found": "The server does not know this account any more: sign in again.",
    "PT401": "The login is not valid any more: sign in again.",
    "PGRST301": "The login has expired: sign in again.",
    "PGRST302": "The login is missing: sign in again.",
    "PGRST303": "The login is not valid any more: sign in again.",
}

_REFUSED: Final = {
    "user_already_exists": "There is an account with this address already: sign in instead.",
    "email_exists": "There is an account with this address already: sign in instead.",
    "weak_password": "The server finds this password too weak: choose a longer one.",
    "signup_disabled": "This server takes no new accounts: ask the person who runs it.",
    "email_provider_disabled": "This server takes no passwords: ask the person who runs it.",
    "email_address_invalid": "The server does not accept this e-mail address: check it.",
    "email_address_not_authorized": "This server cannot send mail to this address: ask who runs it.",
    "validation_failed": "The server does not accept this e-mail address or password: check both.",
    "captcha_failed": "The server wants proof that no robot is asking: sign in by its web page once.",
    "PT400": "The server could not read the request: update Homing.",
    "PT404": "The server does not know this chat: it will be sent again.",
    "PT410": "This chat was deleted on another device: copy the text into another chat.",
    "PT413": "This is too large for the server: shorten it.",
    "413": "This is too large for the server: shorten it.",
    "42501": "The server does not allow this: ask the person who runs it.",
}

_UPDATE: Final = frozenset({"PGRST106", "PGRST202", "PGRST203", "PGRST205", "42883", "42P01"})

# SQLSTATE classes and words that pass by themselves: connection, rollback, resources, locks, operators, read-only.
_PATIENCE: Final = re.compile(
    r"(08|40|53|55|57)[0-9A-Z]{3}|25006|PT5\d\d|PT408|PT425|PT429|over_\w+_rate_limit|(hook|request)_timeout\w*"
)

_REFUSAL: Final = re.compile(r"PT4\d\d|PGRST1\d\d|(0A|21|22|23|42|44|54|P0)[0-9A-Z]{3}")

_CODE: Final = re.compile(r"\w{1,48}")

_WRONG_KEY: Final = re.compile(r"api ?key", re.IGNORECASE)


def answered(status: int, headers: Mapping[str, str], body: bytes) -> SyncError | None:
    """What an HTTP answer means when it is not a success; None for one that looks like a success.

    `body` is the whole text; a success is only looked at as far as its kind of content goes, since a captive
    portal answers 200 with a page.
    """
    if 200 <= status < 300:
        return None if not body or "json" in headers.get("content-type", "") else _not_the_server()
    if 300 <= status < 400:
        return Unreachable("The address leads elsewhere: sign in to the network in a browser, or check it.")
    after = _seconds(headers.get("retry-after"))
    fault = _json_object(body)
    code = _code(fault)
    if code is not None and (known := refusal(code, status, after)) is not None:
        return known
    if status in (408, 425, 429) or status >= 500:
        return RetryLater("The server is busy or being repaired: Homing tries again by itself.", after)
    if status == 413:
        return Refused(_REFUSED["413"], "413")
    if fault is None or status == 407:
        return _not_the_server()
    if status in (401, 403) and _WRONG_KEY.search(str(fault.get("message") or fault.get("msg") or "")):
        return wrong_key()
    if status == 401:
        return SignInAgain("The server does not accept the login: sign in again.")
    if code is not None and ("x-supabase-api-version" in headers or "error_code" in fault):
        return _refused(code)
    return Unreachable("Something answers at this address, but no sync server: check the address.")


def refusal(code: str, status: int = 0, after: float | None = None) -> SyncError | None:
    """What a server's own code means: an SQLSTATE, PostgREST's or GoTrue's. None when the code says nothing."""
    if code in DEFINITIVE:
        return SessionOver("The server has ended this login: sign in again; nothing here is lost.")
    if code in _UPDATE:
        return UpdateNeeded(
            "The server lacks what this version of Homing needs: update the one that is older."
        )
    if _PATIENCE.fullmatch(code):
        return RetryLater("The server is busy: Homing tries again by itself.", after)
    if code in _SIGN_IN or (code == "42501" and status == 401):
        return SignInAgain(_SIGN_IN.get(code, "The login is not valid any more: sign in again."))
    if code in _REFUSED:
        return Refused(_REFUSED[code], code)
    return _refused(code) if _REFUSAL.fullmatch(code) else None


def wrong_key() -> Refused:
    """The server does not know the publishable key."""
    return Refused(
        "The server does not know this key: copy the publishable key from its settings again.", BAD_KEY
    )


def translate(error: BaseException) -> SyncError | None:
    """The SyncError for a foreign exception, by its nearest class in the table; None for one that is no border's."""
    for kind in type(error).__mro__:
        if (meaning := TABLE.get(kind)) is not None:
            return meaning(error)
    return None


@contextmanager
def translated() -> Iterator[None]:
    """Raise foreign errors of the body as ours, without their text and without their traceback."""
    try:
        yield
    except tuple(TABLE) as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from None


def _unreachable(words: str) -> Callable[[Any], SyncError]:
    return lambda _: Unreachable(words)


def _connection(error: BaseException) -> SyncError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return Unreachable(
                "The server's certificate is not trusted: check the address and this computer's clock."
            )
        if isinstance(cause, ssl.SSLError):
            return Unreachable("No secure connection to the server: check that the address starts rightly.")
        if isinstance(cause, socket.gaierror):
            return Unreachable("The server's name is not found: check the network and the address.")
    return Unreachable("The server is not reachable: check the network; Homing tries again by itself.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__


def _status(error: httpx.HTTPStatusError) -> SyncError:
    answer = error.response
    return answered(answer.status_code, answer.headers, answer.content) or _unreadable(error)


def _api(error: APIError) -> SyncError:
    code = str(error.code or "")
    if code.isdecimal() and len(code) == 3:
        known = answered(int(code), {}, json.dumps({"message": error.message}).encode())
    else:
        known = refusal(code) if _CODE.fullmatch(code) else None
    return known or RetryLater("The server failed in a way it did not explain: Homing tries again by itself.")


def _auth(error: gotrue.AuthError) -> SyncError:
    if isinstance(error.__cause__, httpx.HTTPError):
        return translate(error.__cause__) or _unreadable(error)
    status = getattr(error, "status", 0)
    known = refusal(str(error.code), status) if error.code else None
    return known or RetryLater("The server's login service failed: Homing tries again by itself.")


def _invalid(error: ValidationError) -> SyncError:
    if any(fault["type"] == "json_invalid" for fault in error.errors(include_input=False, include_url=False)):
        return _not_the_server()
    return _unreadable(error)


def _unreadable(_: BaseException) -> SyncError:
    return UpdateNeeded("The server answers in a way that this version cannot read: update Homing.")


def _refused(code: str) -> Refused:
    return Refused(f"The server refuses this ({code}): look this code up, or ask who runs the server.", code)


def _not_the_server() -> Unreachable:
    return Unreachable(
        "A page answers instead of the server: sign in to the network in a browser, or check the address."
    )


def _bad_url(_: BaseException) -> SyncError:
    return Refused("The server address cannot be used: check it for typing errors.", BAD_URL)


def _unencodable(_: BaseException) -> SyncError:
    return Refused("This holds characters or numbers that cannot be sent: write it anew.", UNENCODABLE)


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header. Its other form, a date, needs the same clock on both sides."""
    return float(retry_after) if retry_after and re.fullmatch(r"\d{1,6}", retry_after.strip()) else None


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _code(fault: Mapping[str, Any] | None) -> str | None:
    """GoTrue's two shapes and its older one, and PostgREST's."""
    for name in ("code", "error_code", "error"):
        value = (fault or {}).get(name)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return None


_slow = _unreachable("The server does not answer in time: Homing tries again by itself.")
_broken = _unreachable("The connection broke: Homing tries again by itself.")

TABLE: Final[dict[type[BaseException], Callable[[Any], SyncError]]] = {
    httpx.HTTPStatusError: _status,
    httpx.ConnectError: _connection,
    httpx.ReadError: _connection,
    httpx.WriteError: _connection,
    httpx.CloseError: _broken,
    httpx.ConnectTimeout: _slow,
    httpx.ReadTimeout: _slow,
    httpx.WriteTimeout: _slow,
    httpx.PoolTimeout: _slow,
    httpx.LocalProtocolError: _broken,
    httpx.RemoteProtocolError: _broken,
    httpx.DecodingError: _broken,
    httpx.ProxyError: _unreachable("The proxy of this network refuses: check the proxy's settings."),
    httpx.TooManyRedirects: _unreachable("The address leads in a circle: check it."),
    httpx.UnsupportedProtocol: _bad_url,
    httpx.InvalidURL: _bad_url,
    httpx.CookieConflict: _broken,
    httpx.StreamConsumed: _broken,
    httpx.StreamClosed: _broken,
    httpx.ResponseNotRead: _broken,
    httpx.RequestNotRead: _broken,
    APIError: _api,
    gotrue.AuthError: _auth,
    ValidationError: _invalid,
    UnicodeDecodeError: _unreadable,
    json.JSONDecodeError: lambda _: _not_the_server(),
    UnicodeEncodeError: _unencodable,
    ValueError: _unencodable,
    RecursionError: _unreadable,
    TimeoutError: _slow,
    OSError: _connection,
}
