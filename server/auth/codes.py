"""One-time codes and links: proof that somebody reads the mail of an address."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from server.auth.flows import Challenge, Method
from server.database import Pool
from server.tokens import Digests

CODE_MINUTES: Final = 10
LINK_OF_PKCE: Final = "pkce_"

_TRIES: Final = 5


class Purpose(StrEnum):
    """What a code is good for, and nothing else."""

    SIGN_IN = "sign_in"
    RECOVERY = "recovery"
    EMAIL_CHANGE = "email_change"
    REAUTHENTICATION = "reauthentication"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a code shall prove: `email` is where it goes, `user_id` whose account it is for when that is not its."""

    purpose: Purpose
    email: str
    user_id: uuid.UUID | None = None
    create_user: bool = False
    user_metadata: Mapping[str, object] | None = None
    challenge: Challenge | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """What goes to the person: a code to type, or a link to follow."""

    code: str
    link: str


@dataclass(frozen=True)
class _Row:
    id: uuid.UUID
    purpose: str
    email: str
    user_id: uuid.UUID | None
    create_user: bool
    user_metadata: Mapping[str, object]
    challenge: str | None
    method: str | None
    code_digest: bytes

    def wish(self) -> Wish:
        """What the code was asked for."""
        challenge = Challenge(self.challenge, Method(self.method)) if self.challenge and self.method else None
        return Wish(
            Purpose(self.purpose), self.email, self.user_id, self.create_user, self.user_metadata, challenge
        )


class Codes:
    """Codes of ten minutes and five tries, each for one use. A new one replaces the old of the same purpose."""

    def __init__(self, pool: Pool, digests: Digests) -> None:
        self._pool = pool
        self._digests = digests

    async def issue(self, wish: Wish) -> Secret:
        """A new code; only digests of it are kept."""
        code = f"{secrets.randbelow(1_000_000):06}"
        link = (LINK_OF_PKCE if wish.challenge else "") + secrets.token_urlsafe(32)
        async with self._pool.connection() as db:
            await _sweep(db)
            await db.execute(
                _ISSUE,
                {
                    "purpose": wish.purpose,
                    "email": wish.email,
                    "user_id": wish.user_id,
                    "create_user": wish.create_user,
                    "user_metadata": Jsonb(wish.user_metadata or {}),
                    "challenge": wish.challenge and wish.challenge.value,
                    "method": wish.challenge and wish.challenge.method,
                    "code_digest": self._digests(_text(wish.purpose, wish.email, code))[0],
                    "link_digest": _link_digest(link),
                    "tries": _TRIES,
                    "minutes": CODE_MINUTES,
                },
            )
        return Secret(code, link)

    async def redeem(
        self, purpose: Purpose, email: str, code: str, user_id: uuid.UUID | None = None
    ) -> Wish | None:
        """What the code proves, and its end; None when it is not the one, which costs a try."""
        shown = self._digests(_text(purpose, email, code))
        async with (
            self._pool.connection() as db,
            db.transaction(),
            db.cursor(row_factory=class_row(_Row)) as rows,
        ):
            await rows.execute(
                f"{_FIND} where purpose = %s and email = %s and (user_id = %s or %s::uuid is null) "
                "and tries_left > 0 and expires_at > now() order by id for update",
                (purpose, email, user_id, user_id),
            )
            candidates = await rows.fetchall()
            right = [
                row for row in candidates if any(hmac.compare_digest(each, row.code_digest) for each in shown)
            ]
            if not right:
                await db.execute(
                    "update auth.one_time_codes set tries_left = tries_left - 1 where id = any(%s)",
                    ([row.id for row in candidates],),
                )
                return None
            await _end(db, right[0])
            return right[0].wish()

    async def follow(self, purpose: Purpose, link: str) -> Wish | None:
        """What the link proves, and its end; None when there is no such link."""
        async with (
            self._pool.connection() as db,
            db.transaction(),
            db.cursor(row_factory=class_row(_Row)) as rows,
        ):
            await rows.execute(
                f"{_FIND} where purpose = %s and link_digest = %s and expires_at > now() for update",
                (purpose, _link_digest(link)),
            )
            row = await rows.fetchone()
            if row is None:
                return None
            await _end(db, row)
            return row.wish()


async def _end(db: psycopg.AsyncConnection, row: _Row) -> None:
    await db.execute("delete from auth.one_time_codes where id = %s", (row.id,))


async def _sweep(db: psycopg.AsyncConnection) -> None:
    await db.execute(
        "delete from auth.one_time_codes where id in (select id from auth.one_time_codes"
        " where expires_at < now() order by expires_at limit 100 for update skip locked)"
    )


def _text(purpose: Purpose, email: str, code: str) -> bytes:
    return f"{purpose} {email} {code}".encode("utf-8", "replace")


def _link_digest(link: str) -> bytes:
    return hashlib.sha256(link.encode("utf-8", "replace")).digest()


_FIND: Final = (
    "select id, purpose, email, user_id, create_user, user_metadata, challenge, method, code_digest"
    " from auth.one_time_codes"
)
_ISSUE: Final = """
insert into auth.one_time_codes (purpose, email, user_id, create_user, user_metadata, challenge, method,
  code_digest, link_digest, tries_left, expires_at)
values (%(purpose)s, %(email)s, %(user_id)s, %(create_user)s, %(user_metadata)s, %(challenge)s, %(method)s,
  %(code_digest)s, %(link_digest)s, %(tries)s, now() + make_interval(mins => %(minutes)s))
on conflict (purpose, email, user_id) do update set
  create_user = excluded.create_user, user_metadata = excluded.user_metadata, challenge = excluded.challenge,
  method = excluded.method, code_digest = excluded.code_digest, link_digest = excluded.link_digest,
  tries_left = excluded.tries_left, expires_at = excluded.expires_at
"""
