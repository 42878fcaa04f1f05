"""A restore as devices live it: they find out by themselves and send again what the backup lacks."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from desktop.cli import main
from tests.fakes.folders import open_folder
from tests.fakes.served import PASSWORD, serving


class Device:
    """One data directory, used by the command line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def homing(self, *words: str) -> list[dict[str, Any]]:
        answer = CliRunner().invoke(main, ["--data-dir", str(self._folder), "--json", *words])
        assert answer.exit_code == 0, answer.output
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def history(self, chat: str) -> list[tuple[int, str]]:
        rows = self.homing("history", chat)
        assert all(row["sync_state"] == "synced" for row in rows)
        return [(row["sequence_num"], row["content"][0]["text"]) for row in reversed(rows)]


def test_what_a_backup_lacks_comes_back_from_the_devices_and_nothing_is_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOMING_SESSION_STORE", "file")
    monkeypatch.setenv("HOMING_PASSWORD", PASSWORD)
    with open_folder() as folder:
        first, second = Device(folder / "first"), Device(folder / "second")
        operator, file = Device(folder / "server"), str(folder / "homing.backup")
        with serving(folder / "server") as served:
            port = int(served.url.rpartition(":")[2])
            login = ("--url", served.url, "--key", served.key, "--email", "anna@example.test")
            first.homing("account", "sign-up", *login)
            chat = str(first.homing("chat", "new", "kept")[0]["chat_id"])
            first.homing("send", chat, "in the backup")
            first.homing("sync")
            operator.homing("server", "backup", file)
            first.homing("send", chat, "after the backup")
            first.homing("sync")
            second.homing("account", "sign-in", *login)
            second.homing("sync")
            assert second.history(chat) == first.history(chat)
        operator.homing("server", "restore", file)
        first.homing("send", chat, "while it was away")
        with serving(folder / "server", port=port):
            # The second signed in after the backup, so the server does not know its session.
            second.homing("account", "sign-in", *login)
            for device in (first, second, first, second):
                device.homing("sync")
            told = first.history(chat)
            assert second.history(chat) == told
            assert told[0] == (1, "in the backup")
            assert sorted(told) == [(number, words) for number, (_, words) in enumerate(told, 1)]
            assert {words for _, words in told} == {"in the backup", "after the backup", "while it was away"}
