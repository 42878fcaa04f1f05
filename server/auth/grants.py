"""What a session is in an answer, and the user in it."""

import time
import uuid
from collections.abc import Callable, Mapping

from server.auth.border import Refused
from server.auth.sessions import Means, Sessions
from server.auth.users import User, Users
from server.tokens import ACCESS_SECONDS, USER_ROLE, RefreshToken, Tokens


class Grants:
    """Turns a proof of who somebody is into a session in GoTrue's form."""

    def __init__(
        self, users: Users, sessions: Sessions, tokens: Tokens, clock: Callable[[], float] = time.time
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._clock = clock

    async def to(self, user: User, means: Means) -> dict[str, object]:
        """A new session for the user, who must not be banned."""
        if user.banned:
            raise banned()
        return self.describe(user, await self._sessions.begin(user.id, means), means)

    async def to_id(self, user_id: uuid.UUID, means: Means) -> dict[str, object]:
        """A new session for the user with this id, who may be gone."""
        user = await self._users.by_id(user_id)
        if user is None:
            raise Refused(403, "user_not_found", "User does not exist")
        return await self.to(user, means)

    def describe(self, user: User, refresh: RefreshToken, means: str) -> dict[str, object]:
        """The session of a refresh token."""
        access, expires_at = self._tokens.access(
            user.id,
            user.email,
            refresh.session_id,
            self._clock(),
            app_metadata=user.app_metadata,
            user_metadata=user.user_metadata,
            means=means,
        )
        return {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": ACCESS_SECONDS,
            "expires_at": expires_at,
            "refresh_token": self._tokens.refresh(refresh),
            "user": describe(user),
        }


def banned() -> Refused:
    """The refusal of somebody whom the operator banned."""
    return Refused(400, "user_banned", "User is banned")


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
