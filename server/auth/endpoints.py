"""`/auth/v1`: sign-up, sign-in, refresh, user and sign-out in GoTrue's terms."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from server.answers import auth_answer, auth_error
from server.auth.accounts import Accounts, EmailTaken, Scope, Unrefreshable, UnstorableMetadata, User
from server.auth.passwords import MAX_LENGTH, MIN_LENGTH, GuessBrake, Passwords
from server.bodies import BodyTooLarge, BodyTooSlow, NotAnObject, read_object
from server.callers import Door, bearer_of
from server.tokens import ACCESS_SECONDS, USER_ROLE, Caller, RefreshToken, TokenRefused, Tokens

Handler = Callable[[Request], Awaitable[Response]]

_BODY_BYTES: Final = 64 * 1024
_EMAIL_LENGTH: Final = 254
_UNREFRESHABLE: Final = {
    Unrefreshable.NOT_FOUND: "Invalid Refresh Token: Refresh Token Not Found",
    Unrefreshable.ALREADY_USED: "Invalid Refresh Token: Already Used",
    Unrefreshable.BANNED: "Invalid Refresh Token: User Banned",
}


class _Refused(Exception):
    """A refusal that is already put into words."""

    def __init__(self, status: int, code: str, message: str, **more: object) -> None:
        super().__init__(code)
        self.answer = auth_error(status, code, message, extra=more)


class Auth:
    """The endpoints. `on_end` hears which sessions a sign-out ended."""

    def __init__(
        self,
        door: Door,
        accounts: Accounts,
        tokens: Tokens,
        passwords: Passwords,
        on_end: Callable[[list[uuid.UUID]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._tokens = tokens
        self._passwords = passwords
        self._on_end = on_end
        self._clock = clock
        self._brake = GuessBrake()

    def guarded(self, handler: Handler) -> Handler:
        """The handler behind the publishable key, its refusals and the database's failures made answers."""

        async def endpoint(request: Request) -> Response:
            try:
                if not self._door.knows(request.headers.get("apikey")):
                    raise _Refused(401, "invalid_api_key", "Invalid API key")
                return await handler(request)
            except _Refused as refused:
                return refused.answer
            except NotAnObject:
                return auth_error(400, "bad_json", "Could not parse request body as JSON: send one object")
            except BodyTooLarge:
                return auth_error(413, "request_too_large", "The request is too large")
            except BodyTooSlow:
                return auth_error(408, "request_timeout", "The request did not arrive in time")
            except (psycopg.OperationalError, PoolTimeout):
                return auth_error(
                    503, "unexpected_failure", "The server's database is not reachable, try again"
                )

        return endpoint

    async def health(self, _: Request) -> Response:
        """What GoTrue says of itself."""
        return auth_answer(
            {"name": "GoTrue", "version": "homing", "description": "Homing's auth for one machine"}
        )

    async def settings(self, _: Request) -> Response:
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

    async def sign_up(self, request: Request) -> Response:
        """Makes the user and begins a session."""
        given = await read_object(request, _BODY_BYTES)
        email, password = _email(given), _password(given)
        if len(password) < MIN_LENGTH:
            message = f"Password should be at least {MIN_LENGTH} characters."
            raise _Refused(
                422, "weak_password", message, weak_password={"reasons": ["length"], "message": message}
            )
        metadata = given.get("data") or {}
        if not isinstance(metadata, dict):
            raise _Refused(400, "validation_failed", "data must be an object")
        hashed = await self._passwords.hash(password)
        try:
            user = await self._accounts.sign_up(email, hashed, metadata)
        except EmailTaken:
            raise _Refused(422, "user_already_exists", "User already registered") from None
        except UnstorableMetadata:
            raise _Refused(400, "validation_failed", "data cannot be stored") from None
        return self._session(user, await self._accounts.begin_session(user.id))

    async def token(self, request: Request) -> Response:
        """Begins or renews a session, by `grant_type`."""
        match request.query_params.get("grant_type"):
            case "password":
                return await self._by_password(request)
            case "refresh_token":
                return await self._by_refresh_token(request)
            case _:
                raise _Refused(400, "validation_failed", "unsupported_grant_type")

    async def user(self, request: Request) -> Response:
        """The user behind the access token, while the session lasts."""
        user = await self._accounts.user_of(self._session_of(self._caller(request)))
        if user is None:
            raise _Refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return auth_answer(describe(user))

    async def logout(self, request: Request) -> Response:
        """Ends this session, the user's other ones, or all."""
        try:
            scope = Scope(request.query_params.get("scope", Scope.GLOBAL))
        except ValueError:
            raise _Refused(400, "validation_failed", "scope must be local, global or others") from None
        session = self._session_of(self._caller(request))
        self._on_end(await self._accounts.end_sessions(session, scope))
        return Response(status_code=204)

    async def _by_password(self, request: Request) -> Response:
        given = await read_object(request, _BODY_BYTES)
        email, password = _email(given), _password(given)
        address = request.client.host if request.client else ""
        if wait := self._brake.wait(address, email):
            return auth_error(
                429, "over_request_rate_limit", "Too many wrong passwords, wait a while", retry_after=wait
            )
        self._brake.tried(address, email)
        found = await self._accounts.by_email(email)
        right = await self._passwords.matches(found[1] if found else None, password)
        if not (found and right):
            raise _Refused(400, "invalid_credentials", "Invalid login credentials")
        self._brake.succeeded(address, email)
        if found[0].banned:
            raise _Refused(400, "user_banned", "User is banned")
        return self._session(found[0], await self._accounts.begin_session(found[0].id))

    async def _by_refresh_token(self, request: Request) -> Response:
        text = (await read_object(request, _BODY_BYTES)).get("refresh_token")
        presented = self._tokens.parse_refresh(text) if isinstance(text, str) else None
        outcome = await self._accounts.rotate(presented) if presented else Unrefreshable.NOT_FOUND
        if isinstance(outcome, Unrefreshable):
            if presented and outcome is Unrefreshable.ALREADY_USED:
                self._on_end([presented.session_id])
            raise _Refused(400, outcome, _UNREFRESHABLE[outcome])
        user = await self._accounts.user_of(outcome.session_id)
        if user is None:
            raise _Refused(400, Unrefreshable.NOT_FOUND, _UNREFRESHABLE[Unrefreshable.NOT_FOUND])
        return self._session(user, outcome)

    def _caller(self, request: Request) -> Caller:
        bearer = bearer_of(request.headers.get("authorization"))
        if bearer is None or self._door.knows(bearer):
            raise _Refused(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            return self._door.caller(bearer)
        except TokenRefused as refused:
            raise _Refused(403, "bad_jwt", f"invalid JWT: {refused}") from None

    def _session_of(self, caller: Caller) -> uuid.UUID:
        assert caller.session_id is not None
        return caller.session_id

    def _session(self, user: User, refresh: RefreshToken) -> Response:
        access, expires_at = self._tokens.access(
            user.id,
            user.email,
            refresh.session_id,
            self._clock(),
            app_metadata=user.app_metadata,
            user_metadata=user.user_metadata,
        )
        return auth_answer(
            {
                "access_token": access,
                "token_type": "bearer",
                "expires_in": ACCESS_SECONDS,
                "expires_at": expires_at,
                "refresh_token": self._tokens.refresh(refresh),
                "user": describe(user),
            }
        )


def describe(user: User) -> Mapping[str, object]:
    """A user in GoTrue's form."""
    created, updated = user.created_at.isoformat(), user.updated_at.isoformat()
    confirmed = user.email_confirmed_at.isoformat() if user.email_confirmed_at else None
    seen = user.last_sign_in_at.isoformat() if user.last_sign_in_at else created
    identity = {
        "id": str(user.id),
        "identity_id": str(uuid.uuid5(user.id, "email")),
        "user_id": str(user.id),
        "identity_data": {"sub": str(user.id), "email": user.email, "email_verified": confirmed is not None},
        "provider": "email",
        "email": user.email,
        "last_sign_in_at": seen,
        "created_at": created,
        "updated_at": created,
    }
    return {
        "id": str(user.id),
        "aud": USER_ROLE,
        "role": USER_ROLE,
        "email": user.email,
        "phone": "",
        "email_confirmed_at": confirmed,
        "confirmed_at": confirmed,
        "last_sign_in_at": seen,
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "identities": [identity],
        "created_at": created,
        "updated_at": updated,
        "is_anonymous": False,
    }


def _email(given: Mapping[str, object]) -> str:
    email = given.get("email")
    if isinstance(email, str):
        email = email.strip().lower()
        name, at, domain = email.rpartition("@")
        plain = len(email) <= _EMAIL_LENGTH and email.isprintable() and not set(email) & set(' "<>(),;:\\[]')
        if plain and name and at and domain and "@" not in name and all(domain.split(".")):
            return email
    raise _Refused(400, "validation_failed", "Unable to validate email address: invalid format")


def _password(given: Mapping[str, object]) -> str:
    password = given.get("password")
    if isinstance(password, str) and 0 < len(password) <= MAX_LENGTH:
        return password
    raise _Refused(400, "validation_failed", f"A password of at most {MAX_LENGTH} characters is required")
