"""The one table that turns the exceptions of httpx and the official clients into this package's errors."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
from postgrest.exceptions import APIError
from pydantic import ValidationError
from supabase_auth import errors as gotrue

from sync.errors import Refused, RetryLater, SyncError, Unreachable
from sync.wire.endpoint import BAD_URL
from sync.wire.replies import CODE, answered, not_the_server, proxy_wants_login, refusal, unreadable

UNENCODABLE: Final = "22P05"
"""What a request holds that JSON cannot carry goes by PostgreSQL's code for a character it cannot translate."""


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
    return Unreachable("The server is not reachable: check the network, then try again.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__


def _proxy(error: httpx.ProxyError) -> SyncError:
    if str(error).startswith("407"):
        return proxy_wants_login()
    return Unreachable("The proxy of this network refuses: check the proxy's settings.")


def _status(error: httpx.HTTPStatusError) -> SyncError:
    answer = error.response
    return answered(answer.status_code, answer.headers, answer.content) or unreadable()


def _api(error: APIError) -> SyncError:
    code = str(error.code or "")
    if code.isdecimal() and len(code) == 3:
        known = answered(int(code), {}, json.dumps({"message": error.message}).encode())
    else:
        known = refusal(code) if CODE.fullmatch(code) else None
    return known or RetryLater(
        "The server failed in a way it did not explain: try again in a while; nothing is lost."
    )


def _auth(error: gotrue.AuthError) -> SyncError:
    if isinstance(error.__cause__, httpx.HTTPError):
        return translate(error.__cause__) or unreadable()
    status = getattr(error, "status", 0)
    known = refusal(str(error.code), status) if error.code else None
    return known or RetryLater("The server's login service failed: try again in a while; nothing is lost.")


def _invalid(error: ValidationError) -> SyncError:
    if any(fault["type"] == "json_invalid" for fault in error.errors(include_input=False, include_url=False)):
        return not_the_server()
    return unreadable()


def _unreadable(_: BaseException) -> SyncError:
    return unreadable()


def _bad_url(_: BaseException) -> SyncError:
    return Refused("The server address cannot be used: check it for typing errors.", BAD_URL)


def _unencodable(_: BaseException) -> SyncError:
    return Refused("This holds characters or numbers that cannot be sent: write it anew.", UNENCODABLE)


_slow = _unreachable("The server does not answer in time: check the network, then try again.")
_broken = _unreachable("The connection broke: check the network, then try again.")

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
    httpx.ProxyError: _proxy,
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
    json.JSONDecodeError: lambda _: not_the_server(),
    UnicodeEncodeError: _unencodable,
    ValueError: _unencodable,
    RecursionError: _unreadable,
    TimeoutError: _slow,
    OSError: _connection,
}
