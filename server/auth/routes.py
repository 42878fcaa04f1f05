"""The routes of `/auth/v1`, assembled."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.answers import auth_answer
from server.auth.border import answering, guarded
from server.auth.brakes import Brakes
from server.auth.codes import Codes
from server.auth.courier import Courier
from server.auth.entrance import Entrance, OnEnd
from server.auth.flows import Flows
from server.auth.grants import Grants
from server.auth.passwords import Passwords
from server.auth.person import Person
from server.auth.proofs import Proofs
from server.auth.redirects import Redirects
from server.auth.sessions import Sessions
from server.auth.users import Users
from server.callers import Door
from server.database import Pool
from server.settings import Settings
from server.tokens import Tokens

_PATH = "/auth/v1"


@contextmanager
def auth_routes(
    pool: Pool, door: Door, tokens: Tokens, settings: Settings, *, url: str, on_end: OnEnd
) -> Iterator[list[Route]]:
    """The routes, while their threads live. `url` is how clients reach the server; links in mails lead there."""
    users, sessions, flows, codes = (
        Users(pool),
        Sessions(pool, tokens.digests),
        Flows(pool),
        Codes(pool, tokens.digests),
    )
    brakes, redirects = Brakes(settings.rates), Redirects(url, settings.names)
    grants = Grants(users, sessions, tokens)
    with closing(Passwords()) as passwords, closing(Courier(settings.mail)) as courier:
        entrance = Entrance(users, sessions, flows, grants, tokens, passwords, brakes, on_end)
        proofs = Proofs(users, codes, flows, grants, courier, brakes, redirects, url)
        person = Person(door, users, sessions, codes, proofs, passwords, brakes, redirects, on_end)
        yield [
            Route(f"{_PATH}/health", guarded(door, _health)),
            Route(f"{_PATH}/settings", guarded(door, _settings)),
            Route(f"{_PATH}/signup", guarded(door, entrance.sign_up), methods=["POST"]),
            Route(f"{_PATH}/token", guarded(door, entrance.token), methods=["POST"]),
            Route(f"{_PATH}/otp", guarded(door, proofs.otp), methods=["POST"]),
            Route(f"{_PATH}/recover", guarded(door, proofs.recover), methods=["POST"]),
            Route(f"{_PATH}/verify", guarded(door, proofs.verify), methods=["POST"]),
            # Followed from a mail, by a browser that has no key to send.
            Route(f"{_PATH}/verify", answering(proofs.follow), methods=["GET"]),
            Route(f"{_PATH}/user", guarded(door, person.show), methods=["GET"]),
            Route(f"{_PATH}/user", guarded(door, person.change), methods=["PUT"]),
            Route(f"{_PATH}/reauthenticate", guarded(door, person.reauthenticate), methods=["GET", "POST"]),
            Route(f"{_PATH}/logout", guarded(door, person.logout), methods=["POST"]),
        ]


async def _health(_: Request) -> Response:
    """What GoTrue says of itself."""
    return auth_answer(
        {"name": "GoTrue", "version": "homing", "description": "Homing's auth for one machine"}
    )


async def _settings(_: Request) -> Response:
    """Which ways of signing in there are."""
    return auth_answer(
        {
            "external": {"email": True, "phone": False, "anonymous_users": False},
            "disable_signup": False,
            "mailer_autoconfirm": True,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
        }
    )
