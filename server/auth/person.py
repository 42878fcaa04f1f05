"""`/user`, `/reauthenticate` and `/logout`: what somebody does who has a session."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from server.answers import auth_answer
from server.auth import fields
from server.auth.border import Refused
from server.auth.brakes import Brakes
from server.auth.codes import Codes, Purpose, Wish
from server.auth.entrance import OnEnd
from server.auth.grants import banned, describe
from server.auth.passwords import Passwords
from server.auth.proofs import Proofs
from server.auth.redirects import Redirects
from server.auth.sessions import Login, Scope, Sessions
from server.auth.users import User, Users
from server.callers import Door, bearer_of
from server.tokens import TokenRefused


class Person:
    """The endpoints."""

    def __init__(
        self,
        door: Door,
        users: Users,
        sessions: Sessions,
        codes: Codes,
        proofs: Proofs,
        passwords: Passwords,
        brakes: Brakes,
        redirects: Redirects,
        on_end: OnEnd,
    ) -> None:
        self._door = door
        self._users = users
        self._sessions = sessions
        self._codes = codes
        self._proofs = proofs
        self._passwords = passwords
        self._brakes = brakes
        self._redirects = redirects
        self._on_end = on_end

    async def show(self, request: Request) -> Response:
        """The user behind the access token, while the session lasts."""
        user, _ = await self._caller(request)
        return auth_answer(describe(user))

    async def change(self, request: Request) -> Response:
        """Changes the password and the metadata at once, and the address once a code has come back from it."""
        user, login = await self._caller(request)
        given = await fields.body(request)
        if given.get("app_metadata") is not None:
            raise Refused(403, "not_admin", "Updating app_metadata requires admin privileges")
        email = fields.email(given) if given.get("email") else user.email
        password = fields.new_password(given) if given.get("password") is not None else None
        changes, challenge = fields.metadata(given), fields.challenge(given)
        target = fields.redirect(request, self._redirects)
        if email != user.email:
            self._brakes.mail(request, email)
        if password is not None:
            await self._change_password(request, user, login, given, password)
        if changes:
            await self._users.set_metadata(user.id, fields.bounded(_merged(user.user_metadata, changes)))
        pending: dict[str, object] = {}
        if email != user.email:
            wish = Wish(Purpose.EMAIL_CHANGE, email, user.id, challenge=challenge)
            await self._proofs.send(wish, target, f"to make this the address of the account of {user.email}")
            pending = {"new_email": email, "email_change_sent_at": datetime.now(UTC).isoformat()}
        return auth_answer({**describe(await self._users.by_id(user.id) or user), **pending})

    async def reauthenticate(self, request: Request) -> Response:
        """Sends a code that stands for a fresh sign-in."""
        user, _ = await self._caller(request)
        self._brakes.mail(request, user.email)
        await self._proofs.send(Wish(Purpose.REAUTHENTICATION, user.email, user.id), None)
        return auth_answer({})

    async def logout(self, request: Request) -> Response:
        """Ends this session, the user's other ones, or all."""
        try:
            scope = Scope(request.query_params.get("scope") or Scope.GLOBAL)
        except ValueError:
            raise fields.invalid("scope must be local, global or others") from None
        self._on_end(await self._sessions.end(self._claimed(request)[1], scope))
        return Response(status_code=204)

    async def _change_password(
        self, request: Request, user: User, login: Login, given: Mapping[str, object], password: str
    ) -> None:
        kept = await self._users.password_of(user.id)
        if not login.young:
            await self._confirm(request, user, given, kept)
        # Whoever took over a session learns here whether a guess is the password.
        self._brakes.password(request, user.email)
        if await self._passwords.matches(kept, password):
            raise Refused(422, "same_password", "New password should be different from the old password.")
        self._brakes.password_was_right(request, user.email)
        hashed = await self._passwords.hash(password)
        self._on_end(await self._users.set_password(user.id, hashed, login.id))

    async def _confirm(
        self, request: Request, user: User, given: Mapping[str, object], kept: str | None
    ) -> None:
        if (nonce := fields.text(given, "nonce")) is not None:
            self._brakes.proof(request, user.email)
            if await self._codes.redeem(Purpose.REAUTHENTICATION, user.email, nonce, user.id) is None:
                raise Refused(422, "reauthentication_not_valid", "Nonce has expired or is invalid")
        elif fields.text(given, "current_password") is not None:
            self._brakes.password(request, user.email)
            if not await self._passwords.matches(kept, fields.password(given, "current_password")):
                raise Refused(400, "current_password_invalid", "The current password is wrong")
        else:
            raise Refused(
                400,
                "reauthentication_needed",
                "Password update requires reauthentication: sign in again, or send a nonce or the current password",
            )

    async def _caller(self, request: Request) -> tuple[User, Login]:
        user_id, session_id = self._claimed(request)
        user = await self._users.by_id(user_id)
        if user is None:
            raise Refused(403, "user_not_found", "User from sub claim in JWT does not exist")
        login = await self._sessions.find(session_id)
        if login is None or login.user_id != user_id:
            raise Refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        if user.banned:
            raise banned()
        return user, login

    def _claimed(self, request: Request) -> tuple[uuid.UUID, uuid.UUID]:
        """The user and the session that the token speaks of."""
        bearer = bearer_of(request.headers.get("authorization"))
        if bearer is None or self._door.knows(bearer):
            raise Refused(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            caller = self._door.caller(bearer)
        except TokenRefused as refused:
            raise Refused(403, "bad_jwt", f"invalid JWT: {refused}") from None
        assert caller.user_id is not None
        assert caller.session_id is not None
        return caller.user_id, caller.session_id


def _merged(kept: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    merged = {**kept, **changes}
    return {name: value for name, value in merged.items() if value is not None}
