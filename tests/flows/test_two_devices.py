"""Clearing, forking, deleting and restoring on one device while another writes offline: through real processes."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.flows.homing_process import PASSWORD, Device, Server


@dataclass(frozen=True)
class Couple:
    """Two devices of one person, and the server's functions called as that person."""

    laptop: Device
    desktop: Device
    server: Server
    token: str

    def call(self, function: str, **arguments: object) -> Any:
        answer = httpx.post(
            f"{self.server.url}/rest/v1/rpc/{function}",
            headers={"apikey": self.server.key, "Authorization": f"Bearer {self.token}"},
            json=arguments,
        )
        answer.raise_for_status()
        return answer.json()

    def sync(self) -> None:
        """Until both have what the other sent."""
        for one in (self.laptop, self.desktop, self.laptop):
            one.ok("sync")

    def chat_of(self, *texts: str) -> str:
        chat: str = self.laptop.ok("chat", "new", "Shared").document["chat_id"]
        for text in texts:
            self.laptop.ok("send", chat, text)
        self.sync()
        return chat

    def history(self, chat: str) -> list[tuple[int | None, str]]:
        """What both devices show, oldest first; they must agree."""
        shown = [
            [
                (row["sequence_num"], row["content"][0]["text"])
                for row in reversed(one.ok("history", chat).rows)
            ]
            for one in (self.laptop, self.desktop)
        ]
        assert shown[0] == shown[1]
        return shown[0]

    def titles(self) -> list[str]:
        """What both devices list; they must agree."""
        listed = [
            sorted(row["title"] for row in one.ok("chat", "list").rows) for one in (self.laptop, self.desktop)
        ]
        assert listed[0] == listed[1]
        return listed[0]


@pytest.fixture
def couple(server: Server, device: Callable[[str], Device]) -> Couple:
    laptop, desktop, email = device("laptop"), device("desktop"), f"{uuid.uuid4().hex[:12]}@example.org"
    laptop.ok("account", "sign-up", *server.credentials(email))
    desktop.ok("account", "sign-in", *server.credentials(email))
    session = httpx.post(
        f"{server.url}/auth/v1/token?grant_type=password",
        headers={"apikey": server.key},
        json={"email": email, "password": PASSWORD},
    )
    return Couple(laptop, desktop, server, session.raise_for_status().json()["access_token"])


def test_what_is_written_offline_beside_a_clear_stays_and_no_number_comes_again(couple: Couple) -> None:
    chat = couple.chat_of("one", "two", "three")
    couple.desktop.ok("send", chat, "written offline")

    assert couple.call("clear_chat", p_chat_id=chat, p_through=3) == {"deleted": 3, "more": False}
    couple.sync()
    assert couple.history(chat) == [(4, "written offline")]

    couple.laptop.ok("send", chat, "after the clear")
    couple.sync()
    assert couple.history(chat) == [(4, "written offline"), (5, "after the clear")]


def test_a_deleted_message_leaves_both_devices_and_its_number_stays_taken(couple: Couple) -> None:
    chat = couple.chat_of("keep", "remove")
    (removed, _) = (row["message_id"] for row in couple.laptop.ok("history", chat).rows)

    for _ in range(2):
        (verdict,) = couple.call("delete_messages", p_chat_id=chat, p_message_ids=[removed])
        assert (verdict["sequence_num"], verdict["status"]) == (2, "deleted")
    couple.laptop.ok("send", chat, "next")
    couple.sync()
    assert couple.history(chat) == [(1, "keep"), (3, "next")]


def test_a_fork_reaches_both_devices_once_and_the_two_chats_go_their_own_ways(couple: Couple) -> None:
    chat, fork = couple.chat_of("one", "two", "three"), str(uuid.uuid4())

    answers = [
        couple.call("fork_chat", p_chat_id=chat, p_new_chat_id=fork, p_through=2, p_title="Fork")["status"]
        for _ in range(2)
    ]
    assert answers == ["forked", "duplicate"]
    couple.desktop.ok("send", chat, "in the old one")
    couple.sync()
    couple.laptop.ok("send", fork, "in the new one")
    couple.sync()

    assert couple.titles() == ["Fork", "Shared"]
    assert couple.history(chat) == [(1, "one"), (2, "two"), (3, "three"), (4, "in the old one")]
    assert couple.history(fork) == [(1, "one"), (2, "two"), (3, "in the new one")]


def test_a_chat_that_is_deleted_and_restored_comes_back_whole(couple: Couple) -> None:
    chat = couple.chat_of("one", "two")

    couple.call("save_chats", p_chats=[{"chat_id": chat, "deleted": True}])
    couple.sync()
    assert couple.titles() == []

    couple.call("save_chats", p_chats=[{"chat_id": chat, "deleted": False}])
    couple.sync()
    assert couple.titles() == ["Shared"]
    couple.desktop.ok("send", chat, "three")
    couple.sync()
    assert couple.history(chat) == [(1, "one"), (2, "two"), (3, "three")]
