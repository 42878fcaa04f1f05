"""What the gateway may do in its own cluster, and that a start that fails says one line."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from server.postgres import gateway_login, schema
from server.postgres.supervisor import Postgres
from tests.fakes.folders import open_folder
from tests.fakes.postgres_versions import versions
from tests.fakes.served import Served


@pytest.fixture(
    scope="module", params=[pytest.param(each, id=f"postgres{each.major}") for each in versions()]
)
def login(request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string that the gateway works with."""
    with open_folder() as folder, Postgres(folder, binaries=request.param) as postgres:
        admin = postgres.start()
        schema.apply(admin)
        gateway_login.open_gateway_login(admin)
        yield gateway_login.open_gateway_login(admin)


def test_the_gateway_of_a_running_server_is_no_superuser(served: Served) -> None:
    with served.database() as admin:
        found = admin.execute(
            "select distinct usename, usesuper from pg_stat_activity join pg_user using (usename)"
            " where application_name like 'homing%'"
        ).fetchall()
    assert found == [("homing_gateway", False)]


def test_what_one_call_writes_beside_the_tables_is_bounded(login: str) -> None:
    with psycopg.connect(login) as gateway:
        assert gateway.execute("show temp_file_limit").fetchone() == ("1GB",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            gateway.execute("set temp_file_limit = -1")


@pytest.mark.parametrize(
    "statement",
    [
        "set role homing",
        "create role more superuser",
        "alter role homing_gateway createrole",
        "select * from public.messages",
        "delete from public.chats",
        "update public.owner_heads set head = 0",
        "select homing.begin_epoch()",
        "alter table auth.users disable row level security",
        "drop table auth.sessions",
        "create table public.mine ()",
        "create schema mine",
        "create database mine",
        'drop policy "The gateway works here" on auth.users',
        "copy (select 1) to program 'true'",
        "copy public.chats to '/tmp/homing-stolen'",
        "select pg_read_file('postgresql.conf')",
        "alter system set log_statement = 'all'",
        "select rolpassword from pg_authid",
        "select * from realtime.messages",
        "create domain pg_temp.text as pg_catalog.text",
        "set role authenticated; create temporary table mine ()",
    ],
)
def test_it_may_not(login: str, statement: str) -> None:
    with psycopg.connect(login, autocommit=True) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(statement.encode())


def test_it_may_keep_accounts_become_the_callers_and_nobody_else(login: str) -> None:
    with psycopg.connect(login) as db:
        db.execute("insert into auth.users (email) values ('anna@example.test')")
        for role in ("anon", "authenticated", "service_role"):
            db.execute(f"set local role {role}".encode())
            db.execute("reset role")
        rights = (
            "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication or rolinherit"
        )
        assert db.execute(f"{rights} from pg_roles where rolname = current_user".encode()).fetchone() == (
            False,
        )
        others = "select rolname from pg_roles where pg_has_role(oid, 'member') and rolname <> current_user order by 1"
        assert [row[0] for row in db.execute(others.encode()).fetchall()] == [
            "anon",
            "authenticated",
            "service_role",
        ]


STARTS_THAT_FAIL = {
    "a certificate that is missing": ["--tls-cert", "none.pem", "--tls-key", "none.key"],
    "a certificate without its key": ["--tls-cert", "none.pem"],
    "a database that does not answer": ["--database-url", "postgresql://anna:secret-7d1f@127.0.0.1:9/x"],
    "a database url that is none": ["--database-url", "secret-7d1f is no url"],
    "a proxy that is no address": ["--trusted-proxy", "*"],
    "a public url with a path": ["--public-url", "https://sync.example.org/here"],
    "a mail server that is none": ["--smtp-url", "http://anna:secret-7d1f@mail"],
    "an address of another machine": ["--host", "192.0.2.1"],
    "a name that is none": ["--host", "a" * 64 + ".test"],
}


@pytest.mark.parametrize("words", STARTS_THAT_FAIL.values(), ids=STARTS_THAT_FAIL.keys())
def test_a_start_that_fails_says_one_line(words: list[str]) -> None:
    with open_folder() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "desktop", "--data-dir", str(folder), "serve", "--port", "0", *words],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(".")
    assert "secret-7d1f" not in line
