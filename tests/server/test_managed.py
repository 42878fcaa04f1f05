"""A database that somebody else runs: logins with few rights, TLS, restarts, and each lack told in one line."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from desktop.cli import main
from server.errors import DatabaseUnavailable
from server.postgres import given, schema
from server.postgres.supervisor import Postgres
from tests.fakes.certificate_files import Authority
from tests.fakes.folders import open_folder
from tests.fakes.poolers import pooling
from tests.fakes.postgres_over_tls import over_tls
from tests.fakes.postgres_versions import versions
from tests.fakes.served import PASSWORD, serving
from tests.fakes.waiting import wait_for

LOGIN = "app"
SECRET = "secret-7d1f"


class Managed:
    """A database of a cluster and a login that owns nothing else. `run` acts as the administrator."""

    def __init__(self, admin: str) -> None:
        self.admin = admin
        self.restart: Callable[[], None] = lambda: None

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


@pytest.fixture(
    scope="module", params=[pytest.param(each, id=f"postgres{each.major}") for each in versions()]
)
def somebodys(request: pytest.FixtureRequest) -> Iterator[tuple[Postgres, str]]:
    """A PostgreSQL that somebody else runs, and its administrator's address."""
    with open_folder() as folder, Postgres(folder, binaries=request.param) as postgres:
        yield postgres, make_conninfo(postgres.start(), dbname="postgres")


@pytest.fixture
def managed(somebodys: tuple[Postgres, str]) -> Iterator[Managed]:
    """An empty database on a server that never heard of Homing, and a login that has no rights there yet."""
    postgres, admin = somebodys
    made = Managed(admin)
    made.run("create database app")
    made.admin = make_conninfo(admin, dbname="app")
    made.run(f"create role {LOGIN} login password '{SECRET}'")
    made.restart = lambda: os.kill(postgres.pid or 0, signal.SIGINT)
    yield made
    with psycopg.connect(admin, autocommit=True) as db:
        databases = db.execute(
            "select format('drop database %I with (force)', datname) from pg_database where oid >= 16384 and datname <> 'homing'"
        )
        roles = db.execute(
            "select format('drop owned by %1$I cascade; drop role %1$I', rolname) from pg_roles where oid >= 16384"
        )
        for (statement,) in [*databases, *roles]:
            db.execute(statement)


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


def test_a_database_that_starts_again_while_serving_is_taken_up_again(managed: Managed) -> None:
    managed.run(f"alter role {LOGIN} createrole")
    managed.run(f"alter database app owner to {LOGIN}")
    with open_folder() as folder, serving(folder, database_url=managed.url) as served:
        anna = served.sign_up()
        managed.restart()
        wait_for(lambda: anna.rpc("chat_heads").status_code == 200)
        assert served.stop() == 0
        assert all(line.startswith("homing: ") for line in served.stderr.splitlines())
        assert len(served.stderr.splitlines()) < 10


def test_a_standby_is_told_and_nothing_is_made_there(managed: Managed) -> None:
    managed.run("alter database app set default_transaction_read_only = on")
    assert "standby" in managed.refusal()


def test_a_hosted_projects_database_is_told_and_nothing_is_made_there(managed: Managed) -> None:
    managed.run("create schema auth")
    managed.run("create table auth.users (id uuid primary key)")
    assert "Supabase project" in managed.refusal()


def test_what_another_login_made_is_told(managed: Managed) -> None:
    schema.apply(managed.admin)
    assert "belongs to homing" in managed.refusal()


