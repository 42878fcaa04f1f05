"""A database that somebody else runs: logins with few rights, TLS, restarts, and each lack told in one line."""

import uuid
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from server import given
from server.errors import DatabaseUnavailable
from server.postgres import Postgres
from tests.fakes.cluster import versions
from tests.fakes.folders import open_folder
from tests.fakes.served import PASSWORD, serving

LOGIN = "app"
SECRET = "secret-7d1f"


class Managed:
    """A database of a cluster and a login that owns nothing else. `run` acts as the administrator."""

    def __init__(self, admin: str) -> None:
        self.admin = admin

    @property
    def url(self) -> str:
        return make_conninfo(self.admin, user=LOGIN, password=SECRET)

    def run(self, statement: str) -> None:
        with psycopg.connect(self.admin, autocommit=True) as db:
            db.execute(statement.encode())

    def refusal(self) -> str:
        with pytest.raises(DatabaseUnavailable) as refused:
            given.check(self.url)
        told = str(refused.value)
        assert "\n" not in told
        assert told.endswith(".")
        assert SECRET not in told
        return told


@pytest.fixture(params=[pytest.param(each, id=f"postgres{each.major}") for each in versions()])
def managed(request: pytest.FixtureRequest) -> Iterator[Managed]:
    """An empty database on a server that never heard of Homing, and a login that has no rights there yet."""
    with open_folder() as folder, Postgres(folder, binaries=request.param) as postgres:
        made = Managed(make_conninfo(postgres.start(), dbname="postgres"))
        made.run("create database app")
        made.admin = make_conninfo(made.admin, dbname="app")
        made.run(f"create role {LOGIN} login password '{SECRET}'")
        yield made


def _works(url: str) -> None:
    with open_folder() as folder, serving(folder, database_url=url) as served:
        anna, bert = served.sign_up(), served.sign_up()
        chat = str(uuid.uuid4())
        anna.rpc("save_chats", p_chats=[{"chat_id": chat, "title": "mine"}]).raise_for_status()
        message = {"message_id": "m", "role": "user", "content": "hello"}
        stored = anna.rpc("append_messages", p_chat_id=chat, p_messages=[message])
        assert [row["status"] for row in stored.json()] == ["inserted"]
        assert anna.rpc("count_messages", p_chat_id=chat).json() == 1
        assert bert.rpc("count_messages", p_chat_id=chat).json() == 0
        assert len(anna.rpc("pull_changes", p_epoch=None, p_cursor=0).json()["changes"]) == 2
        again = httpx.post(
            f"{served.url}/auth/v1/token?grant_type=password",
            headers=served.headers(),
            json={"email": anna.email, "password": PASSWORD},
        )
        assert again.status_code == 200
        assert served.stop() == 0
        assert served.stderr == ""


def test_a_login_that_may_only_create_roles_is_enough(managed: Managed) -> None:
    managed.run(f"alter role {LOGIN} createrole")
    managed.run(f"alter database app owner to {LOGIN}")
    _works(managed.url)
    _works(managed.url)


def test_a_login_without_any_attribute_is_told_what_to_grant_until_it_is_enough(managed: Managed) -> None:
    for _ in range(5):
        try:
            given.check(managed.url)
        except DatabaseUnavailable:
            told = managed.refusal()
            managed.run(told.split("`")[1])
    _works(managed.url)
