"""Access tokens (JWT, HS256, one hour) and refresh tokens, made and checked without the database."""

import base64
import hashlib
import hmac
import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import jwt

ACCESS_SECONDS: Final = 3600
AUDIENCE: Final = "authenticated"
USER_ROLE: Final = "authenticated"
ANON_ROLE: Final = "anon"

_ALGORITHM: Final = "HS256"
_SIGNATURE_BYTES: Final = 16
_REFRESH_BODY: Final = struct.Struct(">16sQ")


class Refusal(Enum):
    """Why an access token does not count."""

    EXPIRED = "expired"
    INVALID = "invalid"


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
        self._secret = secret
        self._refresh_key = hmac.digest(secret, b"homing refresh tokens", "sha256")
        self._issuer = issuer

    def access(
        self,
        user_id: uuid.UUID,
        email: str,
        session_id: uuid.UUID,
        now: float,
        *,
        app_metadata: Mapping[str, object],
        user_metadata: Mapping[str, object],
    ) -> tuple[str, int]:
        """A signed access token, and the Unix second at which it expires."""
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
            "amr": [{"method": "password", "timestamp": issued_at}],
            "session_id": str(session_id),
            "is_anonymous": False,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM), expires_at

    def caller(self, access_token: str) -> Caller:
        """Who holds this token; TokenRefused when it is not ours, not for a user, or over."""
        try:
            claims = jwt.decode(
                access_token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["exp", "sub", "role", "session_id"]},
            )
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

    def refresh(self, token: RefreshToken) -> str:
        """The text of a refresh token; the same token always has the same text."""
        body = _REFRESH_BODY.pack(token.session_id.bytes, token.counter)
        return base64.urlsafe_b64encode(body + self._sign(body)).decode("ascii")

    def parse_refresh(self, text: str) -> RefreshToken | None:
        """The refresh token that this server wrote as `text`, None for anything else."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            body = raw[:-_SIGNATURE_BYTES]
            session, counter = _REFRESH_BODY.unpack(body)
        except (ValueError, struct.error):
            return None
        if not hmac.compare_digest(raw[-_SIGNATURE_BYTES:], self._sign(body)):
            return None
        return RefreshToken(uuid.UUID(bytes=session), counter)

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self._refresh_key, body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
