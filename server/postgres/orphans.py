"""Ends what an earlier server left running on a cluster after it was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from server.errors import DatabaseUnavailable
from server.postgres.binaries import Binaries
from server.postgres.unprivileged import Runner

_PATIENCE: Final = 30.0
_POLL: Final = 0.02


def clear(data: Path, binaries: Binaries, runner: Runner) -> None:
    """Shuts an orphaned postmaster down cleanly and waits for the last of its processes.

    The pid file is removed only when nothing runs on the data: its number may belong to another program by now.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    if sys.platform == "win32":
        runner.run([binaries.path("pg_ctl"), "stop", "-D", data, "-m", "fast", "-w"])
        return
    postmaster = _first_number(pid_file)
    deadline = time.monotonic() + _PATIENCE
    asked = False
    while running := processes_on(data):
        if postmaster in running and not asked:
            _send(postmaster, signal.SIGINT)
            asked = True
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"An earlier PostgreSQL still runs on {data} (process {min(running)}): end it and start again."
            )
        time.sleep(_POLL)
    pid_file.unlink(missing_ok=True)


def processes_on(data: Path) -> set[int]:
    """The processes that work in a data directory: every PostgreSQL process has it as its working directory."""
    if Path("/proc/self/cwd").exists():
        return _from_proc(str(data.resolve()))
    listing = subprocess.run(["/bin/ps", "-axo", "pid=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=1) for line in listing.stdout.splitlines()]
    return {int(row[0]) for row in rows if len(row) == 2 and str(data) in row[1] and "postgres" in row[1]}


def _from_proc(data: str) -> set[int]:
    found = set[int]()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if str((entry / "cwd").readlink()) == data:
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def _first_number(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return 0


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
