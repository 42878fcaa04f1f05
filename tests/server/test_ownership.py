"""Commands in a folder of another user, or in one that cannot be used: one line, and nothing changed."""

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from desktop.cli import main
from server import keys
from tests.fakes.folders import open_folder

COMMANDS = (
    "status",
    "begin-epoch",
    "rotate-keys",
    "backup {folder}/new.dump",
    "restore {folder}/none.dump",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def refused(folder: Path, *words: str) -> str:
    answer = CliRunner().invoke(main, ["--data-dir", str(folder), "--json", *words])
    assert answer.exit_code == 1, answer.exception
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.endswith(".")
    return line


def _server(*command: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("command", command, ids=lambda each: each.split()[0])


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be in the way so")
@_server(*COMMANDS)
def test_root_in_the_folder_of_a_service_is_told_whose_it_is(folder: Path, command: str) -> None:
    root = folder / "server"
    keys.load(root)
    owner = pwd.getpwnam("daemon")
    for path in (root, *root.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    before = sorted((path.name, path.read_bytes()) for path in root.iterdir())
    line = refused(folder, "server", *command.format(folder=folder).split())
    assert line == f"Error: {root} belongs to daemon: run this as daemon (sudo -u daemon …)."
    assert refused(folder, "serve", "--port", "0") == line
    assert sorted((path.name, path.read_bytes()) for path in root.iterdir()) == before


@_server(*COMMANDS)
def test_a_folder_that_cannot_be_used_is_named_in_one_line(folder: Path, command: str) -> None:
    (folder / "server").write_text("in the way")
    line = refused(folder, "server", *command.format(folder=folder).split())
    assert str(folder) in line
    assert (folder / "server").read_text() == "in the way"


def test_keys_that_were_never_made_are_not_replaced(folder: Path) -> None:
    line = refused(folder, "server", "rotate-keys", "--revoke")
    assert line.startswith(f"Error: No server has served from {folder} yet")
    assert not (folder / "server").exists()
