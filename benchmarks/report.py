"""How figures are gathered and printed."""

import os
import platform
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """Rows of figures under one heading each, printed as they come."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Start a group of figures."""
        print(f"\n{text}", flush=True)

    def row(self, name: str, figure: str) -> None:
        """Print and keep one figure."""
        self.rows.append((name, figure))
        print(f"  {name:<58} {figure}", flush=True)

    def times(self, name: str, seconds: Sequence[float]) -> None:
        """Print the median and the tail of many timings, in milliseconds."""
        self.row(
            name, f"p50 {quantile(seconds, 0.5) * 1e3:.2f} ms   p99 {quantile(seconds, 0.99) * 1e3:.2f} ms"
        )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes, 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def machine() -> str:
    """Describe where the figures come from."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
