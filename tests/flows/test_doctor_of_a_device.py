"""`homing doctor` holds this computer against its server: nothing differs, or it says exactly what, and mends it."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from storage.paths import store_path
from tests.flows.homing_process import Device, Server

Row = dict[str, object]


@pytest.fixture
def laptop(server: Server, device: Callable[[str], Device]) -> Device:
    """Signed in, with a chat of five messages that the server has."""
    one = device("laptop")
    one.ok("account", "sign-up", *server.credentials(f"{uuid.uuid4().hex[:12]}@example.org"))
    chat = one.ok("chat", "new", "Held").document["chat_id"]
    for number in range(5):
        one.ok("send", chat, f"message {number}")
    one.ok("sync")
    return one


@contextmanager
def broken(one: Device) -> Iterator[sqlite3.Connection]:
    """The store's file, opened by something that is not Homing."""
    with sqlite3.connect(store_path(one.data_dir, "default")) as db:
        yield db
    db.close()


def findings(one: Device, *words: str) -> dict[str, Row]:
    return {row["check"]: row for row in one.run("doctor", *words).rows}


def texts(one: Device) -> list[str]:
    (chat,) = (row["chat_id"] for row in one.ok("chat", "list").rows)
    return [row["content"][0]["text"] for row in reversed(one.ok("history", chat).rows)]


PAGE = 4096
EXPECTED = [f"message {number}" for number in range(5)]
FINE = "0 lost, 0 doubled, 0 out of order in 1 chats and 5 messages"

SWAPPED = """
    update messages set sequence_num = case sequence_num when 2 then -3 else -2 end where sequence_num in (2, 3);
    update messages set sequence_num = -sequence_num where sequence_num < 0
"""
NEVER_SENT = """
    insert into messages (chat_id, message_id, sequence_num, role, content, status, sync_state, created_at)
    select chat_id, 'stranger', 6, role, content, status, sync_state, created_at from messages where sequence_num = 5
"""


def test_a_device_that_is_what_its_server_is_has_nothing_lost(laptop: Device) -> None:
    answer = laptop.ok("doctor")
    assert {row["result"] for row in answer.rows} == {"ok"}
    assert answer.rows[-1]["detail"] == FINE


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("delete from messages where sequence_num in (2, 3)", "2 lost"),
        (SWAPPED, "2 out of order"),
        (NEVER_SENT, "1 missing on the server"),
        ("update messages set revision = revision + 1 where sequence_num = 4", FINE),
    ],
    ids=["lost", "out-of-order", "unsent", "only-a-count"],
)
def test_what_differs_is_told_and_mended(laptop: Device, damage: str, said: str) -> None:
    with broken(laptop) as db:
        db.executescript(damage)
    told = findings(laptop)
    assert said in str(told["server"]["detail"])
    laptop.ok("doctor", "--repair")
    assert str(findings(laptop)["server"]["detail"]).startswith("0 lost, 0 doubled, 0 out of order")
    assert [text for text in texts(laptop) if text in EXPECTED[:4]] == EXPECTED[:4]


def test_a_text_that_rotted_on_the_disk_comes_again_from_the_server(laptop: Device) -> None:
    with broken(laptop) as db:
        db.execute("update messages set content = replace(content, 'message 1', 'massage 1')")
    assert findings(laptop)["texts"]["result"] == "fail"
    laptop.ok("doctor", "--repair")
    assert texts(laptop) == EXPECTED


def test_a_smashed_file_is_moved_aside_and_everything_is_there_again(laptop: Device) -> None:
    path = store_path(laptop.data_dir, "default")
    page = path.read_bytes().index(b"message 3") // PAGE
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)
    assert laptop.run("doctor").status == 1
    laptop.ok("doctor", "--repair")
    assert texts(laptop) == EXPECTED
    assert list(path.parent.glob("*damaged*"))


def test_a_server_that_is_away_is_a_warning(server: Server, laptop: Device) -> None:
    with broken(laptop) as db:
        db.execute("update accounts set url = 'http://127.0.0.1:9' where active = 1")
    answer = laptop.run("doctor")
    assert answer.status == 0
    assert answer.rows[-1]["result"] == "warn"
    assert httpx.get(f"{server.url}/health").status_code == 200
