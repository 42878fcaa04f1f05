"""Supervises the server's own PostgreSQL: makes it, starts it, keeps it running and stops it."""

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from filelock import FileLock, Timeout
from psycopg import sql
from psycopg.conninfo import make_conninfo

from server import ownership
from server.errors import AlreadyServing, DatabaseUnavailable
from server.postgres import cluster, given, orphans
from server.postgres.binaries import Binaries, find
from server.postgres.unprivileged import Runner, runner

DATABASE: Final = "homing"
_START_PATIENCE: Final = 60.0
_STOP_PATIENCE: Final = 30.0
_POLL: Final = 0.02
_PORT: Final = 5432
_TRANSIENT: Final = ("shared memory block", "lock file", "starting up")
_SETTINGS: Final = {
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    # Errors of statements quote what people wrote. The gateway logs their codes; here is only the server's own news.
    "log_min_messages": "log",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_error_verbosity": "terse",
}

log = logging.getLogger(__name__)


class Postgres:
    """A PostgreSQL for one data directory: the given database, else a cluster of our own.

    One at a time per data directory, held by a file lock. A cluster that dies while it is held is started again.
    """

    def __init__(
        self, root: Path, database_url: str | None = None, *, binaries: Binaries | None = None
    ) -> None:
        # A relative folder is no address of a socket, and root's programs run elsewhere.
        self._root = root.absolute()
        self._url = database_url
        self._binaries = binaries
        self._lock: FileLock | None = None
        self._server: _Server | None = None

    def start(self) -> str:
        """Returns the connection string of the admin on the database `homing`, or the given one when it answers.

        Raises AlreadyServing, NoPostgres, FolderUnusable and DatabaseUnavailable.
        Blocks for about a second at the first start.
        """
        ownership.require_own(self._root)
        self._take_lock()
        try:
            if self._url is not None:
                return given.check(self._url)
            with ownership.in_one_line(self._root):
                return self._start_own()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shuts the cluster down cleanly and gives the data directory free; again does nothing."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, None when it is not ours or not running."""
        return self._server.pid if self._server is not None else None

    def _take_lock(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._root / "serve.lock", timeout=0, thread_local=False)
            lock.acquire()
        except Timeout as error:
            raise AlreadyServing(
                f"Another homing serve uses {self._root}: stop it, or give this one its own --data-dir."
            ) from error
        except OSError as error:
            raise DatabaseUnavailable(
                f"{self._root} cannot be written ({error.strerror}): choose another folder."
            ) from error
        self._lock = lock

    def _start_own(self) -> str:
        user = runner()
        place = cluster.locate(self._root, user)
        binaries = cluster.reachable(self._binaries or find(place.major), user)
        if place.major is None:
            place.make(binaries, user)
        self._server = _Server(place, binaries, user)
        return self._server.start()


class _Server:
    """One postmaster and the thread that forks it, waits for it and starts it again.

    That thread is the forking one for as long as the server is held: on Linux the postmaster is bound to it.
    """

    def __init__(self, place: cluster.Cluster, binaries: Binaries, user: Runner) -> None:
        self._place = place
        self._binaries = binaries
        self._runner = user
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = 0
        self._keeper = threading.Thread(target=self._keep, name="postgres-keeper", daemon=True)
        self._host, self._port = _address(place, user)

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> str:
        orphans.clear(self._place.data, self._binaries, self._runner)
        password = self._password()
        self._keeper.start()
        admin = self._conninfo("postgres", password)
        self._wait_until_it_answers(admin)
        _create_database(admin)
        return self._conninfo(DATABASE, password)

    def stop(self) -> None:
        with self._guard:
            self._stopping.set()
            process = self._process
        if process is not None:
            self._end(process)
        if self._keeper.is_alive():
            self._keeper.join()

    def _keep(self) -> None:
        pause = 0.1
        began = time.monotonic()
        while (end := self._run_once()) is not None:
            self._ends += 1
            pause = 0.1 if time.monotonic() - began > 10 else min(pause * 2, 5.0)
            if self._stopping.wait(pause):
                return
            log.warning("PostgreSQL %s; it is started again.", end)
            try:
                orphans.clear(self._place.data, self._binaries, self._runner)
            except (DatabaseUnavailable, OSError, subprocess.SubprocessError) as error:
                log.error("%s", error)
            began = time.monotonic()

    def _run_once(self) -> str | None:
        """How it ended; None when it shall not run any more."""
        with self._guard:
            if self._stopping.is_set():
                return None
            try:
                process = self._process = self._spawn()
            except OSError as error:
                # Most likely what ended it: the computer is out of memory, or of something else that comes back.
                return f"could not be started ({error.strerror})"
        return f"ended with status {process.wait()}"

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = _SETTINGS | self._listening()
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._binaries.path("postgres"), "-D", self._place.data, *options]
        with self._place.startup_log.open("wb") as output:
            return self._runner.spawn(command, output)

    def _listening(self) -> dict[str, str]:
        if sys.platform == "win32":
            return {"listen_addresses": self._host, "port": str(self._port), "unix_socket_directories": ""}
        return {
            "listen_addresses": "",
            "port": str(self._port),
            "unix_socket_directories": f'"{self._host}"',
            "unix_socket_permissions": "0700",
        }

    def _password(self) -> str:
        """The kept one; a lost one is replaced by PostgreSQL's single-user mode, for the data is what counts."""
        try:
            return self._place.password()
        except FileNotFoundError:
            password = self._place.write_password(self._runner)
            self._runner.run(
                [self._binaries.path("postgres"), "--single", "-D", self._place.data, "postgres"],
                f"alter role {cluster.ADMIN} password '{password}'\n",
            )
            return password

    def _conninfo(self, database: str, password: str) -> str:
        return make_conninfo(
            host=self._host, port=self._port, user=cluster.ADMIN, password=password, dbname=database
        )

    def _wait_until_it_answers(self, admin: str) -> None:
        deadline = time.monotonic() + _START_PATIENCE
        while True:
            try:
                psycopg.connect(admin, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                self._give_up_if_hopeless(deadline, error)
                time.sleep(_POLL)
            else:
                return

    def _give_up_if_hopeless(self, deadline: float, error: psycopg.OperationalError) -> None:
        if self._ends == 0 and time.monotonic() < deadline:
            return
        said = self._place.startup_log.read_text(errors="replace")
        if time.monotonic() < deadline and any(words in said for words in _TRANSIENT):
            return
        fatal = [line for line in said.splitlines() if "FATAL" in line] or [str(error)]
        raise DatabaseUnavailable(
            f"PostgreSQL does not start ({fatal[-1].strip()}): see {self._place.data / 'log'}."
        ) from error

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if sys.platform == "win32":
            self._runner.run([self._binaries.path("pg_ctl"), "stop", "-D", self._place.data, "-m", "fast"])
            return
        # Fast, then immediate (PostgreSQL recovers from that at the next start), then what always works.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(number)
            try:
                process.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                continue
            return


def _address(place: cluster.Cluster, user: Runner) -> tuple[str, int]:
    if sys.platform == "win32":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return "127.0.0.1", int(probe.getsockname()[1])
    else:
        return str(place.socket_folder(user)), _PORT


def _create_database(admin: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        known = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
        if known is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
