"""`homing doctor` as a person types it: on this computer's store, and on the server of the account or of the options."""

import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.flows.homing_process import Device, Server, environment

CHECKS = ("store", "integrity", "references", "texts", "history", "messages", "pending", "backups", "ballast")


def _email() -> str:
    return f"{uuid.uuid4().hex[:12]}@example.org"


def _signed_up(server: Server, one: Device) -> str:
    email = _email()
    one.ok("account", "sign-up", *server.credentials(email))
    return email


def test_the_account_of_the_profile_examines_its_server_and_goes_on_as_before(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop, desktop = device("laptop"), device("desktop")
    email = _signed_up(server, laptop)
    chat = laptop.ok("chat", "new", "Mine").document["chat_id"]
    rows = laptop.ok("doctor", "--server").rows
    assert {row["result"] for row in rows} == {"ok"}
    assert {"address", "functions", "lint", "round_trip", "realtime", "refresh"} <= {
        row["check"] for row in rows
    }

    laptop.ok("sync")
    desktop.ok("account", "sign-in", *server.credentials(email))
    desktop.ok("sync")
    for one in (laptop, desktop):
        assert [row["chat_id"] for row in one.ok("chat", "list").rows] == [chat]


def test_a_server_can_be_examined_without_an_account_on_this_computer(
    server: Server, device: Callable[[str], Device], tmp_path: Path
) -> None:
    email = _signed_up(server, device("laptop"))
    stranger = device("stranger")
    rows = stranger.ok("doctor", "--server", *server.credentials(email)).rows
    assert rows[-1]["check"] == "latency"
    assert not stranger.data_dir.exists()


def test_a_failure_is_told_on_its_line_and_by_the_exit_status(
    server: Server, device: Callable[[str], Device]
) -> None:
    answer = device("laptop").run(
        "doctor", "--server", "--url", server.url, "--key", "sb_publishable_wrong", "--email", "a@b.test"
    )
    assert answer.status == 1
    assert answer.rows[-1]["check"] == "key"
    assert answer.rows[-1]["result"] == "fail"
    assert answer.err == "Error: Checks that failed: 1. Do what the lines marked fail say.\n"


def test_people_read_one_line_a_check(device: Callable[[str], Device]) -> None:
    one = device("laptop")
    chat = one.ok("chat", "new", "Notes").document["chat_id"]
    one.ok("send", chat, "hello")
    told = subprocess.run(
        [sys.executable, "-m", "desktop", "--data-dir", str(one.data_dir), "doctor"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    lines = told.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", check] for check in CHECKS]


def test_a_damaged_store_fails_and_nothing_is_written(device: Callable[[str], Device]) -> None:
    one = device("laptop")
    one.ok("chat", "new", "Notes")
    (store,) = one.data_dir.rglob("homing.sqlite3")
    store.write_bytes(b"smashed" * 1000)
    answer = one.run("doctor")
    assert (answer.status, answer.rows[-1]["result"]) == (1, "fail")
    assert store.read_bytes() == b"smashed" * 1000


def test_options_that_say_too_little_or_too_much_are_wrong_usage(device: Callable[[str], Device]) -> None:
    one = device("laptop")
    for words in (("--server",), ("--server", "--url", "http://127.0.0.1:1"), ("--email", "a@b.test")):
        answer = one.run("doctor", *words)
        assert answer.status == 2
        assert answer.out == ""
    assert not one.data_dir.exists()


def test_a_profile_that_has_signed_out_examines_by_password(
    server: Server, device: Callable[[str], Device]
) -> None:
    one = device("laptop")
    _signed_up(server, one)
    one.ok("account", "sign-out")
    assert one.ok("doctor", "--server").rows[-1]["check"] == "latency"
    assert one.ok("account", "show").document == {"signed_in": False}
