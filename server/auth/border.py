"""The one place where the refusals and failures of auth become answers in GoTrue's form."""

from collections.abc import Awaitable, Callable

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from server.answers import auth_error
from server.auth.users import EmailTaken, UnstorableMetadata
from server.bodies import BodyTooLarge, BodyTooSlow, NotAnObject
from server.callers import Door
from server.mail import MailFailed

Handler = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """A refusal that is already put into words."""

    def __init__(self, status: int, code: str, message: str, *, wait: float = 0, **more: object) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.wait = wait
        self.more = more


_UNREACHABLE = Refused(503, "unexpected_failure", "The server's database is not reachable, try again")
_MEANINGS: dict[type[Exception], Refused] = {
    NotAnObject: Refused(400, "bad_json", "Could not parse request body as JSON: send one object"),
    BodyTooLarge: Refused(413, "request_too_large", "The request is too large"),
    BodyTooSlow: Refused(408, "request_timeout", "The request did not arrive in time"),
    EmailTaken: Refused(422, "email_exists", "A user with this email address has already been registered"),
    UnstorableMetadata: Refused(400, "validation_failed", "data cannot be stored"),
    MailFailed: Refused(
        500, "unexpected_failure", "The mail could not be sent: ask the person who runs this server"
    ),
    psycopg.OperationalError: _UNREACHABLE,
    PoolTimeout: _UNREACHABLE,
}
_KNOWN: tuple[type[Exception], ...] = (Refused, *_MEANINGS)


def guarded(door: Door, handler: Handler) -> Handler:
    """The handler behind the publishable key."""

    async def checked(request: Request) -> Response:
        if not door.knows(request.headers.get("apikey")):
            raise Refused(401, "invalid_api_key", "Invalid API key")
        return await handler(request)

    return answering(checked)


def answering(handler: Handler) -> Handler:
    """The handler with all that it may raise made answers."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except _KNOWN as error:
            refused = meaning_of(error)
        return auth_error(
            refused.status, refused.code, refused.message, extra=refused.more, retry_after=refused.wait
        )

    return endpoint


def meaning_of(error: Exception) -> Refused:
    """What a failure is to the one who asked."""
    if isinstance(error, Refused):
        return error
    return next(meaning for kind, meaning in _MEANINGS.items() if isinstance(error, kind))
