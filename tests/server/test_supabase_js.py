"""The unmodified supabase-js against a running server: opt-in, for it needs Node.js and a download."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.served import Served

FOLDER = Path(__file__).parents[1] / "supabase_js"
INSTALLED = os.environ.get("HOMING_SUPABASE_JS")


@pytest.mark.skipif(not INSTALLED, reason="HOMING_SUPABASE_JS names no node_modules: see docs/development.md")
def test_supabase_js_signs_up_writes_reads_listens_refreshes_and_signs_out(served: Served) -> None:
    assert INSTALLED is not None
    library = "@supabase/supabase-js"
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"][library]
    assert json.loads((Path(INSTALLED) / library / "package.json").read_text())["version"] == wanted
    node = shutil.which("node")
    assert node is not None, "install Node.js 20 or newer"
    # Before version 22 Node.js offers its WebSocket only when asked.
    command = [node, "--no-warnings", "--experimental-websocket", str(FOLDER / "check.mjs"), INSTALLED]
    ended = subprocess.run(
        [*command, served.url, served.key], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["pokes"] >= 2
