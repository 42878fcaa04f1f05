"""Runs pg_dump and pg_restore of the version that fits, without a password on any command line."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from server.errors import BackupFailed
from server.postgres.binaries import dump_tools

_OWNER: Final = re.compile(r"^\d+; \d+ \d+ TABLE public owner_heads (.+)$", re.MULTILINE)


def dump(conninfo: str, major: int, file: Path) -> None:
    """Writes the whole database in PostgreSQL's custom format. Raises BackupFailed."""
    _run("pg_dump", major, [*_at(conninfo), "--format=custom", f"--file={file}"], conninfo)


def verify(major: int, file: Path) -> str:
    """Reads every row of a dump, and gives the role that owned its tables. Raises BackupFailed."""
    _run("pg_restore", major, [f"--file={os.devnull}", str(file)])
    owner = _OWNER.search(_run("pg_restore", major, ["--list", str(file)]))
    if owner is None:
        raise BackupFailed(
            f"{file} is no backup of a Homing server: give one that homing server backup made."
        )
    return owner[1]


def restore(conninfo: str, major: int, file: Path) -> None:
    """Fills an empty database from a dump, all or nothing; the login owns what is made. Raises BackupFailed."""
    _run("pg_restore", major, [*_at(conninfo), "--no-owner", "--single-transaction", str(file)], conninfo)


def _at(conninfo: str) -> list[str]:
    place: dict[str, Any] = {
        name: value for name, value in conninfo_to_dict(conninfo).items() if name != "password"
    }
    return ["--no-password", f"--dbname={make_conninfo(**place)}"]


def _run(program: str, major: int, arguments: list[str], conninfo: str = "") -> str:
    password = conninfo_to_dict(conninfo).get("password")
    secret = {"PGPASSWORD": str(password)} if password is not None else {}
    try:
        done = subprocess.run(  # noqa: S603  # PostgreSQL's own programs, found by server.postgres.binaries
            [dump_tools(major).path(program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C", **secret},
        )
    except OSError as error:
        raise BackupFailed(f"{program} could not run ({error}): install PostgreSQL {major} again.") from error
    if done.returncode != 0:
        said = (
            [line for line in done.stderr.splitlines() if "error" in line]
            or done.stderr.splitlines()
            or [f"{program} broke off without a word, as over a damaged file"]
        )
        raise BackupFailed(f"{said[0].strip()}: nothing was changed; mend that and try again.")
    return done.stdout
