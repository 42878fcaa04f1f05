"""A store that damage took: what is only there is rescued, the rest comes back from the real server."""

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from storage.paths import store_path
from storage.rescue import salvage
from tests.flows.homing_process import Device, Server


def _texts(one: Device, chat: str) -> list[str]:
    return [row["content"][0]["text"] for row in reversed(one.ok("history", chat).rows)]


def test_after_a_rescue_and_a_sync_nothing_is_lost_or_doubled(
    server: Server, device: Callable[[str], Device]
) -> None:
    laptop, phone = device("laptop"), device("phone")
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    laptop.ok("account", "sign-up", *server.credentials(email))
    phone.ok("account", "sign-in", *server.credentials(email))
    chat = laptop.ok("chat", "new", "Kept").document["chat_id"]
    for text in ("one", "two", "three"):
        laptop.ok("send", chat, text)
    laptop.ok("sync")
    phone.ok("sync")
    phone.ok("send", chat, "from the phone")
    phone.ok("sync")
    laptop.ok("send", chat, "only here")
    laptop.ok("chat", "rename", chat, "Renamed only here")

    path = store_path(laptop.data_dir, "default")
    with closing(sqlite3.connect(path)) as db:
        db.execute("update messages set content = replace(content, 'two', 'too')")
        db.commit()
    with path.open("r+b") as file:
        file.write(bytes(100))
    salvage.rescue(path, datetime.now(UTC))

    assert "only here" in _texts(laptop, chat)
    laptop.ok("sync")
    phone.ok("sync")
    expected = ["one", "two", "three", "from the phone", "only here"]
    assert _texts(laptop, chat) == _texts(phone, chat) == expected
    assert [row["title"] for row in phone.ok("chat", "list").rows] == ["Renamed only here"]
    assert {row["result"] for row in laptop.ok("doctor").rows} == {"ok"}
