"""The pages name tests and commands; a page that names one that is not there would promise too much."""

import re
from pathlib import Path

import click
import pytest

from desktop.cli import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def _commands(group: click.Group, words: str = "") -> list[str]:
    names: list[str] = []
    for name, command in group.commands.items():
        below = _commands(command, f"{words}{name} ") if isinstance(command, click.Group) else []
        names += below or [f"{words}{name}"]
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", page.read_text()):
        source = (ROOT / path).read_text()
        assert not name or f"def {name}(" in source, f"{page.name} names {path}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("command", _commands(main))
def test_every_command_explains_itself(command: str) -> None:
    found: click.Command = main
    for word in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[word]
    assert found.help
