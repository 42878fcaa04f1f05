import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kills", [400, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(path: Path, kills: int) -> None:
    """I1, I2, I11: kills at random times while a person writes and sync pulls."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fakes.killed_store", str(path), "20261121", str(kills)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("0 lost\n")
