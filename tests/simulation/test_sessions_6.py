"""Thousands of seeded sessions over dictionaries keep every promise."""

import pytest

from tests.simulation.runs import SEEDS_A_TEST, run_seeds, starts

PART = 5


@pytest.mark.parametrize("first", starts(PART))
def test_sessions_keep_every_promise(first: int) -> None:
    run_seeds(range(first, first + SEEDS_A_TEST))
