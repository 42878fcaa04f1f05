"""Runs PostgreSQL's programs as a user that it accepts: PostgreSQL refuses to run as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from server.errors import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class Runner:
    """Starts programs as `uid` and `gid`, or as the present user when they are None."""

    uid: int | None = None
    gid: int | None = None

    def run(self, command: Sequence[str | Path], feed: str = "", *, timeout: float = 120) -> None:
        """Runs to the end on the input `feed`; DatabaseUnavailable with what the program says of its failure."""
        try:
            subprocess.run(  # noqa: S603 (PostgreSQL's own programs, found by server.postgres.binaries)
                command,
                check=True,
                input=feed,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout,
                cwd="/" if self.uid is not None else None,
                env=plain_environment(),
                **self._identity(),
            )
        except subprocess.CalledProcessError as error:
            raise DatabaseUnavailable(_reason(Path(command[0]), error.stdout)) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DatabaseUnavailable(
                f"{Path(command[0]).name} could not run ({error}): start again."
            ) from error

    def spawn(self, command: Sequence[str | Path], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts a direct child in its own session, so that Ctrl-C reaches the server only.

        On Linux the child is told to shut down when the calling *thread* ends, however it ends.
        """
        setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
        # SIGINT asks PostgreSQL for a fast shutdown; setpriv sets it after the change of user, which clears it.
        bound = [setpriv, "--pdeathsig", "INT", *command] if setpriv else command
        return subprocess.Popen(  # noqa: S603 (as above)
            bound,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/" if self.uid is not None else None,
            env=plain_environment(),
            **self._identity(),
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether the user may pass through every folder down to this one."""
        if self.uid is None:
            return True
        probe = subprocess.run(  # noqa: S603 (the folder is an argument, never part of the script)
            ["/bin/sh", "-c", 'cd "$1"', "sh", folder],
            stderr=subprocess.DEVNULL,
            check=False,
            **self._identity(),
        )
        return probe.returncode == 0

    def own(self, path: Path) -> None:
        """Hands a file or folder to the user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def _identity(self) -> dict[str, Any]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def runner() -> Runner:
    """The present user; for root the user `postgres`, else `nobody`."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return Runner()
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Runner(entry.pw_uid, entry.pw_gid)
    raise DatabaseUnavailable("PostgreSQL refuses to run as root: run homing serve as another user.")


def plain_environment() -> Mapping[str, str]:
    """The environment without PG… variables, which would change what PostgreSQL's programs do."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _reason(program: Path, output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line.lower() or "fatal" in line.lower()]
    last = (lines or output.splitlines() or ["it gave no reason"])[-1]
    return f"{program.name} failed ({last.strip()}): mend that and start again."
