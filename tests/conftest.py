"""Qt without a screen, chosen before any test imports Qt, files in memory, what runs when, and what only in the long run."""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from server.postgres.binaries import Binaries
from tests.fakes.postgres_versions import versions

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_QUICK_BACKEND"] = "software"
os.environ["QML_DISABLE_DISK_CACHE"] = "1"
# A slot without @Slot changes its class's metaobject while QML may hold the old one.
os.environ["QT_LOGGING_RULES"] = "qt.qpa.*=false;qt.pyside.libpyside.warning=true"
_MEMORY = Path("/dev/shm")
_ROOM = 4 * 1024**3
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
    # No test cuts the power of this computer: what its disk would make durable costs half of the suite's time.
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

EACH_VERSION = frozenset(
    {
        "test_access_matrix",
        "test_append",
        "test_catalogue",
        "test_hosted",
        "test_migrations",
        "test_pull",
        "test_push",
        "test_server_check",
    }
)
"""Modules that always run on every PostgreSQL of this computer. The others do so in the long run only."""

FIRST = (
    "test_soak",
    "test_window_kills",
    "test_machine",
    "test_sessions_1",
    "test_sessions_2",
    "test_sessions_3",
    "test_sessions_4",
    "test_sessions_5",
    "test_sessions_6",
    "test_auth_attacks",
    "test_serve",
    "test_doctor",
    "test_sqlite_1",
    "test_sqlite_2",
    "test_sqlite_3",
    "test_sqlite_4",
    "test_any_input",
    "test_fuzz",
    "test_backups",
    "test_postgres",
    "test_corruption",
    "test_concurrency",
    "test_managed",
    "test_io_faults",
    "test_migrations",
    "test_everything_at_once",
    "test_differential",
    "test_window",
    "test_power_cuts",
    "test_kills",
)
"""Modules that take longest: each stays on one worker, and when they come first the workers end together."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    _mark_what_is_long(items)
    yield
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


def _mark_what_is_long(items: list[pytest.Item]) -> None:
    oldest = min(versions(), key=lambda each: each.major)
    for item in items:
        chosen = getattr(item, "callspec", None)
        binaries = [each for each in chosen.params.values() if isinstance(each, Binaries)] if chosen else []
        if item.path.stem not in EACH_VERSION and any(each.major != oldest.major for each in binaries):
            item.add_marker(pytest.mark.long)
