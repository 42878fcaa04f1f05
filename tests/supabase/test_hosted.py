"""The migrations on a stand-in for a hosted project: applied by its `postgres` role, called through its roles."""

import json
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from server.postgres import schema
from sync.doctor.contract import PROBES, Probe
from tests.fakes.cluster import Caller, Cluster, Database, text
from tests.fakes.hosted import as_authenticator, as_postgres, hosted_project, hosted_roles

REALTIME = "20261121091100"
CONFIG = Path(__file__).parents[2] / "supabase" / "config.toml"


@pytest.fixture(scope="module")
def roles(cluster: Cluster) -> Iterator[None]:
    """The platform's roles."""
    with hosted_roles(cluster):
        yield


@pytest.fixture(scope="module", params=[False, True], ids=["no-grants-by-default", "grants-by-default"])
def project(cluster: Cluster, roles: None, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated project."""
    with hosted_project(cluster, grants_by_default=request.param, policies=True) as database:
        schema.apply(as_postgres(database))
        yield database


@pytest.fixture
def closed_project(cluster: Cluster, roles: None) -> Iterator[Database]:
    """A migrated project whose `postgres` was not let into realtime.messages."""
    with hosted_project(cluster, grants_by_default=False, policies=False) as database:
        schema.apply(as_postgres(database))
        yield database


def _new_user(database: Database) -> str:
    user_id = str(uuid.uuid4())
    with database.connect() as admin:
        admin.execute("insert into auth.users (id) values (%s)", [user_id])
    return user_id


@contextmanager
def _signed_in(database: Database, user_id: str | None) -> Iterator[Caller]:
    role = "authenticated" if user_id else "anon"
    claims = json.dumps({"role": role, "sub": user_id} if user_id else {"role": role})
    with psycopg.connect(as_authenticator(database), autocommit=True) as connection:
        connection.execute(f"set role {role}".encode())
        connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
        yield Caller(connection)


def test_the_owner_of_the_stand_in_is_no_superuser_and_no_part_of_the_platform(project: Database) -> None:
    with psycopg.connect(as_postgres(project)) as owner:
        assert owner.execute(
            "select rolsuper, rolbypassrls, pg_has_role('supabase_realtime_admin', 'member'), "
            "pg_has_role('supabase_auth_admin', 'member') from pg_roles where rolname = current_user"
        ).fetchone() == (False, True, False, False)


def test_nothing_is_at_fault_on_a_migrated_project(project: Database) -> None:
    with _signed_in(project, _new_user(project)) as person:
        checks = person.rows("select check_name, ok, detail from server_check()")
    assert [row for row in checks if not row[1]] == []


def test_a_message_travels_and_its_poke_reaches_its_owner_alone(project: Database) -> None:
    anna, bert = _new_user(project), _new_user(project)
    with _signed_in(project, anna) as person:
        chat = person.new_chat("x")
        assert person.append(chat, [text("a"), text("a")]) == [
            ("a", 1, "inserted", None),
            ("a", 1, "duplicate", None),
        ]
        assert [change["kind"] for change in person.pull(None, 0)["changes"]] == ["chat", "message"]
    with project.connect() as admin:
        pokes = admin.execute(
            "select topic, event, private from realtime.messages where topic = %s", [f"user:{anna}"]
        ).fetchall()
    assert pokes == [(f"user:{anna}", "changed", True)] * 2
    for reader, seen in ((anna, len(pokes)), (bert, 0)):
        with _signed_in(project, reader) as person:
            person.rows("select set_config('realtime.topic', %s, false)", f"user:{anna}")
            assert len(person.rows("select from realtime.messages")) == seen
            assert person.pull(None, 0)["head"] == (2 if reader == anna else 0)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.function)
def test_every_function_of_the_contract_answers_as_agreed(project: Database, probe: Probe) -> None:
    given = {
        name: json.dumps(value) if isinstance(value, list | dict) else value
        for name, value in probe.arguments.items()
    }
    call = f"select * from {probe.function}({', '.join(f'{name} => %({name})s' for name in given)})"
    found = "rows"
    with _signed_in(project, _new_user(project)) as person:
        try:
            person.connection.execute(call.encode(), given)
        except psycopg.Error as error:
            found = error.sqlstate or ""
    assert found.startswith(probe.answer if probe.answer.startswith("PT") else "rows")


def test_people_who_are_not_signed_in_get_nothing(project: Database) -> None:
    with _signed_in(project, None) as nobody:
        for call in (
            "table chats",
            "table messages",
            "select chat_heads()",
            "select homing.schema_version()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                nobody.rows(call)


def test_without_the_right_to_make_the_policy_the_rest_is_there_and_the_check_says_what_to_do(
    closed_project: Database,
) -> None:
    anna = _new_user(closed_project)
    with _signed_in(closed_project, anna) as person:
        checks = person.rows("select check_name, detail from server_check() where not ok")
        assert [name for name, _ in checks] == ["realtime_policy"]
        assert REALTIME in checks[0][1]
        assert person.append(person.new_chat(), [text("a")]) == [("a", 1, "inserted", None)]
    with closed_project.connect() as platform:
        (late,) = (each for each in schema.migrations() if each.version == REALTIME)
        platform.execute(late.text().encode())
    with _signed_in(closed_project, anna) as person:
        assert person.rows("select check_name from server_check() where not ok") == []


def test_applying_again_as_the_owner_changes_nothing(project: Database) -> None:
    assert schema.apply(as_postgres(project)) == ()


def test_the_configuration_for_the_command_line_says_what_the_server_relies_on() -> None:
    config = tomllib.loads(CONFIG.read_text())
    assert config["project_id"] == "homing"
    assert config["api"]["schemas"] == ["public"]
    assert config["api"]["max_rows"] == 1000
    assert config["db"]["major_version"] == 17
    assert config["realtime"]["enabled"]
    assert config["auth"]["refresh_token_reuse_interval"] == 10
    assert not config["auth"]["enable_anonymous_sign_ins"]
