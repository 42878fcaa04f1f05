"""The command line without a server: what it prints, how it exits, and that bad input changes nothing."""

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from desktop.cli import main
from storage import accounts, chats, messages
from storage.paths import STORE_NAME
from storage.records import Account, AccountId, ChatId
from storage.store import Store
from storage.transaction import Transaction

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run one command on a data directory of its own."""

    def invoke(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path), *words], input=stdin)

    return invoke


def _rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def _chat(run: Run, title: str = "Notes") -> str:
    (row,) = _rows(run("--json", "chat", "new", title))
    return str(row["chat_id"])


def _one_line(result: Result) -> str:
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    return line


def test_a_sent_message_is_pending_and_in_the_history(run: Run) -> None:
    chat = _chat(run)
    (sent,) = _rows(run("send", chat, "Hello", "--json"))
    (row,) = _rows(run("history", chat, "--json"))
    assert row["message_id"] == sent["message_id"]
    assert (row["sequence_num"], row["sync_state"], row["role"]) == (None, "pending", "user")
    assert row["content"] == [{"type": "text", "text": "Hello"}]


def test_a_dash_reads_the_text_from_standard_input(run: Run) -> None:
    chat = _chat(run)
    run("send", chat, "-", stdin="several\nlines")
    (row,) = _rows(run("history", chat, "--json"))
    assert row["content"][0]["text"] == "several\nlines"


def test_a_line_break_of_windows_at_the_end_is_left_out_too(run: Run) -> None:
    chat = _chat(run)
    run("send", chat, "-", stdin="one\r\ntwo\r\n")
    (row,) = _rows(run("history", chat, "--json"))
    assert row["content"][0]["text"] == "one\r\ntwo"


def test_history_is_newest_first_and_limited(run: Run) -> None:
    chat = _chat(run)
    for number in range(5):
        run("send", chat, f"{number}")
    rows = _rows(run("history", chat, "--limit", "3", "--json"))
    assert [row["content"][0]["text"] for row in rows] == ["4", "3", "2"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_global_options_are_taken_before_and_after_the_command(run: Run, place: str) -> None:
    words = ["--json", "chat", "list"] if place == "before" else ["chat", "list", "--json"]
    _chat(run, "Somewhere")
    assert [row["title"] for row in _rows(run(*words))] == ["Somewhere"]


def test_the_data_directory_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMING_DATA_DIR", str(tmp_path / "env"))
    CliRunner().invoke(main, ["chat", "new", "There"])
    assert (tmp_path / "env/profiles/default/homing.sqlite3").is_file()


def test_an_option_before_the_command_wins_over_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMING_DATA_DIR", str(tmp_path / "env"))
    _chat(run)
    assert not (tmp_path / "env").exists()


def test_profiles_are_apart(run: Run) -> None:
    _chat(run, "Mine")
    assert _rows(run("--profile", "work", "chat", "list", "--json")) == []


def test_renaming_tells_the_new_title(run: Run) -> None:
    chat = _chat(run)
    (row,) = _rows(run("chat", "rename", chat, "Better", "--json"))
    assert row == {"chat_id": chat, "title": "Better"}


def test_status_counts_what_waits(run: Run) -> None:
    chat = _chat(run)
    run("send", chat, "One")
    (row,) = _rows(run("status", "--json"))
    assert (row["account"], row["pending"], row["synced"], row["rejected"]) == (None, 1, 0, 0)
    assert row["oldest_pending_seconds"] >= 0


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("send", "{chat}", ""), None, "empty"),
        (("send", "{chat}", " \n"), None, "empty"),
        (("send", "{chat}", "-"), "x" * (2 << 20), "1 mib"),
        (("send", "no-such-chat", "Hello"), None, "chat"),
        (("history", "no-such-chat"), None, "chat"),
        (("chat", "rename", "no-such-chat", "Title"), None, "chat"),
        (("--profile", "../elsewhere", "chat", "list"), None, "profile"),
        (("sync",), None, "sign"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
)
def test_bad_input_is_one_line_and_changes_nothing(
    run: Run, words: tuple[str, ...], stdin: str | None, said: str
) -> None:
    chat = _chat(run)
    line = _one_line(run(*[word.replace("{chat}", chat) for word in words], stdin=stdin))
    assert said in line.lower()
    assert _rows(run("history", chat, "--json")) == []


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("send",), ("history", "c", "--limit", "0"), ("account", "sign-in")],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_store_of_a_newer_homing_is_refused_untouched(run: Run, tmp_path: Path) -> None:
    _chat(run)
    path = tmp_path / "profiles/default/homing.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name) values ('homing', 'm9999_from_the_future')"
        )
    db.close()
    before = path.read_bytes()
    assert "newer" in _one_line(run("chat", "list")).lower()
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_told_and_kept(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "profiles/default/homing.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is not a database at all" * 200)
    before = path.read_bytes()
    _one_line(run("chat", "list"))
    assert path.read_bytes() == before


@pytest.fixture
def foreign_chat(tmp_path: Path) -> ChatId:
    """A chat of an account that signed out of this computer."""
    anna = Account(AccountId("anna"), "http://127.0.0.1", "key", "anna@example.org", "uid", signed_in=False)
    store = Store.open(tmp_path / "profiles" / "default" / STORE_NAME)

    def job(tx: Transaction) -> ChatId:
        accounts.remember(tx, anna)
        chat = chats.create(tx, "Anna's own", account_id=anna.account_id)
        messages.commit(tx, chat.chat_id, "Nobody else's business")
        return chat.chat_id

    try:
        return store.write(job).result()
    finally:
        store.close()


@pytest.mark.parametrize(
    "words",
    [("history",), ("send", "Slipped in"), ("chat", "rename", "Seized")],
    ids=["history", "send", "rename"],
)
def test_the_chats_of_an_account_that_is_not_active_are_out_of_reach(
    run: Run, foreign_chat: ChatId, words: tuple[str, ...]
) -> None:
    verb, rest = (words[:2], words[2:]) if words[0] == "chat" else (words[:1], words[1:])
    no_chat = _one_line(run(*verb, str(uuid4()), *rest))

    assert _one_line(run(*verb, foreign_chat, *rest)).split(" here:")[1] == no_chat.split(" here:")[1]
    (status,) = _rows(run("--json", "status"))
    assert (status["pending"], status["accounts"][0]["pending"]) == (0, 1)


def test_without_a_terminal_the_password_is_asked_for_by_naming_the_variable(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOMING_PASSWORD", raising=False)
    monkeypatch.setenv("HOMING_SESSION_STORE", "memory")
    said = run("account", "sign-in", "--url", "http://127.0.0.1:9", "--key", "k", "--email", "a@example.org")
    assert "HOMING_PASSWORD" in _one_line(said)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_the_window_is_refused_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert "display" in _one_line(run())


def test_the_bad_session_store_choice_is_told_with_the_good_ones(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMING_SESSION_STORE", "cloud")
    line = _one_line(run("sync"))
    assert all(choice in line for choice in ("keyring", "file", "memory"))
