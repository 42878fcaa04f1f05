"""Bringing databases up to date: from nothing, twice, at once, and on a project that is not ours (schema.py)."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from server.errors import MigrationFailed
from server.postgres import schema
from server.postgres.schema import Migration
from tests.fakes.bad_input import Known
from tests.fakes.belongings import furnish
from tests.fakes.cluster import Caller, Cluster, Database, User, text
from tests.fakes.functions import functions
from tests.fakes.ledger import faults
from tests.fakes.postgres_versions import versions

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

# Files that users have run. They are never edited: what they did is changed by a further file.
RELEASED = {
    "20261121091100": "26a1b9197d68f2139875f73502afc98d4d35e44a35f55be153b99d2f6b6a6217",
    "20261121150100": "344406fdff2e870fbc8db75e235d9f1ed54d15e98e6d77f8a30b20f2aaed1f56",
}


def test_released_files_are_as_they_were_released() -> None:
    for last, digest in RELEASED.items():
        texts = "".join(each.text() for each in schema.migrations() if each.version <= last)
        assert sha256(texts.encode()).hexdigest() == digest


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
                pushed = caller.push([{"chat_id": chat, "title": "T"}], {chat: [text("a"), text("c")]})
                assert (pushed["before"], pushed["head"]) == (3, 5)
                assert len(caller.fill((chat, 1, 3))["changes"]) == 3
                assert len(caller.summary(None, 0)["changes"]) == 1
        finally:
            with database.connect() as admin:
                admin.execute("drop owned by plain cascade; drop role plain")


def test_an_older_stand_in_of_ours_is_renewed(cluster: Cluster) -> None:
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(f"comment on schema auth is '{schema.MARK}long ago'")
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
            r"\b(SELECT|INSERT|CREATE|UPDATE|RETURN|BEGIN)\b", re.sub(r"--.*|'[^']*'", "", each.text())
        )


def test_no_number_lives_in_a_sequence_so_that_a_copy_of_the_rows_carries_on(database: Database) -> None:
    with database.connect() as admin:
        sequences = admin.execute(
            "select count(*) from pg_sequences where schemaname in ('public', 'homing')"
        ).fetchone()
    assert sequences == (0,)


@dataclass(frozen=True)
class Before:
    """What somebody had and saw before the rest of the migrations ran."""

    user: User
    known: Known
    rows: dict[str, list[dict[str, Any]]]
    epoch: str
    cursor: int

    @classmethod
    def of(cls, user: User) -> "Before":
        with user.signed_in() as caller:
            known = furnish(caller.connection)
            api = functions(caller.connection)
            epoch, cursor = "", 0
            if "pull_changes" in api:
                answer = caller.pull(None, 0)
                epoch, cursor = answer["epoch"], answer["cursor"]
        with user.database.connect() as admin:
            return cls(user, known, _rows(admin, user), epoch, cursor)


def _rows(admin: psycopg.Connection, user: User) -> dict[str, list[dict[str, Any]]]:
    tables = admin.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    ).fetchall()
    return {
        table: [
            row[0]
            for row in admin.execute(
                f"select to_jsonb(held) from public.{table} as held where owner_id = %s".encode(),
                [user.user_id],
            )
        ]
        for (table,) in tables
    }


def _kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Whether each earlier row is there with every earlier value; columns may have come."""
    return all(any(row.items() <= each.items() for each in after) for row in before)


def _apply(database: Database, files: tuple[Migration, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: files)
        schema.apply(database.conninfo)


NEWEST = 2


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)], ids=["known", "any"])
def test_from_earlier_states_everything_is_still_there(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, every: bool
) -> None:
    """From nothing, from each release, and from before the newest files; at length, from every file."""
    files = schema.migrations()
    with cluster.empty_database() as stairs:
        for known in range(len(files) + 1):
            released = known == 0 or files[known - 1].version in RELEASED
            if every or released or len(files) - NEWEST <= known < len(files):
                _apply(stairs, files[:known], monkeypatch)
                with cluster.copy(stairs) as database:
                    try:
                        _take_people_along(database)
                    except BaseException as error:
                        error.add_note(f"from {[each.name for each in files[:known]][-1:]}")
                        raise


