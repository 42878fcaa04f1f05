"""Where a profile keeps its files."""

from pathlib import Path
from typing import Final

STORE_NAME: Final = "homing.sqlite3"
_FORBIDDEN: Final = frozenset('/\\:\0<>"|?*')


def profile_dir(data_dir: Path, profile: str) -> Path:
    """The folder of one profile. ValueError for a name that could lead out of `data_dir` or that no disk takes."""
    if not profile.strip(". ") or _FORBIDDEN & set(profile) or len(profile) > 64:
        raise ValueError(f"{profile!r} cannot be a profile name: use letters, digits, spaces and dashes")
    return data_dir / "profiles" / profile


def store_path(data_dir: Path, profile: str) -> Path:
    """The profile's SQLite file."""
    return profile_dir(data_dir, profile) / STORE_NAME
