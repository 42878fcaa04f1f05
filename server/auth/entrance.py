"""`/signup` and `/token`: the ways to a session with something that the person or the client holds."""

import uuid
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from server.answers import auth_answer
from server.auth import fields
from server.auth.border import Refused
from server.auth.brakes import Brakes
from server.auth.flows import Flows, NoFlow
from server.auth.grants import Grants
from server.auth.passwords import Passwords
from server.auth.sessions import Means, Sessions, Unrefreshable
from server.auth.users import EmailTaken, Users
from server.tokens import Tokens

_UNREFRESHABLE = {
    Unrefreshable.NOT_FOUND: "Invalid Refresh Token: Refresh Token Not Found",
    Unrefreshable.ALREADY_USED: "Invalid Refresh Token: Already Used",
    Unrefreshable.BANNED: "Invalid Refresh Token: User Banned",
}
_NO_FLOW = {
    NoFlow.NOT_FOUND: (404, "flow_state_not_found", "invalid flow state, no valid flow state found"),
    NoFlow.EXPIRED: (422, "flow_state_expired", "invalid flow state, flow state has expired"),
    NoFlow.WRONG_VERIFIER: (
        400,
        "bad_code_verifier",
        "code challenge does not match previously saved code verifier",
    ),
}

OnEnd = Callable[[list[uuid.UUID]], None]
"""Hears which sessions ended, so that their sockets end too."""


class Entrance:
    """The endpoints."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        flows: Flows,
        grants: Grants,
        tokens: Tokens,
        passwords: Passwords,
        brakes: Brakes,
        on_end: OnEnd,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._flows = flows
        self._grants = grants
        self._tokens = tokens
        self._passwords = passwords
        self._brakes = brakes
        self._on_end = on_end

    async def sign_up(self, request: Request) -> Response:
        """Makes the user and begins a session."""
        given = await fields.body(request)
        email, password, metadata = fields.email(given), fields.new_password(given), fields.metadata(given)
        fields.challenge(given)
        self._brakes.sign_up(request)
        hashed = await self._passwords.hash(password)
        try:
            user = await self._users.add(email, hashed, metadata)
        except EmailTaken:
            raise Refused(422, "user_already_exists", "User already registered") from None
        return auth_answer(await self._grants.to(user, Means.PASSWORD))

    async def token(self, request: Request) -> Response:
        """Begins or renews a session, by `grant_type`."""
        match request.query_params.get("grant_type"):
            case "password":
                return await self._by_password(request)
            case "refresh_token":
                return await self._by_refresh_token(request)
            case "pkce":
                return await self._by_auth_code(request)
            case _:
                raise fields.invalid("unsupported_grant_type")

    async def _by_password(self, request: Request) -> Response:
        given = await fields.body(request)
        email, password = fields.email(given), fields.password(given)
        self._brakes.password(request, email)
        user = await self._users.by_email(email)
        kept = await self._users.password_of(user.id if user else uuid.UUID(int=0))
        right = await self._passwords.matches(kept, password)
        if not (user and right):
            raise Refused(400, "invalid_credentials", "Invalid login credentials")
        self._brakes.password_was_right(request, email)
        return auth_answer(await self._grants.to(user, Means.PASSWORD))

    async def _by_refresh_token(self, request: Request) -> Response:
        text = (await fields.body(request)).get("refresh_token")
        self._brakes.refresh(request)
        presented = self._tokens.parse_refresh(text) if isinstance(text, str) else None
        outcome = await self._sessions.rotate(presented) if presented else Unrefreshable.NOT_FOUND
        if isinstance(outcome, Unrefreshable):
            if presented and outcome is Unrefreshable.ALREADY_USED:
                self._on_end([presented.session_id])
            raise _unrefreshable(outcome)
        login = await self._sessions.find(outcome.session_id)
        user = await self._users.by_id(login.user_id) if login else None
        if login is None or user is None:
            raise _unrefreshable(Unrefreshable.NOT_FOUND)
        return auth_answer(self._grants.describe(user, outcome, login.means))

    async def _by_auth_code(self, request: Request) -> Response:
        given = await fields.body(request)
        code, verifier = fields.text(given, "auth_code"), fields.text(given, "code_verifier")
        if code is None or verifier is None:
            raise fields.invalid("invalid request: both auth code and code verifier should be non-empty")
        self._brakes.proof(request)
        outcome = await self._flows.finish(code, verifier)
        if isinstance(outcome, NoFlow):
            raise Refused(*_NO_FLOW[outcome])
        user_id, means = outcome
        return auth_answer(await self._grants.to_id(user_id, means))


def _unrefreshable(why: Unrefreshable) -> Refused:
    return Refused(400, why, _UNREFRESHABLE[why])