@pytest.mark.parametrize(
    "wrong", [{"password": "secret-7d1f-not"}, {"dbname": "nothing"}, {"user": "nobody"}]
)
def test_a_login_that_is_refused_is_told_without_its_password(
    managed: Managed, wrong: dict[str, str]
) -> None:
    with pytest.raises(DatabaseUnavailable, match="--database-url") as refused:
        given.check(make_conninfo(managed.url, **wrong))
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_transaction_pooler_is_told(managed: Managed) -> None:
    managed.run(f"alter role {LOGIN} createrole")
    managed.run(f"alter database app owner to {LOGIN}")
    where = conninfo_to_dict(managed.url)
    with pooling(f"{where['host']}/.s.PGSQL.{where['port']}") as port:
        pooled = make_conninfo(
            managed.url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )
        with psycopg.connect(pooled) as db:
            assert db.execute("select 1").fetchone() == (1,)
        with pytest.raises(DatabaseUnavailable, match="transaction pooler") as refused:
            given.check(pooled)
    assert "\n" not in str(refused.value)


def test_backups_of_a_given_database_need_a_login_that_sees_every_row(managed: Managed) -> None:
    managed.run(f"alter role {LOGIN} createrole")
    managed.run(f"alter database app owner to {LOGIN}")
    managed.run(f"grant pg_signal_backend to {LOGIN}")
    with open_folder() as folder:
        file, runner = folder / "homing.backup", CliRunner(env={"HOMING_DATABASE_URL": managed.url})
        command = ["--json", "--data-dir", str(folder), "server"]
        with serving(folder, database_url=managed.url) as served:
            anna = served.sign_up()
            anna.rpc("save_chats", p_chats=[{"chat_id": str(uuid.uuid4()), "title": "kept"}])
            refused = runner.invoke(main, [*command, "backup", str(file)])
            assert refused.exit_code == 1
            assert "bypassrls" in refused.stderr
            managed.run(f"alter role {LOGIN} bypassrls createdb")
            made = runner.invoke(main, [*command, "backup", str(file)])
            assert made.exit_code == 0, made.output
            busy = runner.invoke(main, [*command, "restore", str(file)])
            assert "stop it" in busy.stderr
            anna.rpc("save_chats", p_chats=[{"chat_id": str(uuid.uuid4()), "title": "lost"}])
        restored = runner.invoke(main, [*command, "restore", str(file)])
        assert restored.exit_code == 0, restored.output
        document = json.loads(restored.stdout)
        assert (document["chats"], document["earlier"]) == (1, "app_before_restore")
        with serving(folder, database_url=managed.url) as served:
            assert len(anna.at(served).rpc("chat_heads").json()) == 1


def test_a_backup_moves_from_our_cluster_to_a_given_database(managed: Managed) -> None:
    managed.run(f"alter role {LOGIN} createrole createdb bypassrls")
    managed.run(f"alter database app owner to {LOGIN}")
    with open_folder() as folder:
        file, chat = folder / "homing.backup", str(uuid.uuid4())
        oldest = min(versions(), key=lambda each: each.major)
        with Postgres(folder / "server", binaries=oldest) as postgres:
            postgres.start()
        with serving(folder) as served:
            anna = served.sign_up()
            anna.rpc("save_chats", p_chats=[{"chat_id": chat, "title": "kept"}])
        for words in (["backup", file], ["restore", file, "--database-url", managed.url]):
            done = CliRunner().invoke(main, ["--data-dir", str(folder), "server", *map(str, words)])
            assert done.exit_code == 0, done.output
        with serving(folder, database_url=managed.url) as served:
            anna = anna.at(served)
            message = {"message_id": "m", "role": "user", "content": "hello"}
            stored = anna.rpc("append_messages", p_chat_id=chat, p_messages=[message])
            assert stored.status_code == 200, stored.text
            assert [row["status"] for row in stored.json()] == ["inserted"]


def test_tls_parameters_reach_the_database() -> None:
    with open_folder() as folder:
        authority = Authority(folder)
        cert, key = authority.pair("postgres")
        with over_tls(folder, cert, key) as admin:
            url = make_conninfo(admin, sslmode="verify-full", sslrootcert=str(authority.file))
            _works(url)
            with psycopg.connect(url) as db:
                assert db.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (
                    True,
                )
            (folder / "elsewhere").mkdir()
            stranger = Authority(folder / "elsewhere").file
            with pytest.raises(DatabaseUnavailable, match="certificate"):
                given.check(make_conninfo(url, sslrootcert=str(stranger)))
