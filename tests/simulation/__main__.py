"""The simulator as a tool: `python -m tests.simulation --seed 7 --trace`, or `--from 0 --count 10000`.

A seed replays one session exactly. `--trace` tells what happened, virtual second by second; `--shrink` drops what a
failing session does not need and prints it as a script for `tests/simulation/library.toml`.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.memory import MemoryStore
from tests.simulation.runs import BROKEN, Maker, fault_of, shrink
from tests.simulation.script import Script, draw, dump, load
from tests.simulation.sqlite import stores_in
from tests.simulation.world import Session


def main() -> int:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one session")
    parser.add_argument("--script", help="replay a script that --shrink printed")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first of many seeds")
    parser.add_argument("--count", type=int, default=1000, help="how many")
    parser.add_argument("--sqlite", action="store_true", help="devices keep their data in SQLite")
    parser.add_argument("--long", action="store_true", help="long sessions only")
    parser.add_argument("--trace", action="store_true", help="tell what happened")
    parser.add_argument("--shrink", action="store_true", help="drop what the fault does not need")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        make_store: Maker = stores_in(Path(folder)) if arguments.sqlite else MemoryStore
        if arguments.script is not None:
            return _one(load(arguments.script), make_store, arguments)
        if arguments.seed is not None:
            return _one(draw(arguments.seed, long=arguments.long), make_store, arguments)
        return _many(make_store, arguments)


def _one(script: Script, make_store: Maker, arguments: argparse.Namespace) -> int:
    if arguments.shrink and fault_of(script, make_store) is not None:
        script = shrink(script, make_store)
        _say(dump(script))
    session = Session(script, make_store)
    fault = ""
    try:
        session.run()
    except BROKEN as error:
        fault = f"{type(error).__name__}: {error}"
    if arguments.trace:
        _say("\n".join(session.clockwork.lines()))
    _say(f"seed {script.seed}: {fault or 'kept every promise'}; trace {session.clockwork.trace_hash}")
    return 1 if fault else 0


def _many(make_store: Maker, arguments: argparse.Namespace) -> int:
    started, failed = time.monotonic(), 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        script = draw(seed, long=arguments.long)
        if (fault := fault_of(script, make_store)) is not None:
            failed += 1
            _say(f"seed {seed}: {fault}")
            if arguments.shrink:
                _say(dump(shrink(script, make_store)))
    minutes = (time.monotonic() - started) / 60
    _say(f"{arguments.count} sessions, {failed} broken, {arguments.count / minutes:,.0f} a minute")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
