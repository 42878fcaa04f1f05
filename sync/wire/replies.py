"""What a reply means when it is no success: the servers' codes and statuses, in this package's errors and words.

No foreign text goes through: a server's words may hold message text, an address or a token.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

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
from sync.wire.endpoint import BAD_KEY

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

_SIGN_IN: Final = {
    "invalid_credentials": "The e-mail address or the password is wrong: check both and sign in again.",
    "invalid_grant": "The e-mail address, the password or the login is not valid: sign in again.",
    "email_not_confirmed": "The address is not confirmed yet: open the link in the mail, then sign in.",
    "bad_jwt": "The login is not valid any more: sign in again.",
    "no_authorization": "The login is missing: sign in again.",
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
    "42501": "The server does not allow this: ask the person who runs it.",
}

_ELSEWHERE: Final = frozenset({"PT421", "PGRST125"})
"""The server is asked by a name that is not its own, or there is nothing at the path."""

_UPDATE: Final = frozenset({"PGRST106", "PGRST107", "PGRST117", "PGRST203", "PGRST205", "42P01"})

_NO_SUCH_FUNCTION: Final = frozenset({"PGRST202", "42883"})

_GONE: Final = "user_not_found"

# Payment and storage of gateways, PostgreSQL's full disk, and what hosted projects say when their share is used up.
_QUOTA: Final = re.compile(
    r"PT402|PT507|53100|(project|storage|egress|database)?_?quota_?exceeded|exceed_\w+_quota"
)

# SQLSTATE classes and words that pass by themselves: connection, rollback, resources, locks, operators, read-only.
_PATIENCE: Final = re.compile(
    r"(08|40|53|55|57)[0-9A-Z]{3}|25006|PT5\d\d|PT408|PT425|PT429|over_\w+_rate_limit|(hook|request)_timeout\w*"
)

_REFUSAL: Final = re.compile(r"PT4\d\d|PGRST1\d\d|(0A|21|22|23|42|44|54|P0)[0-9A-Z]{3}")

CODE: Final = re.compile(r"\w{1,48}")

_OLDER: Final = "The server lacks what this version of Homing needs: update the one that is older."

# What portals answer to whatever they are asked; no function and no login that is used here answers so.
_EMPTY: Final = frozenset({b"{}", b"null", b'""'})

_WRONG_KEY: Final = re.compile(r"api ?key", re.IGNORECASE)


def answered(status: int, headers: Mapping[str, str], body: bytes) -> SyncError | None:
    """What an HTTP answer means when it is not a success; None for one that looks like a success.

    `body` is the whole text; a success is only looked at as far as its kind of content goes, since a captive
    portal answers 200 with a page.
    """
    if 200 <= status < 300:
        plausible = not body or ("json" in headers.get("content-type", "") and body not in _EMPTY)
        return None if plausible else not_the_server()
    after = _seconds(headers.get("retry-after"))
    if (on_the_way := _on_the_way(status)) is not None:
        return on_the_way
    fault = _json_object(body)
    code = _code(fault)
    if code is not None and (known := refusal(code, status, after)) is not None:
        return known
    return _by_status(status, after) or _uncoded(status, headers, fault or {}, code)


def _on_the_way(status: int) -> SyncError | None:
    """What only something between here and the server answers."""
    if 300 <= status < 400:
        return CaptivePortal("The address leads elsewhere: sign in to the network in a browser, or check it.")
    if status == 407:
        return proxy_wants_login()
    return not_the_server() if status == 511 else None


def _by_status(status: int, after: float | None) -> SyncError | None:
    if status in (402, 507):
        return quota_exceeded(after)
    if status in (408, 425, 429) or status >= 500:
        return RetryLater(
            "The server is busy or being repaired: try again in a while; nothing is lost.", after
        )
    return Refused(_REFUSED["PT413"], "PT413") if status == 413 else None


def _uncoded(
    status: int, headers: Mapping[str, str], fault: Mapping[str, Any], code: str | None
) -> SyncError:
    if not fault:
        return not_the_server()
    if status in (401, 403) and _WRONG_KEY.search(str(fault.get("message") or fault.get("msg") or "")):
        return wrong_key()
    if status == 401:
        return SignInAgain("The server does not accept the login: sign in again.")
    if code is not None and ("x-supabase-api-version" in headers or "error_code" in fault):
        return _refused(code)
    return CaptivePortal("Something answers at this address, but no sync server: check the address.")


def refusal(code: str, status: int = 0, after: float | None = None) -> SyncError | None:
    """What a server's own code means: an SQLSTATE, PostgREST's or GoTrue's. None when the code says nothing."""
    if code in DEFINITIVE:
        return SessionOver("The server has ended this login: sign in again; nothing here is lost.")
    if code == _GONE:
        return AccountGone(
            "This account was deleted on its server: what is here stays; sign in to another one."
        )
    if code in _ELSEWHERE:
        return Unreachable("The server does not go by this address: check it, or sign in at its right one.")
    if code in _NO_SUCH_FUNCTION:
        return UnknownFunction(_OLDER)
    if code in _UPDATE:
        return UpdateNeeded(_OLDER)
    if _QUOTA.fullmatch(code):
        return quota_exceeded(after)
    if _PATIENCE.fullmatch(code):
        return RetryLater("The server is busy: try again in a while; nothing is lost.", after)
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


def quota_exceeded(after: float | None) -> QuotaExceeded:
    """The server has no room left for this account."""
    return QuotaExceeded(
        "The server has no room left: ask who runs it, or delete what you do not need there; nothing is lost.",
        after,
    )


def proxy_wants_login() -> Unreachable:
    """A proxy on the way lets nobody through without a name and a password."""
    return Unreachable("The proxy of this network wants a login: write name and password into HTTPS_PROXY.")


def not_the_server() -> CaptivePortal:
    """Something else than a sync server answers here."""
    return CaptivePortal(
        "A page answers instead of the server: sign in to the network in a browser, or check the address."
    )


def unreadable() -> UpdateNeeded:
    """The server answers in JSON, but not in the shape that this version knows."""
    return UpdateNeeded("The server answers in a way that this version cannot read: update Homing.")


def _refused(code: str) -> Refused:
    return Refused(f"The server refuses this ({code}): look this code up, or ask who runs the server.", code)


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
        if isinstance(value, str) and CODE.fullmatch(value):
            return value
    return None
