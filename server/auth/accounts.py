"""Users, their sessions and the rotation of refresh tokens, in the tables of schema auth."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from server.database import Pool
from server.tokens import RefreshToken

_REUSE_SECONDS: Final = 10

_USER_COLUMNS: Final = """
users.id, users.email, users.created_at, users.updated_at, users.last_sign_in_at, users.email_confirmed_at,
users.raw_app_meta_data as app_metadata, users.raw_user_meta_data as user_metadata,
coalesce(users.banned_until > now(), false) as banned
"""


@dataclass(frozen=True)
class User:
    """A row of auth.users, without its password."""

    id: uuid.UUID
    email: str
    created_at: datetime
    updated_at: datetime
    last_sign_in_at: datetime | None
    email_confirmed_at: datetime | None
    app_metadata: Mapping[str, object]
    user_metadata: Mapping[str, object]
    banned: bool


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


class EmailTaken(Exception):
    """Somebody signed up with that address before."""


class UnstorableMetadata(Exception):
    """PostgreSQL cannot hold the user's metadata."""


class Accounts:
    """All that the auth routes ask of the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def sign_up(self, email: str, password_hash: str, metadata: object) -> User:
        """Makes a user with a confirmed address. Raises EmailTaken, UnstorableMetadata."""
        async with self._users() as cursor:
            try:
                await cursor.execute(
                    f"""
                    insert into auth.users (id, email, encrypted_password, email_confirmed_at, raw_user_meta_data)
                    values (%s, %s, %s, now(), %s)
                    returning {_USER_COLUMNS}""".encode(),  # noqa: S608  # a constant list of columns
                    (uuid.uuid4(), email, password_hash, Jsonb(metadata)),
                )
            except psycopg.errors.UniqueViolation:
                raise EmailTaken from None
            except psycopg.DataError:
                raise UnstorableMetadata from None
            user = await cursor.fetchone()
        assert user is not None
        return user

    async def by_email(self, email: str) -> tuple[User, str | None] | None:
        """A user and the kept hash of the password."""
        async with self._users() as cursor:
            await cursor.execute(
                f"select {_USER_COLUMNS} from auth.users where lower(email) = %s".encode(),  # noqa: S608  # as above
                (email,),
            )
            user = await cursor.fetchone()
            if user is None:
                return None
            kept = await cursor.connection.execute(
                "select encrypted_password from auth.users where id = %s", (user.id,)
            )
            row = await kept.fetchone()
        return user, row[0] if row else None

    async def begin_session(self, user_id: uuid.UUID) -> RefreshToken:
        """A new session, named by its first refresh token."""
        session = uuid.uuid4()
        async with self._pool.connection() as db:
            await db.execute(
                """
                with seen as (update auth.users set last_sign_in_at = now(), updated_at = now() where id = %(user)s)
                insert into auth.sessions (id, user_id, refresh_counter) values (%(session)s, %(user)s, 1)""",
                {"session": session, "user": user_id},
            )
        return RefreshToken(session, 1)

    async def user_of(self, session_id: uuid.UUID) -> User | None:
        """The user of a session that has not ended."""
        async with self._users() as cursor:
            await cursor.execute(
                f"""select {_USER_COLUMNS} from auth.users
                join auth.sessions on sessions.user_id = users.id where sessions.id = %s""".encode(),  # noqa: S608  # as above
                (session_id,),
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
            if presented.counter >= active:
                return await _advance(db, presented)
            if presented.counter == active - 1 or await _fresh(db, presented):
                return RefreshToken(presented.session_id, active)
            await db.execute("delete from auth.sessions where id = %s", (presented.session_id,))
            return Unrefreshable.ALREADY_USED

    async def end_sessions(self, session_id: uuid.UUID, scope: Scope) -> list[uuid.UUID]:
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

    @asynccontextmanager
    async def _users(self) -> "AsyncIterator[psycopg.AsyncCursor[User]]":
        async with self._pool.connection() as db, db.cursor(row_factory=class_row(User)) as cursor:
            yield cursor


async def _advance(db: psycopg.AsyncConnection, presented: RefreshToken) -> RefreshToken:
    # A counter above the kept one was signed by us too: the database was restored from an older backup.
    replaced = presented.counter
    await db.execute(
        "update auth.sessions set refresh_counter = %s, refreshed_at = now() where id = %s",
        (replaced + 1, presented.session_id),
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
