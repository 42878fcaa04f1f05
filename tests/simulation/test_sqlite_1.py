"""Thousands of seeded sessions over the real storage package keep every promise."""

from pathlib import Path

import pytest

from tests.simulation.runs import SQLITE_SEEDS_A_TEST, run_seeds, sqlite_starts
from tests.simulation.sqlite import stores_in

PART = 0


@pytest.mark.parametrize("first", sqlite_starts(PART))
def test_sessions_on_sqlite_keep_every_promise(first: int, tmp_path: Path) -> None:
    run_seeds(range(first, first + SQLITE_SEEDS_A_TEST), stores_in(tmp_path))
