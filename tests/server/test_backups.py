"""Backups of a real server and their return: nothing lost, people stay signed in, devices are told, failures change nothing."""

import json
import shutil
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from desktop.cli import main
from server.errors import BackupFailed
from server.postgres.supervisor import Postgres
from server.upkeep import dumps
from tests.fakes.folders import open_folder
from tests.fakes.served import Person, serving
from tests.fakes.waiting import wait_for


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def homing(folder: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(folder), "server", *map(str, words)])


def asked(folder: Path, *words: object) -> dict[str, Any]:
    answer = homing(folder, *words, "--json")
    assert answer.exit_code == 0, answer.output
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def refused(folder: Path, *words: object) -> str:
    answer = homing(folder, *words)
    assert answer.exit_code == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(".")
    return line


def write(person: Person, chat: str, *ids: str) -> None:
    person.rpc("save_chats", p_chats=[{"chat_id": chat, "title": "kept"}]).raise_for_status()
    messages = [{"message_id": each, "role": "user", "content": each} for each in ids]
    person.rpc("append_messages", p_chat_id=chat, p_messages=messages).raise_for_status()


def ids(person: Person, chat: str) -> list[str]:
    answer = person.rpc("list_messages", p_chat_id=chat)
    assert answer.status_code == 200, answer.text
    rows = answer.json()
    return [row["message_id"] for row in reversed(rows)]


def epoch(person: Person) -> str:
    return str(person.rpc("pull_changes", p_epoch=None, p_cursor=0).json()["epoch"])


def test_a_backup_made_while_serving_brings_that_moment_back_in_a_new_epoch(folder: Path) -> None:
    file, chat = folder / "homing.backup", str(uuid.uuid4())
    with serving(folder / "data") as served:
        anna = served.sign_up()
        write(anna, chat, "before")
        made = asked(folder / "data", "backup", file)
        write(anna, chat, "after")
        first_epoch = epoch(anna)
        assert "stop it" in refused(folder / "data", "restore", file)
        assert ids(anna, chat) == ["before", "after"]
    assert made["octets"] == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in folder.iterdir()) == ["data", "homing.backup"]
    restored = asked(folder / "data", "restore", file)
    assert (restored["users"], restored["chats"]) == (1, 1)
    with serving(folder / "data") as served:
        anna = anna.at(served)
        assert ids(anna, chat) == ["before"]
        assert epoch(anna) != first_epoch
        write(anna, chat, "after")
        assert ids(anna, chat) == ["before", "after"]
        status = asked(folder / "data", "status")
        assert status["last_backup"]["file"] == str(file.resolve())
        assert (status["users"], status["chats"], status["serving"]) == (1, 1, True)


def test_what_was_there_before_a_restore_is_kept_until_the_next(folder: Path) -> None:
    file, chat = folder / "homing.backup", str(uuid.uuid4())
    with serving(folder) as served:
        anna = served.sign_up()
    asked(folder, "backup", file)
    with serving(folder) as served:
        write(anna.at(served), chat, "only here")
    for _ in range(2):
        assert asked(folder, "restore", file)["earlier"] == "homing_before_restore"
    with Postgres(folder / "server") as postgres, psycopg.connect(postgres.start()) as db:
        names = {row[0] for row in db.execute("select datname from pg_database").fetchall()}
    assert names == {"homing", "homing_before_restore", "postgres", "template0", "template1"}


def test_on_a_new_machine_with_the_keys_people_stay_signed_in(folder: Path) -> None:
    file, chat = folder / "homing.backup", str(uuid.uuid4())
    with serving(folder / "old") as served:
        anna = served.sign_up()
        write(anna, chat, "before")
        asked(folder / "old", "backup", file)
    asked(folder / "new", "restore", file)
    for name in ("jwt-secret", "publishable-key"):
        shutil.copy(folder / "old" / "server" / name, folder / "new" / "server" / name)
    with serving(folder / "new") as served:
        anna = anna.at(served)
        assert ids(anna, chat) == ["before"]


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def _smashed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-len(content) // 3 :] = b"\x00" * (len(content) // 3)
    file.write_bytes(content)


_SPOILT: tuple[Callable[[Path], object], ...] = (
    _truncated,
    _smashed,
    lambda file: file.write_text("no backup"),
    lambda file: file.unlink(),
)


def test_a_file_that_is_no_whole_backup_changes_nothing(folder: Path) -> None:
    file, chat = folder / "homing.backup", str(uuid.uuid4())
    with serving(folder) as served:
        anna = served.sign_up()
        write(anna, chat, "a" * 1000, *(uuid.uuid4().hex * 4 for _ in range(200)))
        asked(folder, "backup", file)
        first_epoch = epoch(anna)
    whole = file.read_bytes()
    for spoil in _SPOILT:
        file.write_bytes(whole)
        spoil(file)
        refused(folder, "restore", file)
    with serving(folder) as served:
        anna = anna.at(served)
        assert len(ids(anna, chat)) == 50
        assert epoch(anna) == first_epoch


def test_a_backup_that_fails_leaves_the_earlier_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_major: int, file: Path) -> str:
        assert file.stat().st_size > 0
        raise BackupFailed("It does not read back: try again.")

    with Postgres(folder / "data" / "server") as postgres:
        postgres.start()
    (folder / "backups").mkdir()
    file = folder / "backups" / "homing.backup"
    file.write_text("the earlier one")
    monkeypatch.setattr(dumps, "verify", unreadable)
    refused(folder / "data", "backup", file)
    assert file.read_text() == "the earlier one"
    assert list(file.parent.iterdir()) == [file]
    refused(folder / "data", "backup", folder / "nowhere" / "homing.backup")


def test_a_command_about_a_server_that_never_was_makes_none(folder: Path) -> None:
    for words in (("backup", folder / "file"), ("status",), ("begin-epoch",)):
        assert "homing serve" in refused(folder / "data", *words)
    assert not (folder / "data" / "server" / "cluster").exists()


def test_a_restore_that_is_killed_leaves_what_was_there(folder: Path) -> None:
    file, chat = folder / "homing.backup", str(uuid.uuid4())
    with serving(folder) as served:
        anna = served.sign_up()
        write(anna, chat, *(uuid.uuid4().hex for _ in range(300)))
        asked(folder, "backup", file)
    command = [sys.executable, "-m", "desktop", "--data-dir", str(folder), "server", "restore", str(file)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE)
    data = folder / "server" / "cluster" / "data"
    databases = len(list((data / "base").iterdir()))
    wait_for(lambda: len(list((data / "base").iterdir())) > databases or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    with serving(folder) as served:
        assert len(ids(anna.at(served), chat)) == 50
    assert asked(folder, "restore", file)["chats"] == 1


def test_a_new_epoch_begins_while_the_server_serves(folder: Path) -> None:
    with serving(folder) as served:
        anna, bert = served.sign_up(), served.sign_up()
        before = {epoch(anna), epoch(bert)}
        assert asked(folder, "begin-epoch") == {"owners": 2}
        assert not before & {epoch(anna), epoch(bert)}
