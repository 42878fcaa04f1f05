"""The real `homing` as a user's terminal would run it: in processes of its own, or, far quicker, in this one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from desktop.cli import main

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every JSON object on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        (row,) = self.rows
        return row


@dataclass(frozen=True)
class Device:
    """One data directory: a computer, as far as Homing can tell."""

    data_dir: Path
    in_process: bool = False
    """Whether its commands run in this process: what they do is the same, and starting Python is not what is tested."""

    def run(self, *words: str, stdin: str | None = None) -> Answer:
        """Run one command to its end."""
        arguments = ["--json", "--data-dir", str(self.data_dir), *words]
        if self.in_process:
            result = CliRunner(env=environment()).invoke(main, arguments, input=stdin, prog_name="homing")
            return Answer(result.exit_code, result.stdout, result.stderr)
        done = subprocess.run(
            [sys.executable, "-m", "desktop", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment(),
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, stdin: str | None = None) -> Answer:
        """Run one command that must succeed and say nothing on stderr."""
        answer = self.run(*words, stdin=stdin)
        assert (answer.status, answer.err) == (0, ""), (words, answer)
        return answer


@dataclass(frozen=True)
class Server:
    """A running `homing serve`, as its ready line describes it."""

    url: str
    key: str
    process: subprocess.Popen[str]

    def credentials(self, email: str) -> tuple[str, ...]:
        """The options that name this server and a person on it."""
        return ("--url", self.url, "--key", self.key, "--email", email)


def environment() -> dict[str, str]:
    """Return the environment of a user who keeps sessions in a file and types no password."""
    return {**os.environ, "HOMING_SESSION_STORE": "file", "HOMING_PASSWORD": PASSWORD}


@contextmanager
def serving(data_dir: Path, *, port: int = 0) -> Iterator[Server]:
    """Run `homing serve` until the end of the block, then stop it as Ctrl+C would and expect a clean end."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "desktop",
            "serve",
            "--json",
            "--port",
            str(port),
            "--data-dir",
            str(data_dir),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    ready = json.loads(line)
    try:
        yield Server(ready["url"], ready["publishable_key"], process)
    finally:
        process.terminate()
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 0, complaint
