"""The fields of a request to auth, each read strictly and refused in GoTrue's words."""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from server.auth.border import Refused
from server.auth.flows import Challenge, Method
from server.auth.passwords import MAX_LENGTH, MIN_LENGTH
from server.auth.redirects import Redirects
from server.bodies import read_object

_BODY_BYTES: Final = 64 * 1024
_EMAIL_LENGTH: Final = 254
# Metadata travels in the access token, and that in a header of every request.
_METADATA_BYTES: Final = 8 * 1024
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


async def body(request: Request) -> dict[str, object]:
    """The JSON object that was sent."""
    return await read_object(request, _BODY_BYTES)


def text(given: Mapping[str, object], name: str) -> str | None:
    """A text, None when it is absent, null or empty."""
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be a text")
    return value or None


def flag(given: Mapping[str, object], name: str, *, default: bool) -> bool:
    """A boolean."""
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"{name} must be true or false")
    return default if value is None else value


def email(given: Mapping[str, object]) -> str:
    """An address in the one form in which it is kept. One that looks like another after normalising is refused."""
    address = given.get("email")
    if isinstance(address, str):
        address = address.strip().lower()
        name, at, domain = address.rpartition("@")
        plain = (
            len(address) <= _EMAIL_LENGTH
            and address.isprintable()
            and not set(address) & set(' "<>(),;:\\[]')
        )
        same = unicodedata.normalize("NFKC", address) == address
        if plain and same and name and at and domain and "@" not in name and all(domain.split(".")):
            return address
    raise invalid("Unable to validate email address: invalid format")


def password(given: Mapping[str, object], name: str = "password") -> str:
    """Any password that may be right."""
    typed = given.get(name)
    if isinstance(typed, str) and 0 < len(typed) <= MAX_LENGTH:
        return typed
    raise invalid(f"A password of at most {MAX_LENGTH} characters is required")


def new_password(given: Mapping[str, object]) -> str:
    """A password that may become one."""
    typed = password(given)
    if len(typed) < MIN_LENGTH:
        message = f"Password should be at least {MIN_LENGTH} characters."
        raise Refused(
            422, "weak_password", message, weak_password={"reasons": ["length"], "message": message}
        )
    return typed


def metadata(given: Mapping[str, object]) -> dict[str, object]:
    """What a person's account shall hold beside the address."""
    data = given.get("data")
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise invalid("data must be an object")
    return bounded(data)


def bounded(data: dict[str, object]) -> dict[str, object]:
    """The same metadata, unless it is too much for a token."""
    if len(json.dumps(data)) > _METADATA_BYTES:
        raise invalid(f"data must be at most {_METADATA_BYTES} bytes of JSON")
    return data


def challenge(given: Mapping[str, object]) -> Challenge | None:
    """The challenge of PKCE, None when the client does without."""
    value, method = text(given, "code_challenge"), text(given, "code_challenge_method")
    if value is None and method is None:
        return None
    if value is None or method is None:
        raise invalid("PKCE flow requires code_challenge_method and code_challenge")
    if not _CHALLENGE.fullmatch(value):
        raise invalid(
            "code challenge has to be 43 to 128 letters, digits, hyphens, periods, underscores or tildes"
        )
    try:
        return Challenge(value, Method(method.lower()))
    except ValueError:
        raise invalid("code_challenge_method must be s256 or plain") from None


def redirect(request: Request, redirects: Redirects) -> str | None:
    """Where the link in a mail shall lead."""
    target = request.query_params.get("redirect_to") or None
    if target is not None and not redirects.allows(target):
        raise invalid(
            "redirect_to is not allowed: use this server, this machine, or a name that the server knows"
        )
    return target


def invalid(message: str) -> Refused:
    """The refusal of a field."""
    return Refused(400, "validation_failed", message)
