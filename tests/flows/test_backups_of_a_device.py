"""`homing backup` as a person types it: a copy, work after it, the copy back in its place, and nothing lost or doubled."""

import uuid
from collections.abc import Callable

from tests.flows.homing_process import Device, Server


def _texts(one: Device, chat: str) -> list[str]:
    return [row["content"][0]["text"] for row in reversed(one.ok("history", chat).rows)]


def test_after_a_restore_and_a_sync_nothing_is_lost_or_doubled(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop, phone = device("laptop"), device("phone")
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    laptop.ok("account", "sign-up", *server.credentials(email))
    phone.ok("account", "sign-in", *server.credentials(email))
    chat = laptop.ok("chat", "new", "Kept").document["chat_id"]
    laptop.ok("send", chat, "in the backup, synced")
    laptop.ok("sync")
    laptop.ok("send", chat, "in the backup, sent after it")
    made = laptop.ok("backup", "make").document
    laptop.ok("sync")
    phone.ok("sync")
    phone.ok("send", chat, "from the phone, after it")
    phone.ok("sync")
    laptop.ok("sync")
    laptop.ok("send", chat, "only here")
    expected = [
        "in the backup, synced",
        "in the backup, sent after it",
        "from the phone, after it",
        "only here",
    ]
    assert _texts(laptop, chat) == expected

    restored = laptop.ok("backup", "restore", str(made["number"])).document
    assert restored["made_at"] == made["made_at"]
    assert "only here" in _texts(laptop, chat)
    laptop.ok("sync")
    phone.ok("sync")
    assert _texts(laptop, chat) == _texts(phone, chat) == expected
    assert {row["result"] for row in laptop.ok("doctor").rows} == {"ok"}


def test_sync_makes_the_backup_of_the_day_where_no_window_ever_opens(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop = device("laptop")
    laptop.ok("account", "sign-up", *server.credentials(f"{uuid.uuid4().hex[:12]}@example.org"))
    laptop.ok("chat", "new", "Kept")
    for _ in range(2):
        laptop.ok("sync")
        assert [row["kind"] for row in laptop.ok("backup", "list").rows] == ["daily"]


def test_backups_are_listed_and_a_number_that_is_none_is_told(device: Callable[[str], Device]) -> None:
    laptop = device("laptop")
    assert laptop.ok("backup", "list").rows == []
    assert laptop.run("backup", "make").err == "Error: There is nothing to back up yet.\n"
    chat = laptop.ok("chat", "new", "Kept").document["chat_id"]
    laptop.ok("send", chat, "here")
    made = laptop.ok("backup", "make").document
    assert [row["number"] for row in laptop.ok("backup", "list").rows] == [made["number"]]
    answer = laptop.run("backup", "restore", "99")
    assert (answer.status, answer.err) == (1, "Error: There is no backup 99: see homing backup list.\n")
    assert _texts(laptop, chat) == ["here"]
