"""`make bench`: measure everything, or the groups named on the command line."""

import sys
import tempfile
from pathlib import Path

from benchmarks import appending, stepping, store, syncing, turning, window
from benchmarks.report import Report, machine, resident_mb
from tests.fakes.folders import open_folder
from tests.flows.homing_process import serving

GROUPS = ("store", "append", "turn", "engine", "sync", "window")


def main(chosen: list[str]) -> None:
    """Print the machine and each chosen group of figures."""
    unknown = set(chosen) - set(GROUPS)
    if unknown:
        sys.exit(f"Unknown group {', '.join(sorted(unknown))}: choose from {', '.join(GROUPS)}.")
    groups = chosen or GROUPS
    report = Report()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="homing-bench-") as name:
        folder = Path(name)
        if "store" in groups:
            store.measure(report, folder)
        if "append" in groups:
            with open_folder() as direct:
                appending.measure_direct(report, direct)
        if "turn" in groups:
            with open_folder() as turned:
                turning.measure(report, turned)
        if "engine" in groups:
            stepping.measure(report, folder)
        if {"append", "sync"} & set(groups):
            with open_folder() as served, serving(served) as server:
                if "append" in groups:
                    appending.measure_http(report, server)
                if "sync" in groups:
                    syncing.measure(report, folder, server)
                report.row(
                    "resident memory of homing serve, without PostgreSQL",
                    f"{resident_mb(server.process.pid):.0f} MB",
                )
        if "window" in groups:
            window.measure(report, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
