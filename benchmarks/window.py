"""The window: cold and warm start to the first painted frame, and resident memory."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Report, quantile, resident_mb

STARTS = 7


def measure(report: Report, folder: Path) -> None:
    """Measure starts of the real window on Qt's offscreen platform."""
    report.heading("Window (offscreen, software rendering)")
    frames, totals, memory = [], [], []
    for _ in range(STARTS):
        frame, total, resident = _start(folder)
        frames.append(frame)
        totals.append(total)
        memory.append(resident)
    report.row("start to first painted frame, first start", f"{totals[0] * 1e3:.0f} ms")
    report.row("start to first painted frame, later starts", f"p50 {quantile(totals[1:], 0.5) * 1e3:.0f} ms")
    report.row("  of it inside Homing (without the interpreter)", f"p50 {quantile(frames[1:], 0.5):.0f} ms")
    report.row("resident memory after the first frame settled", f"{quantile(memory, 0.5):.0f} MB")


def _start(folder: Path) -> tuple[float, float, float]:
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QT_QUICK_BACKEND": "software",
        "HOMING_TRACE_START": "1",
        "HOMING_SESSION_STORE": "memory",
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "desktop", "--data-dir", str(folder / "window")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "first-frame" in line)
        total = time.perf_counter() - started
        time.sleep(2)  # what is imported after the first frame belongs to the memory figure
        return float(json.loads(line)["ms"]), total, resident_mb(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stderr.close()
