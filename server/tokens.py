"""Access tokens (JWT, HS256, one hour) and refresh tokens, made and checked without the database."""

import base64
import hashlib
import hmac
import json
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import jwt

ACCESS_SECONDS: Final = 3600
AUDIENCE: Final = "authenticated"
USER_ROLE: Final = "authenticated"
ANON_ROLE: Final = "anon"

_ALGORITHM: Final = "HS256"
_ACCESS_LENGTH: Final = 32 * 1024
_SIGNATURE_BYTES: Final = 16
_REFRESH_PURPOSE: Final = b"homing refresh tokens"
_CODE_PURPOSE: Final = b"homing one-time codes"
_REFRESH_BODY: Final = struct.Struct(">16sQ")


Digests = Callable[[bytes], Sequence[bytes]]
"""Keyed digests of a text: the first to keep, any of them to recognise it by."""


class Refusal(Enum):
    """Why an access token does not count."""

    EXPIRED = "expired"
    INVALID = "invalid"
    ENDED = "ended"


class TokenRefused(Exception):
    """The access token does not count; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True)
class Caller:
    """Who asks. `claims` is the JSON that SQL reads as request.jwt.claims; `expires_at` is in Unix seconds."""

    role: str
    claims: str
    user_id: uuid.UUID | None = None
    session_id: uuid.UUID | None = None
    expires_at: float | None = None


ANON: Final = Caller(role=ANON_ROLE, claims=json.dumps({"role": ANON_ROLE}))


@dataclass(frozen=True)
class RefreshToken:
    """The `counter`-th refresh token of a session; the highest one issued is the active one."""

    session_id: uuid.UUID
    counter: int


class Tokens:
    """Makes and checks the tokens of one server.

    A refresh token is its session and counter, signed: it can be told again to a client that lost the
    answer, and no table holds anything that a thief of the database could present.
    """

    def __init__(self, secret: bytes, issuer: str) -> None:
        self._issuer = issuer
        self.use(secret)

    def use(self, secret: bytes, older: Iterable[bytes] = ()) -> None:
        """Signs with `secret` from now on; what an older one signed still counts, what others signed no longer."""
        self._secrets = (secret, *older)
        self._refresh_keys = [hmac.digest(each, _REFRESH_PURPOSE, "sha256") for each in self._secrets]
        self._code_keys = [hmac.digest(each, _CODE_PURPOSE, "sha256") for each in self._secrets]

    def access(
        self,
        user_id: uuid.UUID,
        email: str,
        session_id: uuid.UUID,
        now: float,
        *,
        app_metadata: Mapping[str, object],
        user_metadata: Mapping[str, object],
        means: str = "password",
    ) -> tuple[str, int]:
        """A signed access token, and the Unix second at which it expires. `means` is how the session began."""
        issued_at = int(now)
        expires_at = issued_at + ACCESS_SECONDS
        claims = {
            "iss": self._issuer,
            "sub": str(user_id),
            "aud": AUDIENCE,
            "role": USER_ROLE,
            "exp": expires_at,
            "iat": issued_at,
            "email": email,
            "phone": "",
            "app_metadata": dict(app_metadata),
            "user_metadata": dict(user_metadata),
            "aal": "aal1",
            "amr": [{"method": means, "timestamp": issued_at}],
            "session_id": str(session_id),
            "is_anonymous": False,
        }
        return jwt.encode(claims, self._secrets[0], algorithm=_ALGORITHM), expires_at

    def caller(self, access_token: str) -> Caller:
        """Who holds this token; TokenRefused when it is not ours, not for a user, or over."""
        try:
            claims = self._claims(access_token)
            if claims["role"] != USER_ROLE:
                raise TokenRefused(Refusal.INVALID)
            return Caller(
                role=USER_ROLE,
                claims=json.dumps(claims),
                user_id=uuid.UUID(claims["sub"]),
                session_id=uuid.UUID(claims["session_id"]),
                expires_at=float(claims["exp"]),
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused(Refusal.EXPIRED) from None
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
            raise TokenRefused(Refusal.INVALID) from None

    def _claims(self, access_token: str) -> dict[str, Any]:
        if len(access_token) > _ACCESS_LENGTH:
            raise TokenRefused(Refusal.INVALID)
        for secret in self._secrets:
            with suppress(jwt.InvalidSignatureError):
                return jwt.decode(
                    access_token,
                    secret,
                    algorithms=[_ALGORITHM],
                    audience=AUDIENCE,
                    issuer=self._issuer,
                    options={"require": ["exp", "iat", "iss", "sub", "role", "session_id"]},
                )
        raise TokenRefused(Refusal.INVALID)

    def refresh(self, token: RefreshToken) -> str:
        """The text of a refresh token; the same token always has the same text."""
        body = _REFRESH_BODY.pack(token.session_id.bytes, token.counter)
        return base64.urlsafe_b64encode(body + _sign(self._refresh_keys[0], body)).decode("ascii")

    def parse_refresh(self, text: str) -> RefreshToken | None:
        """The refresh token that this server wrote as `text`, None for anything else."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            body = raw[:-_SIGNATURE_BYTES]
            session, counter = _REFRESH_BODY.unpack(body)
        except (ValueError, struct.error):
            return None
        if not any(
            hmac.compare_digest(raw[-_SIGNATURE_BYTES:], _sign(key, body)) for key in self._refresh_keys
        ):
            return None
        return RefreshToken(uuid.UUID(bytes=session), counter)

    def digests(self, text: bytes) -> list[bytes]:
        """Digests that only this server can make of a text: by the present secret, then by the older ones."""
        return [hmac.digest(key, text, "sha256") for key in self._code_keys]


def _sign(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
