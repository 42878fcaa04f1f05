"""The gateway's own login in our cluster, so that it works with no more rights than it needs."""

import secrets
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

GATEWAY: Final = "homing_gateway"
_RIGHTS: Final = Path(__file__).with_name("gateway_login.sql")


def open_gateway_login(admin: str) -> str:
    """The connection string of the narrow login, with a password of this start that is kept nowhere.

    `admin` is a superuser's on a database that has the schema.
    """
    password = secrets.token_urlsafe(32)
    with psycopg.connect(admin) as db:
        db.execute(_RIGHTS.read_bytes())
        # Hashed here: what PostgreSQL never hears in clear it cannot log.
        hashed = db.pgconn.encrypt_password(password.encode(), GATEWAY.encode(), b"scram-sha-256").decode()
        statement = sql.SQL("alter role {} password {}").format(sql.Identifier(GATEWAY), sql.Literal(hashed))
        db.execute(statement)
    return make_conninfo(admin, user=GATEWAY, password=password)
