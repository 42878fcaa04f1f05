"""Thousands of seeded sessions of three devices keep every promise, over dictionaries and over SQLite."""

from pathlib import Path

import pytest

from tests.simulation.sqlite import stores_in
from tests.simulation.world import Session

SESSIONS = 5000
CHUNK = 250
SQLITE_SESSIONS = 300
SQLITE_CHUNK = 50

KEPT_SEEDS = (6, 10, 14, 15, 21, 39, 73, 98, 103, 137, 248, 294, 298, 368, 385, 521, 1327, 2496, 2514, 10390)
"""Each of these once showed a fault in the engine, a store or the simulator itself."""


@pytest.mark.parametrize("seed", KEPT_SEEDS)
def test_a_seed_that_once_failed_keeps_every_promise(seed: int, tmp_path: Path) -> None:
    Session(seed).run()
    Session(seed, make_store=stores_in(tmp_path)).run()


@pytest.mark.parametrize("first", range(0, SESSIONS, CHUNK))
def test_sessions_keep_every_promise(first: int) -> None:
    for seed in range(first, first + CHUNK):
        _run(Session(seed))


@pytest.mark.parametrize("first", range(0, SQLITE_SESSIONS, SQLITE_CHUNK))
def test_sessions_on_sqlite_keep_every_promise(first: int, tmp_path: Path) -> None:
    make_store = stores_in(tmp_path)
    for seed in range(first, first + SQLITE_CHUNK):
        _run(Session(seed, make_store=make_store))


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert Session(seed).run() == Session(seed, keep_trace=True).run()


def test_other_seeds_give_other_traces() -> None:
    assert len({Session(seed).run() for seed in range(20)}) == 20


def _run(session: Session) -> None:
    try:
        session.run()
    except AssertionError as error:
        raise AssertionError(
            f"{error}\nreplay: python -m tests.simulation --seed {session.seed} --trace"
        ) from error