def _take_people_along(database: Database) -> None:
    people = [Before.of(database.new_user()) for _ in range(2)]
    schema.apply(database.conninfo)
    with database.connect() as admin:
        assert faults(admin) == []
        for person in people:
            after = _rows(admin, person.user)
            assert all(_kept(rows, after[table]) for table, rows in person.rows.items())
    for person in people:
        with person.user.signed_in() as caller:
            _carry_on(caller, person)
    with database.connect() as admin:
        assert faults(admin) == []


def _carry_on(caller: Caller, before: Before) -> None:
    """The old cursor holds, an old message is known, a new one gets the next number, and the pull brings it."""
    if before.epoch:
        answer = caller.pull(before.epoch, before.cursor)
        assert (answer["reset"], answer["changes"]) == (False, [])
    chat = before.known.chats[0]
    caller.save({"chat_id": chat})
    [last] = [row["last_sequence_num"] for row in before.rows.get("chats", []) if row["chat_id"] == chat] or [
        0
    ]
    again = caller.append(chat, [text(before.known.messages[0], "words"), text("new")])
    had = before.rows.get("messages")
    assert again[0][1:3] == (1, "duplicate" if had else "inserted")
    assert again[1][1:3] == (max(last, 1) + 1, "inserted")
    if before.epoch:
        changes = caller.pull(before.epoch, before.cursor)["changes"]
        assert "new" in {each["row"].get("message_id") for each in changes}


def test_two_messages_of_one_turn_and_role_are_repaired_and_every_device_hears_of_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first release let a turn have several replies: all but the first leave the turn and lose nothing else."""
    released = tuple(each for each in schema.migrations() if each.version <= min(RELEASED))
    with cluster.empty_database() as database:
        _apply(database, released, monkeypatch)
        people = [database.new_user() for _ in range(2)]
        sent = [
            text(f"{place}", turn_id="t", role=role) for place, role in enumerate(("user", "assistant") * 3)
        ]
        held = []
        for person in people:
            with person.signed_in() as caller:
                chats = [caller.new_chat() for _ in range(2)]
                for chat in chats:
                    caller.append(chat, sent)
                held.append((person, chats[0], caller.pull(None, 0)))
        schema.apply(database.conninfo)
        with database.connect() as admin:
            assert faults(admin) == []
            left = admin.execute("select message_id, turn_id from public.messages order by 1").fetchall()
        assert set(left) == {("0", "t"), ("1", "t"), ("2", None), ("3", None), ("4", None), ("5", None)}
        for person, chat, seen in held:
            with person.signed_in() as caller:
                heard = caller.pull(seen["epoch"], seen["cursor"])["changes"]
                assert [each["row"]["turn_id"] for each in heard] == [None] * 8
                assert [row[1:3] for row in caller.append(chat, sent)] == [
                    (n, "duplicate") for n in range(1, 7)
                ]
                assert caller.append(chat, [text("2", "other", role="user")])[0][1:3] == (3, "conflict")
        with database.connect() as admin:
            assert faults(admin) == []


def test_the_schema_is_the_same_however_a_database_got_there(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.empty_database() as old, cluster.database() as fresh:
        _apply(old, tuple(each for each in schema.migrations() if each.version <= max(RELEASED)), monkeypatch)
        Before.of(old.new_user())
        schema.apply(old.conninfo)
        assert _dumped(old) == _dumped(fresh)


def _dumped(database: Database) -> list[str]:
    with database.connect() as admin:
        major = admin.info.server_version // 10_000
    [binaries] = [each for each in versions() if each.major == major]
    command = [str(binaries.path("pg_dump")), "--schema-only", "--dbname", database.conninfo]
    dump = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    # Each dump has its own key in these two lines.
    return [line for line in dump.splitlines() if not re.match(r"\\(un)?restrict ", line)]
