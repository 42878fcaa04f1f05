"""The simulator has teeth: every seeded mutant is caught within a few sessions."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice

import pytest

from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.runs import BROKEN
from tests.simulation.script import Script, draw
from tests.simulation.world import Session

MOST_SESSIONS = 80


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_simulator_kills_the_mutant(mutant: Mutant) -> None:
    scripts = islice(_scripts(mutant), MOST_SESSIONS)
    assert any(_breaks_a_promise(mutant, script) for script in scripts), f"{mutant.name} survived"


def _scripts(mutant: Mutant) -> Iterator[Script]:
    for seed in count():
        script = draw(seed)
        if mutant.kind is None or any(act.kind is mutant.kind for act in script.acts):
            yield script if mutant.faults is None else replace(script, faults=mutant.faults)


def _breaks_a_promise(mutant: Mutant, script: Script) -> bool:
    try:
        Session(script, mutant.make_store, mutant.make_engine).run()
    except BROKEN:
        return True
    return False
