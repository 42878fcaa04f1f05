"""What every call under `/rest/v1` goes through: the key, the schema, the caller, and one form of failure."""

from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from server import answers
from server.bodies import BodyTooLarge, BodyTooSlow
from server.callers import Door, bearer_of
from server.shares import NoRoom
from server.tokens import Caller, Refusal, TokenRefused

_SCHEMA: Final = "public"
_TOKEN_FAULTS: Final = {
    Refusal.EXPIRED: ("PGRST303", "JWT expired"),
    Refusal.INVALID: ("PGRST301", "JWT could not be verified"),
    Refusal.ENDED: ("PGRST301", "The session has ended"),
}


class Refused(Exception):
    """The call ends here, with this response."""

    def __init__(self, response: Response) -> None:
        self.response = response


async def answer(door: Door, request: Request, handle: Callable[[Caller], Awaitable[Response]]) -> Response:
    """What `handle` answers to an admitted caller, or the error in PostgREST's form."""
    anonymous = True
    try:
        caller = _admit(door, request)
        anonymous = caller.user_id is None
        return await handle(caller)
    except Refused as refused:
        return refused.response
    except TokenRefused as refused:
        code, message = _TOKEN_FAULTS[refused.refusal]
        return answers.rest_error(401, code, message, hint="Refresh the session, or sign in again.")
    except BodyTooLarge:
        return answers.rest_error(413, "PT413", "The request is too large.", hint="Send less a call.")
    except BodyTooSlow:
        return answers.rest_error(
            408, "PT408", "The request did not arrive in time.", hint="Send it again, or send less a call."
        )
    except NoRoom:
        return answers.rest_error(
            503, "PT503", "Too many requests at once.", hint="Try again in a few seconds."
        )
    except PoolTimeout:
        return answers.unavailable()
    except psycopg.Error as error:
        return answers.database_error(error, anonymous=anonymous)


def _admit(door: Door, request: Request) -> Caller:
    if not door.knows(request.headers.get("apikey")):
        raise Refused(
            answers.rest_error(
                401, "PGRST301", "Invalid API key", hint="Send the server's publishable key as apikey."
            )
        )
    profile = request.headers.get("content-profile") or request.headers.get("accept-profile") or _SCHEMA
    if profile != _SCHEMA:
        raise Refused(
            answers.rest_error(
                406,
                "PGRST106",
                "The schema must be one of the following: public",
                hint="Send no profile header, or public.",
            )
        )
    return door.caller(bearer_of(request.headers.get("authorization")))
