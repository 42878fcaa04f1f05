"""The unit for systemd, as far as its own tools can tell."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "homing-serve.service"
pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")


def _analyze(*words: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_is_well_formed_and_exposes_little(tmp_path: Path) -> None:
    # The check wants the program to be there.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/homing/bin/homing", "/bin/true"))
    assert _analyze("verify", str(unit)) == ""
    level = re.search(
        r"Overall exposure level.*: ([\d.]+)", _analyze("security", "--offline=true", "--no-pager", str(unit))
    )
    assert level is not None
    assert float(level[1]) < 2.0
