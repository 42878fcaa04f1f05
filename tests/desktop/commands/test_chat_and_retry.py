"""Chats and what is set aside, changed by the command line without a server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from desktop.cli import main
from storage.outbound import outbox
from storage.paths import STORE_NAME
from storage.records import ChatId, MessageId
from storage.store import Store

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path), *words])

    return invoke


def test_a_chat_is_pinned_archived_deleted_and_brought_back(run: Run) -> None:
    chat = str(told(run("chat", "new", "Trip", "--json"))["chat_id"])
    for words, field, value in (
        (["pin"], "pinned", True),
        (["pin", "--undo"], "pinned", False),
        (["archive"], "archived", True),
        (["archive", "--undo"], "archived", False),
        (["delete"], "deleted", True),
        (["restore"], "deleted", False),
    ):
        assert told(run("chat", *words, chat, "--json")) == {"chat_id": chat, field: value}


def test_the_list_follows(run: Run) -> None:
    chat = str(told(run("chat", "new", "Trip", "--json"))["chat_id"])
    run("send", chat, "hello")
    run("chat", "archive", chat)
    assert run("chat", "list").stdout == ""
    assert chat in run("chat", "list", "--archived").stdout
    run("chat", "archive", chat, "--undo")
    assert chat in run("chat", "list").stdout
    assert "homing chat restore" in run("chat", "delete", chat).stdout
    assert run("chat", "list").stdout == ""
    run("chat", "restore", chat)
    assert chat in run("chat", "list").stdout


@pytest.mark.parametrize("command", ["pin", "archive", "delete", "restore"])
def test_an_unknown_chat_is_told_in_one_line(run: Run, command: str) -> None:
    result = run("chat", command, "nowhere", "--json")
    assert (result.exit_code, result.stdout, len(result.stderr.strip().splitlines())) == (1, "", 1)


def test_what_was_set_aside_is_queued_again(run: Run, tmp_path: Path) -> None:
    chat = str(told(run("chat", "new", "Trip", "--json"))["chat_id"])
    message = str(told(run("send", chat, "hello", "--json"))["message_id"])
    for words in (["--all"], [chat, message]):
        set_aside(tmp_path, chat, message)
        assert '"rejected"' in run("history", chat, "--json").stdout
        assert told(run("retry", *words, "--json")) == {"retried": 1}
        assert '"pending"' in run("history", chat, "--json").stdout
    assert told(run("retry", "--all", "--json")) == {"retried": 0}


@pytest.mark.parametrize(
    ("words", "status"), [([], 2), (["chat"], 2), (["--all", "chat"], 2), (["nowhere", "m1"], 1)]
)
def test_wrong_usage_of_retry_and_an_unknown_chat_change_nothing(
    run: Run, words: list[str], status: int
) -> None:
    result = run("retry", *words)
    assert (result.exit_code, result.stdout) == (status, "")


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def set_aside(data_dir: Path, chat: str, message: str) -> None:
    store = Store.open(data_dir / "profiles" / "default" / STORE_NAME)
    store.write(lambda tx: outbox.set_aside(tx, ChatId(chat), [MessageId(message)], "No.")).result()
    store.close()
