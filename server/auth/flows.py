"""PKCE: auth codes that only the one who began can turn into a session."""

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from server.auth.sessions import Means
from server.database import Pool

_CODE_SECONDS: Final = 300


class Method(StrEnum):
    """How a challenge follows from its verifier: https://www.rfc-editor.org/rfc/rfc7636#section-4.2."""

    S256 = "s256"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the one who began has shown of the verifier."""

    value: str
    method: Method

    def fits(self, verifier: str) -> bool:
        """Whether the verifier is the one of this challenge."""
        shown = verifier.encode("utf-8", "replace")
        if self.method is Method.S256:
            shown = base64.urlsafe_b64encode(hashlib.sha256(shown).digest()).rstrip(b"=")
        return hmac.compare_digest(shown, self.value.encode())


class NoFlow(Enum):
    """Why an auth code gives no session."""

    NOT_FOUND = "not found"
    EXPIRED = "expired"
    WRONG_VERIFIER = "wrong verifier"


class Flows:
    """Auth codes of five minutes, each for one use, kept as hashes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, user_id: uuid.UUID, means: Means, challenge: Challenge) -> str:
        """A new auth code for somebody who proved to be the user."""
        code = str(uuid.UUID(bytes=secrets.token_bytes(16)))
        async with self._pool.connection() as db:
            await db.execute("delete from auth.auth_codes where expires_at < now() - interval '1 hour'")
            await db.execute(
                """
                insert into auth.auth_codes (digest, user_id, means, challenge, method, expires_at)
                values (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))""",
                (_digest(code), user_id, means, challenge.value, challenge.method, _CODE_SECONDS),
            )
        return code

    async def finish(self, code: str, verifier: str) -> tuple[uuid.UUID, Means] | NoFlow:
        """Whose code it was and how they proved it. A wrong verifier leaves the code to the right one."""
        async with self._pool.connection() as db, db.transaction():
            found = await db.execute(
                """
                select user_id, means, challenge, method, expires_at <= now()
                from auth.auth_codes where digest = %s for update""",
                (_digest(code),),
            )
            row = await found.fetchone()
            if row is None:
                return NoFlow.NOT_FOUND
            user_id, means, challenge, method, expired = row
            if expired:
                return NoFlow.EXPIRED
            if not Challenge(challenge, Method(method)).fits(verifier):
                return NoFlow.WRONG_VERIFIER
            await db.execute("delete from auth.auth_codes where digest = %s", (_digest(code),))
            return user_id, Means(means)


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
