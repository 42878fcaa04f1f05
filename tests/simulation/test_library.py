"""Sessions that once showed a fault, and that a session is a function of its script."""

from pathlib import Path

import pytest

from tests.simulation.runs import Kept, library
from tests.simulation.script import draw, dump, load
from tests.simulation.sqlite import stores_in
from tests.simulation.world import Session


@pytest.mark.parametrize("kept", library(), ids=lambda kept: str(kept.script.seed))
def test_a_session_that_once_failed_keeps_every_promise(kept: Kept, tmp_path: Path) -> None:
    Session(kept.script).run()
    Session(kept.script, stores_in(tmp_path)).run()


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert Session(draw(seed)).run().trace_hash == Session(load(dump(draw(seed)))).run().trace_hash


def test_other_seeds_give_other_traces() -> None:
    assert len({Session(draw(seed)).run().trace_hash for seed in range(20)}) == 20
