"""`/otp`, `/recover` and `/verify`: the ways to a session for who reads the mail of an address."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.answers import auth_answer
from server.auth import fields
from server.auth.border import Refused, meaning_of
from server.auth.brakes import Brakes
from server.auth.codes import LINK_OF_PKCE, Codes, Purpose, Wish
from server.auth.courier import Courier, Letter
from server.auth.flows import Flows
from server.auth.grants import Grants, banned
from server.auth.redirects import Redirects, with_fragment, with_query
from server.auth.sessions import Means
from server.auth.users import EmailTaken, User, Users

_PURPOSES: Final = {
    "email": Purpose.SIGN_IN,
    "magiclink": Purpose.SIGN_IN,
    "signup": Purpose.SIGN_IN,
    "recovery": Purpose.RECOVERY,
    "email_change": Purpose.EMAIL_CHANGE,
}
_TYPES: Final = {
    Purpose.SIGN_IN: "magiclink",
    Purpose.RECOVERY: "recovery",
    Purpose.EMAIL_CHANGE: "email_change",
}
_REASONS: Final = {
    Purpose.SIGN_IN: "to sign in",
    Purpose.RECOVERY: "to choose a new password",
    Purpose.REAUTHENTICATION: "to confirm that it is you",
}


class Proofs:
    """The endpoints. Nothing that they answer, and no time that they take, tells who has an account."""

    def __init__(
        self,
        users: Users,
        codes: Codes,
        flows: Flows,
        grants: Grants,
        courier: Courier,
        brakes: Brakes,
        redirects: Redirects,
        url: str,
    ) -> None:
        self._users = users
        self._codes = codes
        self._flows = flows
        self._grants = grants
        self._courier = courier
        self._brakes = brakes
        self._redirects = redirects
        self._url = url

    async def otp(self, request: Request) -> Response:
        """Sends a code to sign in with, to a person who has an account or may make one by it."""
        given = await fields.body(request)
        wish = Wish(
            Purpose.SIGN_IN,
            fields.email(given),
            create_user=fields.flag(given, "create_user", default=True),
            user_metadata=fields.metadata(given),
            challenge=fields.challenge(given),
        )
        return await self._ask(request, wish)

    async def recover(self, request: Request) -> Response:
        """Sends a code to get in and choose a new password."""
        given = await fields.body(request)
        return await self._ask(
            request, Wish(Purpose.RECOVERY, fields.email(given), challenge=fields.challenge(given))
        )

    async def send(
        self, wish: Wish, target: str | None, reason: str | None = None, *, known: bool = True
    ) -> None:
        """Makes a code and brings it. To somebody unknown goes a letter without, in the same time."""
        secret = await self._codes.issue(wish)
        link = self._link(wish.purpose, secret.link, target) if target else None
        await self._courier.bring(
            Letter(wish.email, reason or _REASONS[wish.purpose], secret if known else None, link)
        )

    async def verify(self, request: Request) -> Response:
        """Takes a code, or the token of a link, for a session."""
        given = await fields.body(request)
        purpose = _purpose(fields.text(given, "type"))
        code, token_hash = fields.text(given, "token"), fields.text(given, "token_hash")
        if (code is None) == (token_hash is None):
            raise fields.invalid("Verify requires either a token or a token hash")
        if code is not None:
            email = fields.email(given)
            self._brakes.proof(request, email)
            wish = await self._codes.redeem(purpose, email, code)
        else:
            assert token_hash is not None
            self._brakes.proof(request)
            # What was asked for with a challenge is for the one who holds its verifier, and goes the way of a link.
            wish = (
                None if token_hash.startswith(LINK_OF_PKCE) else await self._codes.follow(purpose, token_hash)
            )
        return auth_answer(await self._grants.to(await self._proven(wish), _means(purpose)))

    async def follow(self, request: Request) -> Response:
        """Takes the link of a mail and leads on, with a session or an auth code or the reason why not."""
        if request.method == "HEAD":
            # Mail scanners look at a link before the person does.
            return Response(status_code=405)
        target = fields.redirect(request, self._redirects) or self._url
        token = request.query_params.get("token") or ""
        try:
            self._brakes.proof(request)
            purpose = _purpose(request.query_params.get("type"))
            wish = await self._codes.follow(purpose, token)
            user = await self._proven(wish)
            if wish is not None and wish.challenge is not None:
                code = await self._flows.begin(user.id, _means(purpose), wish.challenge)
                return _lead(with_query(target, {"code": code}))
            session = await self._grants.to(user, _means(purpose))
        except (Refused, EmailTaken) as error:
            return _lead(_with_refusal(target, meaning_of(error), pkce=token.startswith(LINK_OF_PKCE)))
        parts = {name: str(value) for name, value in session.items() if name != "user"}
        return _lead(with_fragment(target, {**parts, "type": _TYPES[purpose]}))

    async def _ask(self, request: Request, wish: Wish) -> Response:
        target = fields.redirect(request, self._redirects)
        self._brakes.mail(request, wish.email)
        known = wish.create_user or await self._users.by_email(wish.email) is not None
        await self.send(wish, target, known=known)
        return auth_answer({})

    async def _proven(self, wish: Wish | None) -> User:
        user = await self._user_of(wish) if wish else None
        if wish is None or user is None:
            raise Refused(403, "otp_expired", "Token has expired or is invalid")
        if user.banned:
            raise banned()
        if wish.purpose is Purpose.EMAIL_CHANGE:
            return await self._users.set_email(user.id, wish.email)
        return user

    async def _user_of(self, wish: Wish) -> User | None:
        if wish.user_id is not None:
            return await self._users.by_id(wish.user_id)
        user = await self._users.by_email(wish.email)
        if user is None and wish.create_user:
            try:
                return await self._users.add(wish.email, None, wish.user_metadata or {})
            except EmailTaken:
                return await self._users.by_email(wish.email)
        return user

    def _link(self, purpose: Purpose, token: str, target: str) -> str:
        query = urlencode({"token": token, "type": _TYPES[purpose], "redirect_to": target})
        return f"{self._url}/auth/v1/verify?{query}"


def _purpose(kind: str | None) -> Purpose:
    try:
        return _PURPOSES[kind or ""]
    except KeyError:
        raise fields.invalid("Verify requires a verification type: one of " + ", ".join(_PURPOSES)) from None


def _means(purpose: Purpose) -> Means:
    return Means.RECOVERY if purpose is Purpose.RECOVERY else Means.OTP


def _lead(target: str) -> Response:
    return RedirectResponse(target, 303)


def _with_refusal(target: str, refused: Refused, *, pkce: bool) -> str:
    parts = {"error": "access_denied", "error_code": refused.code, "error_description": refused.message}
    return with_fragment(with_query(target, parts) if pkce else target, parts)
