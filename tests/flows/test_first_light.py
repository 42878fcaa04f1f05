"""Written offline on one device, read on the other: the promise of the first release, through the command line."""

import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest

from tests.fakes.folders import open_folder
from tests.flows.homing_process import Device, Server, environment, serving


def _email() -> str:
    return f"{uuid.uuid4().hex[:12]}@example.org"


def test_ten_messages_written_offline_on_each_of_two_devices_become_one_history(
    server: Server, device: Callable[[str], Device], computer: Callable[[str], Device]
) -> None:
    # A terminal starts a process for each command; most do the same in this one.
    terminal, laptop, desktop, email = computer("laptop"), device("laptop"), device("desktop"), _email()
    terminal.ok("account", "sign-up", *server.credentials(email))
    desktop.ok("account", "sign-in", *server.credentials(email))
    chat = terminal.ok("chat", "new", "Shared").document["chat_id"]
    terminal.ok("sync")
    desktop.ok("sync")

    for number in range(10):
        laptop.ok("send", chat, f"laptop {number}")
        desktop.ok("send", chat, f"desktop {number}")
    assert all(row["sequence_num"] is None for row in laptop.ok("history", chat).rows)
    for _ in range(2):
        terminal.ok("sync")
        desktop.ok("sync")

    histories = [one.ok("history", chat).rows for one in (laptop, desktop)]
    assert histories[0] == histories[1]
    assert [row["sequence_num"] for row in histories[0]] == list(range(20, 0, -1))
    assert len({row["message_id"] for row in histories[0]}) == 20
    assert {row["sync_state"] for row in histories[0]} == {"synced"}
    for one in (laptop, desktop):
        assert one.ok("status").document["pending"] == 0
        texts = [row["content"][0]["text"] for row in reversed(one.ok("history", chat).rows)]
        for author in ("laptop", "desktop"):
            assert [t for t in texts if t.startswith(author)] == [f"{author} {n}" for n in range(10)]


def test_chats_written_signed_out_move_into_the_account_with_the_same_ids(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop, desktop, email = device("laptop"), device("desktop"), _email()
    chat = laptop.ok("chat", "new", "Written on a train").document["chat_id"]
    message = laptop.ok("send", chat, "No network here").document["message_id"]

    laptop.ok("account", "sign-up", *server.credentials(email), "--adopt")
    report = laptop.ok("sync").document
    desktop.ok("account", "sign-in", *server.credentials(email))
    desktop.ok("sync")

    assert report["pending"] == 0
    (row,) = desktop.ok("history", chat).rows
    assert (row["message_id"], row["sequence_num"], row["sync_state"]) == (message, 1, "synced")
    assert [one["title"] for one in desktop.ok("chat", "list").rows] == ["Written on a train"]


def test_without_adopt_signed_out_chats_stay_on_this_computer(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop, desktop, email = device("laptop"), device("desktop"), _email()
    chat = laptop.ok("chat", "new", "Private").document["chat_id"]
    laptop.ok("send", chat, "Stays here")

    laptop.ok("account", "sign-up", *server.credentials(email))
    laptop.ok("sync")
    desktop.ok("account", "sign-in", *server.credentials(email))
    desktop.ok("sync")

    assert [one["chat_id"] for one in laptop.ok("chat", "list").rows] == [chat]
    assert desktop.ok("chat", "list").rows == []


def test_a_rename_on_one_device_reaches_the_other(server: Server, device: Callable[[str], Device]) -> None:
    laptop, desktop, email = device("laptop"), device("desktop"), _email()
    laptop.ok("account", "sign-up", *server.credentials(email))
    desktop.ok("account", "sign-in", *server.credentials(email))
    chat = laptop.ok("chat", "new", "Before").document["chat_id"]
    laptop.ok("sync")
    desktop.ok("sync")

    desktop.ok("chat", "rename", chat, "After")
    desktop.ok("sync")
    laptop.ok("sync")

    assert [one["title"] for one in laptop.ok("chat", "list").rows] == ["After"]


def test_signing_out_keeps_what_was_not_sent_until_the_same_account_returns(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop, email = device("laptop"), _email()
    laptop.ok("account", "sign-up", *server.credentials(email))
    chat = laptop.ok("chat", "new", "Unsent").document["chat_id"]
    laptop.ok("sync")
    laptop.ok("account", "sign-out")

    assert laptop.ok("chat", "list").rows == []
    assert laptop.ok("account", "show").document == {"signed_in": False}

    laptop.ok("account", "sign-in")
    assert [one["chat_id"] for one in laptop.ok("chat", "list").rows] == [chat]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"--key": "sb_publishable_wrong"}, "key"),
        ({"--url": "http://127.0.0.1:9"}, "reach"),
        ({"--url": "not a url"}, "address"),
        ({"--url": "http://example.org"}, "https"),
        ({"--email": "nobody@example.org"}, "password"),
    ],
    ids=["key", "unreachable", "no-url", "plain-http", "unknown-email"],
)
def test_a_wrong_sign_in_is_one_clear_line_and_loses_nothing(
    server: Server, device: Callable[[str], Device], change: dict[str, str], expected: str
) -> None:
    laptop = device("laptop")
    chat = laptop.ok("chat", "new", "Kept").document["chat_id"]
    laptop.ok("send", chat, "Still here")
    words = dict(zip(*[iter(server.credentials(_email()))] * 2, strict=True)) | change

    answer = laptop.run("account", "sign-in", *[word for pair in words.items() for word in pair], "--adopt")

    assert answer.status == 1
    assert answer.out == ""
    assert len(answer.err.strip().splitlines()) == 1
    assert expected in answer.err.lower()
    assert len(laptop.ok("history", chat).rows) == 1


def test_sync_without_a_server_fails_in_one_line_and_goes_on_when_it_is_back(
    device: Callable[[str], Device],
) -> None:
    laptop, email = device("laptop"), _email()
    with open_folder() as folder:
        with serving(folder) as server:
            laptop.ok("account", "sign-up", *server.credentials(email))
            port = int(server.url.rpartition(":")[2])
        chat = laptop.ok("chat", "new", "Later").document["chat_id"]
        laptop.ok("send", chat, "When you can")

        answer = laptop.run("sync")
        assert answer.status == 1
        assert len(answer.err.strip().splitlines()) == 1
        assert answer.document["pending"] == 1

        with serving(folder, port=port):
            report = laptop.ok("sync").document
    assert (report["pushed"], report["pending"], report["rejected"]) == (1, 0, 0)
    assert laptop.ok("history", chat).document["sequence_num"] == 1


def test_a_watch_that_cannot_sync_says_why(device: Callable[[str], Device]) -> None:
    laptop = device("laptop")
    with open_folder() as folder, serving(folder) as server:
        laptop.ok("account", "sign-up", *server.credentials(_email()))

    command = [sys.executable, "-m", "desktop", "--data-dir", str(laptop.data_dir), "sync", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as watch:
        try:
            assert watch.stdout is not None
            said = next(line for line in watch.stdout if not line.startswith("syncing"))
        finally:
            watch.terminate()
    assert "not reachable" in said
