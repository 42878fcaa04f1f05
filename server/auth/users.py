"""People: the rows of auth.users."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from server.database import Pool

USER_COLUMNS: Final = """
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


class EmailTaken(Exception):
    """Somebody else has that address."""


class UnstorableMetadata(Exception):
    """PostgreSQL cannot hold the user's metadata."""


class Users:
    """All that auth asks of the database about people."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, email: str, password_hash: str | None, metadata: Mapping[str, object]) -> User:
        """Makes a user with a confirmed address. Raises EmailTaken, UnstorableMetadata."""
        async with self._users() as cursor, _refusals():
            await cursor.execute(_ADD, (uuid.uuid4(), email, password_hash, Jsonb(metadata)))
            return await _one(cursor)

    async def by_email(self, email: str) -> User | None:
        """Who has this address."""
        async with self._users() as cursor:
            await cursor.execute(_BY_EMAIL, (email,))
            return await cursor.fetchone()

    async def by_id(self, user_id: uuid.UUID) -> User | None:
        """Who this is."""
        async with self._users() as cursor:
            await cursor.execute(_BY_ID, (user_id,))
            return await cursor.fetchone()

    async def password_of(self, user_id: uuid.UUID) -> str | None:
        """The kept hash of a password."""
        async with self._pool.connection() as db:
            found = await db.execute("select encrypted_password from auth.users where id = %s", (user_id,))
            row = await found.fetchone()
            return row[0] if row else None

    async def set_metadata(self, user_id: uuid.UUID, metadata: Mapping[str, object]) -> None:
        """Replaces the metadata. Raises UnstorableMetadata."""
        async with self._pool.connection() as db, _refusals():
            await db.execute(
                "update auth.users set raw_user_meta_data = %s, updated_at = now() where id = %s",
                (Jsonb(metadata), user_id),
            )

    async def set_password(self, user_id: uuid.UUID, password_hash: str, kept: uuid.UUID) -> list[uuid.UUID]:
        """Replaces the password and ends all that the old one or a mail began but the session `kept`; gives what ended."""
        async with self._pool.connection() as db, db.transaction():
            changed = await db.execute(
                "update auth.users set encrypted_password = %s, updated_at = now() where id = %s returning email",
                (password_hash, user_id),
            )
            row = await changed.fetchone()
            await _forget_proofs(db, user_id, row[0] if row else None)
            ended = await db.execute(
                "delete from auth.sessions where user_id = %s and id <> %s returning id", (user_id, kept)
            )
            return [each[0] for each in await ended.fetchall()]

    async def set_email(self, user_id: uuid.UUID, email: str) -> User:
        """Gives the user another address, and ends what a mail to the old one began. Raises EmailTaken."""
        async with self._users() as cursor, _refusals(), cursor.connection.transaction():
            await cursor.execute(_BY_ID + b" for update", (user_id,))
            await _forget_proofs(cursor.connection, user_id, (await _one(cursor)).email)
            await cursor.execute(_SET_EMAIL, (email, user_id))
            return await _one(cursor)

    @asynccontextmanager
    async def _users(self) -> "AsyncIterator[psycopg.AsyncCursor[User]]":
        async with self._pool.connection() as db, db.cursor(row_factory=class_row(User)) as cursor:
            yield cursor


async def _forget_proofs(db: psycopg.AsyncConnection, user_id: uuid.UUID, email: str | None) -> None:
    await db.execute("delete from auth.one_time_codes where user_id = %s or email = %s", (user_id, email))
    await db.execute("delete from auth.auth_codes where user_id = %s", (user_id,))


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation:
        raise EmailTaken from None
    except psycopg.DataError:
        raise UnstorableMetadata from None


async def _one(cursor: "psycopg.AsyncCursor[User]") -> User:
    user = await cursor.fetchone()
    assert user is not None
    return user


# The list of columns is a constant of this module.
_BY_EMAIL: Final = f"select {USER_COLUMNS} from auth.users where lower(email) = %s".encode()  # noqa: S608
_BY_ID: Final = f"select {USER_COLUMNS} from auth.users where id = %s".encode()  # noqa: S608
_ADD: Final = f"""
insert into auth.users (id, email, encrypted_password, email_confirmed_at, raw_user_meta_data)
values (%s, %s, %s, now(), %s) returning {USER_COLUMNS}""".encode()  # noqa: S608
_SET_EMAIL: Final = f"""
update auth.users set email = %s, email_confirmed_at = now(), updated_at = now() where id = %s
returning {USER_COLUMNS}""".encode()  # noqa: S608
