"""What a signed-in person can ask a database about itself (server_check), and that it tells nothing else."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from server.postgres import schema
from tests.fakes.cluster import Cluster, Database

CHECKS = [
    "schema_version",
    "server_version",
    "lint",
    "realtime_policy",
    "poke_trigger",
    "synchronous_commit",
    "isolation",
    "clock",
]

PLANTED = {
    "alter table public.chats no force row level security": (
        "lint",
        r"^1 found: public\.chats: row level security is not forced$",
    ),
    "grant execute on all functions in schema public to anon": (
        "lint",
        r"^\d+ found: (public\.\w+\(.*\): .+; ){4}[^;]+$",
    ),
    'drop policy "People hear of their own changes" on realtime.messages': (
        "realtime_policy",
        "20261121091100",
    ),
    "alter table realtime.messages disable row level security": ("realtime_policy", "anybody can listen"),
    "drop schema realtime cascade": ("realtime_policy", "no realtime"),
    "drop function realtime.send": ("poke_trigger", "realtime.send"),
    "drop trigger poke_devices on public.owner_heads": ("poke_trigger", "poke_devices"),
    "alter table public.owner_heads disable trigger poke_devices": ("poke_trigger", "poke_devices"),
    "set local synchronous_commit = off": ("synchronous_commit", "^Switched off: synchronous_commit[.]"),
    "set local default_transaction_isolation = 'serializable'": ("isolation", "^The default is serializable"),
}

BESIDE = {
    "drop schema realtime cascade": {"poke_trigger"},
    "alter table public.owner_heads disable trigger poke_devices": {"lint"},
}
"""What else a fault breaks."""


def _check(database: Database, planted: str = "") -> dict[str, tuple[bool, str]]:
    """What somebody who just signed up is told, after a fault was planted."""
    claims = f'{{"role": "authenticated", "sub": "{database.new_user().user_id}"}}'
    with database.connect() as admin, admin.transaction(force_rollback=True):
        admin.execute(planted.encode())
        admin.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        admin.execute("set local role authenticated")
        rows: list[tuple[Any, ...]] = admin.execute("select * from server_check()").fetchall()
    assert [row[0] for row in rows] == CHECKS
    return {name: (ok, detail) for name, ok, detail in rows}


def test_a_database_as_the_migrations_leave_it_passes_every_check(database: Database) -> None:
    told = _check(database)
    assert [name for name, (ok, _) in told.items() if not ok] == []
    assert re.fullmatch(r"PostgreSQL 1[5-9].*", told["server_version"][1])
    skew = datetime.fromisoformat(told["clock"][1]) - datetime.now(UTC)
    assert abs(skew) < timedelta(seconds=60)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_told_and_no_other(database: Database, fault: str) -> None:
    name, words = PLANTED[fault]
    told = _check(database, fault)
    assert not told[name][0]
    assert re.search(words, told[name][1])
    beside = BESIDE.get(fault, set())
    assert {other for other, (ok, _) in told.items() if not ok} == {name} | beside


def test_the_version_is_that_of_the_newest_migration(database: Database) -> None:
    assert _check(database)["schema_version"] == (True, schema.migrations()[-1].version)


def test_only_the_signed_in_may_ask(database: Database) -> None:
    with database.as_user(None) as nobody, pytest.raises(psycopg.DatabaseError) as refused:
        nobody.rows("select * from server_check()")
    assert refused.value.sqlstate == "PT401"
    with database.as_user(None, "anon") as stranger, pytest.raises(psycopg.errors.InsufficientPrivilege):
        stranger.rows("select * from server_check()")


def test_everybody_is_told_the_same_so_nobody_learns_of_others(cluster: Cluster) -> None:
    with cluster.database() as database:
        before = _check(database)
        with database.new_user().signed_in() as busy:
            busy.new_chat("a secret title")
        after = _check(database)
    assert {**before, "clock": None} == {**after, "clock": None}
