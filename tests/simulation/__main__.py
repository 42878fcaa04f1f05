"""Replay one seeded session: `python -m tests.simulation --seed N [--trace]`."""

import argparse
import sys

from tests.simulation.world import Session


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--trace", action="store_true", help="print what happened, virtual second by second")
    arguments = parser.parse_args()
    session = Session(arguments.seed, keep_trace=arguments.trace)
    try:
        digest = session.run()
    except AssertionError as error:
        digest = ""
        sys.stdout.write(f"broken: {error}\n")
    if arguments.trace:
        sys.stdout.write("\n".join([*session.clockwork.lines, ""]))
    sys.stdout.write(f"seed {arguments.seed} trace {digest}\n")
    return 0 if digest else 1


if __name__ == "__main__":
    sys.exit(main())
