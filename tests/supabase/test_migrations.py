"""Bringing databases up to date: from nothing, twice, at once, and on a project that is not ours (schema.py)."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server import schema
from server.errors import MigrationFailed
from server.schema import Migration
from tests.fakes.cluster import Cluster, Database, text

# What the contract says that a plain PostgreSQL must bring, and no more.
SOMEBODY_ELSES_PLATFORM = """
do $$ begin create role anon nologin; exception when duplicate_object then null; end $$;
do $$ begin create role authenticated nologin; exception when duplicate_object then null; end $$;
do $$ begin create role service_role nologin; exception when duplicate_object then null; end $$;
create schema auth;
create table auth.users (id uuid primary key);
create function auth.uid() returns uuid language sql stable
  as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
create schema realtime;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
  language sql as 'select';
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
"""


def test_applying_twice_changes_nothing(cluster: Cluster) -> None:
    with cluster.empty_database() as database:
        versions = tuple(each.version for each in schema.migrations())
        assert schema.apply(database.conninfo) == versions
        assert schema.apply(database.conninfo) == ()
        with database.connect() as admin:
            rows = admin.execute(
                "select version, name, statements from supabase_migrations.schema_migrations order by 1"
            ).fetchall()
    assert [row[0] for row in rows] == list(versions)
    assert [row[1] for row in rows] == [each.name for each in schema.migrations()]
    assert [row[2] for row in rows] == [[each.text()] for each in schema.migrations()]


def test_servers_that_start_together_apply_each_migration_once(cluster: Cluster) -> None:
    with cluster.empty_database() as database, ThreadPoolExecutor(4) as servers:
        applied = list(servers.map(lambda _: schema.apply(database.conninfo), range(4)))
    assert sorted(version for each in applied for version in each) == [
        each.version for each in schema.migrations()
    ]


def test_somebody_elses_platform_is_used_and_never_touched(cluster: Cluster) -> None:
    with cluster.empty_database() as database:
        with database.connect() as admin:
            admin.execute(SOMEBODY_ELSES_PLATFORM)
            schema.apply(database.conninfo)
            assert admin.execute("select to_regclass('auth.sessions')").fetchone() == (None,)
            user = admin.execute("insert into auth.users values (gen_random_uuid()) returning id").fetchone()
        assert user is not None
        with database.as_user(str(user[0])) as caller:
            chat = caller.new_chat()
            assert caller.append(chat, [text("a")]) == [("a", 1, "inserted", None)]
            assert caller.pull(None, 0)["head"] == 2
        with database.connect() as admin:
            open_to_anon = admin.execute(
                "select count(*) from pg_class where relnamespace = 'public'::regnamespace "
                "and has_table_privilege('anon', oid, 'select, insert, update, delete, truncate') and relkind = 'r'"
            ).fetchone()
        assert open_to_anon == (0,)


def test_the_functions_work_for_an_owner_who_is_no_superuser(cluster: Cluster) -> None:
    """Hosted projects run migrations as a role that row level security binds when it is forced."""
    with cluster.empty_database() as database:
        with database.connect() as admin:
            admin.execute(SOMEBODY_ELSES_PLATFORM)
            admin.execute(
                """
                create role plain login createdb; grant all on schema public to plain;
                grant create on database %s to plain;
                grant usage on schema auth, realtime to plain; grant references, select on auth.users to plain;
                grant authenticated to plain;
            """.replace("%s", admin.info.dbname)
            )
            user = admin.execute("insert into auth.users values (gen_random_uuid()) returning id").fetchone()
            admin.execute("set session authorization plain")
            for migration in schema.migrations():
                admin.execute(migration.text())
            admin.execute("reset session authorization")
        assert user is not None
        try:
            with database.as_user(str(user[0])) as caller:
                chat = caller.new_chat()
                assert caller.append(chat, [text("a"), text("a"), text("b")])[-1] == (
                    "b",
                    2,
                    "inserted",
                    None,
                )
                assert caller.pull(None, 0)["cursor"] == 3
                assert caller.history(chat) == [(2, "b"), (1, "a")]
        finally:
            with database.connect() as admin:
                admin.execute("drop owned by plain cascade; drop role plain")


def test_an_older_stand_in_of_ours_is_renewed(cluster: Cluster) -> None:
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(f"comment on schema auth is '{schema._MARK}long ago'")
            admin.execute("drop function auth.role()")
        schema.apply(database.conninfo)
        with database.connect() as admin:
            assert admin.execute("select auth.role()").fetchone() == (None,)


def test_a_migration_that_fails_leaves_nothing_and_names_itself(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "20990101000000_break.sql"
    bad.write_text("create table public.half (); select 1 / 0;")
    known = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: (*known, Migration("20990101000000", "break", bad)))
    with cluster.database() as database:
        with pytest.raises(MigrationFailed, match=r"20990101000000_break.*division by zero") as failed:
            schema.apply(database.conninfo)
        assert "\n" not in str(failed.value)
        with database.connect() as admin:
            assert admin.execute("select to_regclass('public.half')").fetchone() == (None,)


def test_files_are_named_and_opened_as_the_house_does() -> None:
    files = schema.migrations()
    assert [each.version for each in files] == sorted({each.version for each in files})
    for each in files:
        assert re.fullmatch(r"\d{14}_[a-z]+(_[a-z]+)+\.sql", each.path.name)
        assert each.text().startswith("-- ")
        assert not re.search(
            r"\b(SELECT|INSERT|CREATE|UPDATE|RETURN|BEGIN)\b", re.sub(r"--.*", "", each.text())
        )


def test_no_number_lives_in_a_sequence_so_that_a_copy_of_the_rows_carries_on(database: Database) -> None:
    with database.connect() as admin:
        sequences = admin.execute(
            "select count(*) from pg_sequences where schemaname in ('public', 'homing')"
        ).fetchone()
    assert sequences == (0,)
