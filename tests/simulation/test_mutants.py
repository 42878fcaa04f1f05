"""The simulator has teeth: every seeded mutant is caught within a few sessions."""

import pytest

from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.world import Session

MOST_SESSIONS = 40


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_simulator_kills_the_mutant(mutant: Mutant) -> None:
    assert any(_breaks_a_promise(mutant, seed) for seed in range(MOST_SESSIONS)), f"{mutant.name} survived"


def _breaks_a_promise(mutant: Mutant, seed: int) -> bool:
    session = Session(
        seed, make_store=mutant.make_store, make_engine=mutant.make_engine, faults=mutant.faults
    )
    try:
        session.run()
    except (AssertionError, KeyError):
        return True
    return False
