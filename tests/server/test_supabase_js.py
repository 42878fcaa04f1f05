"""The unmodified supabase-js against a running server: opt-in, for it needs Node.js and a download."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.fakes.mailbox import Mailbox
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


@pytest.mark.skipif(not INSTALLED, reason="HOMING_SUPABASE_JS names no node_modules: see docs/development.md")
def test_supabase_js_signs_in_by_codes_and_links(mailing: Served, mailbox: Mailbox) -> None:
    assert INSTALLED is not None
    node = shutil.which("node")
    assert node is not None, "install Node.js 20 or newer"
    command = [node, "--no-warnings", "--experimental-websocket", str(FOLDER / "auth.mjs"), INSTALLED]
    with subprocess.Popen(
        [*command, mailing.url, mailing.key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        asked = []
        for line in script.stdout:
            asked.append(line.strip())
            what, _, email = asked[-1].partition(" ")
            if what == "code":
                print(mailbox.code_to(email), file=script.stdin, flush=True)
            elif what == "link":
                print(httpx.get(mailbox.link_to(email)).headers["Location"], file=script.stdin, flush=True)
    assert script.returncode == 0
    assert asked[-1] == "done"
