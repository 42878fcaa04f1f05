"""Many sessions in a row, the library of those that once failed, and what is left of one when it is shrunk."""

import os
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.memory import MemoryStore
from tests.simulation.port import StorePort
from tests.simulation.script import Script, draw, load, smaller
from tests.simulation.world import Session

LIBRARY = Path(__file__).with_name("library.toml")
BROKEN = (AssertionError, LookupError)
SCALE = float(os.environ.get("HOMING_SIMULATION_SCALE", "1"))
"""Of the long runs: 0.01 runs a hundredth of their sessions."""

SESSIONS, FILES, SEEDS_A_TEST = 60_000, 6, 1_000
SQLITE_SESSIONS, SQLITE_FILES, SQLITE_SEEDS_A_TEST = 6_000, 4, 250
"""On each push, spread over files, each of which runs on one worker."""

Maker = Callable[[], StorePort]


def starts(part: int) -> range:
    """The first seed of each test of a file."""
    each = SESSIONS // FILES
    return range(part * each, (part + 1) * each, SEEDS_A_TEST)


def sqlite_starts(part: int) -> range:
    """The first seed of each test of a file over SQLite."""
    each = SQLITE_SESSIONS // SQLITE_FILES
    return range(part * each, (part + 1) * each, SQLITE_SEEDS_A_TEST)


@dataclass(frozen=True)
class Kept:
    """A session that once showed a fault, and which."""

    showed: str
    script: Script


def run_seeds(seeds: Iterable[int], make_store: Maker = MemoryStore, *, long: bool = False) -> None:
    """Run each; the first that breaks a promise says how to see it again."""
    for seed in seeds:
        try:
            Session(draw(seed, long=long), make_store).run()
        except BROKEN as error:
            how = (
                f"--seed {seed}{' --long' if long else ''}{'' if make_store is MemoryStore else ' --sqlite'}"
            )
            raise AssertionError(f'{error!r}\nreplay: make sim ARGS="{how} --trace"') from error


def fault_of(script: Script, make_store: Maker = MemoryStore) -> str | None:
    """What the session breaks."""
    try:
        Session(script, make_store).run()
    except BROKEN as error:
        return f"{type(error).__name__}: {error}"
    return None


def shrink(script: Script, make_store: Maker = MemoryStore) -> Script:
    """The script without any act or kind of weather that the fault does not need."""
    kind = _kind(fault_of(script, make_store))
    found = True
    while found:
        found = False
        for candidate in smaller(script):
            if _kind(fault_of(candidate, make_store)) == kind:
                script, found = candidate, True
                break
    return script


def library() -> list[Kept]:
    """The sessions that always run."""
    entries = tomllib.loads(LIBRARY.read_text("utf-8"))["session"]
    return [
        Kept(entry["showed"], load(entry["script"]) if "script" in entry else draw(entry["seed"]))
        for entry in entries
    ]


def _kind(fault: str | None) -> str | None:
    """A fault without its particulars, so that shrinking does not drift from one to another."""
    if fault is None:
        return None
    words = "".join(letter for letter in fault if not letter.isdigit()).split()
    return " ".join(words[:4])
