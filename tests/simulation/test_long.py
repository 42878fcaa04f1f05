"""Millions of sessions, when somebody has the time: see `make test-long`."""

from pathlib import Path

import pytest

from tests.simulation.runs import SCALE, run_seeds
from tests.simulation.sqlite import stores_in

PARTS = 100
SESSIONS, SQLITE_SESSIONS, TANGLES = 5_000_000, 300_000, 100_000
LATER = 10_000_000
"""Seeds from here on run in no shorter test."""


def _seeds(part: int, count: int) -> range:
    each = max(1, int(count * SCALE / PARTS))
    return range(LATER + part * each, LATER + (part + 1) * each)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_millions_of_sessions_keep_every_promise(part: int) -> None:
    run_seeds(_seeds(part, SESSIONS))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_hundreds_of_thousands_on_sqlite_keep_every_promise(part: int, tmp_path: Path) -> None:
    run_seeds(_seeds(part, SQLITE_SESSIONS), stores_in(tmp_path))


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_long_tangles_keep_every_promise(part: int) -> None:
    run_seeds(_seeds(part, TANGLES), long=True)
