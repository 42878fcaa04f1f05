"""Sessions and the rotation of their refresh tokens: the rows of auth.sessions."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
from psycopg.rows import class_row

from server.database import Pool
from server.tokens import Digests, RefreshToken

_REUSE_SECONDS: Final = 10
_YOUNG_SECONDS: Final = 24 * 3600
_WHICH_KEY: Final = b"refresh tokens of sessions"
# Whoever moves a server may bring its keys later than its database.
_KEPT_DAYS: Final = 90


class Means(StrEnum):
    """How a session began, as the claim `amr` tells it."""

    PASSWORD = "password"  # noqa: S105  # no password but the word
    OTP = "otp"
    RECOVERY = "recovery"


@dataclass(frozen=True)
class Login:
    """A session that has not ended. It is young for a day, in which the person just showed who they are."""

    id: uuid.UUID
    user_id: uuid.UUID
    means: str
    young: bool


class Scope(StrEnum):
    """Which of a user's sessions a sign-out ends."""

    LOCAL = "local"
    GLOBAL = "global"
    OTHERS = "others"


class Unrefreshable(StrEnum):
    """Why a refresh token gives no new session; the values are GoTrue's error codes."""

    NOT_FOUND = "refresh_token_not_found"
    ALREADY_USED = "refresh_token_already_used"
    BANNED = "user_banned"


class Sessions:
    """All that auth asks of the database about sessions."""

    def __init__(self, pool: Pool, digests: Digests) -> None:
        self._pool = pool
        self._digests = digests

    async def begin(self, user_id: uuid.UUID, means: Means) -> RefreshToken:
        """A new session, named by its first refresh token.

        It takes the place of those of the user that nobody used for long and whose key was replaced: their refresh
        tokens count no longer.
        """
        session = uuid.uuid4()
        present, *older = self._digests(_WHICH_KEY)
        async with self._pool.connection() as db:
            await db.execute(
                """
                with seen as (update auth.users set last_sign_in_at = now(), updated_at = now() where id = %(user)s),
                dead as (
                  delete from auth.sessions where user_id = %(user)s and signed_by <> all (%(honoured)s)
                    and coalesce(refreshed_at, created_at) < now() - make_interval(days => %(kept)s))
                insert into auth.sessions (id, user_id, refresh_counter, means, signed_by)
                values (%(session)s, %(user)s, 1, %(means)s, %(present)s)""",
                {
                    "session": session,
                    "user": user_id,
                    "means": means,
                    "present": present,
                    "honoured": [present, *older],
                    "kept": _KEPT_DAYS,
                },
            )
        return RefreshToken(session, 1)

    async def find(self, session_id: uuid.UUID) -> Login | None:
        """A session that has not ended."""
        async with self._pool.connection() as db, db.cursor(row_factory=class_row(Login)) as cursor:
            await cursor.execute(
                "select id, user_id, means, created_at > now() - make_interval(secs => %s) as young"
                " from auth.sessions where id = %s",
                (_YOUNG_SECONDS, session_id),
            )
            return await cursor.fetchone()

    async def rotate(self, presented: RefreshToken) -> RefreshToken | Unrefreshable:
        """The active refresh token of the session after `presented` was shown.

        The active token is replaced by the next one. Its parent gives the active one again at any time, and
        so does any token that was replaced less than ten seconds ago: the answer may have been lost, or two
        windows asked at once. Any other reuse is theft, and ends the session.
        """
        async with self._pool.connection() as db, db.transaction():
            found = await db.execute(
                """
                select refresh_counter, coalesce(users.banned_until > now(), false) from auth.sessions
                join auth.users on users.id = sessions.user_id
                where sessions.id = %s for update of sessions""",
                (presented.session_id,),
            )
            row = await found.fetchone()
            if row is None:
                return Unrefreshable.NOT_FOUND
            active, banned = row
            if banned:
                return Unrefreshable.BANNED
            key = self._digests(_WHICH_KEY)[0]
            if presented.counter >= active:
                return await _advance(db, presented, key)
            if presented.counter == active - 1 or await _fresh(db, presented):
                await db.execute(
                    "update auth.sessions set signed_by = %s where id = %s", (key, presented.session_id)
                )
                return RefreshToken(presented.session_id, active)
            await db.execute("delete from auth.sessions where id = %s", (presented.session_id,))
            return Unrefreshable.ALREADY_USED

    async def end(self, session_id: uuid.UUID, scope: Scope) -> list[uuid.UUID]:
        """Ends sessions of the user of this one; gives those that ended."""
        async with self._pool.connection() as db:
            ended = await db.execute(
                """
                delete from auth.sessions as gone using auth.sessions as own
                where own.id = %(session)s and gone.user_id = own.user_id and case %(scope)s
                  when 'local' then gone.id = own.id when 'others' then gone.id <> own.id else true end
                returning gone.id""",
                {"session": session_id, "scope": scope},
            )
            return [row[0] for row in await ended.fetchall()]


async def _advance(db: psycopg.AsyncConnection, presented: RefreshToken, key: bytes) -> RefreshToken:
    # A counter above the kept one was signed by us too: the database was restored from an older backup.
    replaced = presented.counter
    await db.execute(
        "update auth.sessions set refresh_counter = %s, refreshed_at = now(), signed_by = %s where id = %s",
        (replaced + 1, key, presented.session_id),
    )
    await db.execute(
        "delete from auth.refresh_tokens where session_id = %s and replaced_at < now() - make_interval(secs => %s)",
        (presented.session_id, _REUSE_SECONDS),
    )
    await db.execute(
        "insert into auth.refresh_tokens (session_id, counter, replaced_at) values (%s, %s, now())"
        " on conflict (session_id, counter) do update set replaced_at = excluded.replaced_at",
        (presented.session_id, replaced),
    )
    return RefreshToken(presented.session_id, replaced + 1)


async def _fresh(db: psycopg.AsyncConnection, presented: RefreshToken) -> bool:
    found = await db.execute(
        "select from auth.refresh_tokens where session_id = %s and counter = %s"
        " and replaced_at >= now() - make_interval(secs => %s)",
        (presented.session_id, presented.counter, _REUSE_SECONDS),
    )
    return await found.fetchone() is not None
