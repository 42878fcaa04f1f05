"""An installation of the desktop alone, without the libraries of the server."""

import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT = "import sys; sys.modules['psycopg'] = None; from desktop.cli import main; main(sys.argv[1:])"


@pytest.mark.parametrize(
    "command", ["serve", "server status", "server backup x.dump", "server restore x.dump"]
)
def test_a_command_of_the_server_says_what_to_install(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "--data-dir", str(tmp_path), *command.split()],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert line == "Error: The server's libraries are not installed (psycopg): pip install 'homing[server]'"
    assert done.returncode == 1
