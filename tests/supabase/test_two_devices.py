"""Two devices of one person clear, delete, fork and restore: no number twice, nothing cleared comes back, both agree."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, User, text
from tests.fakes.functions import functions
from tests.fakes.ledger import faults


@dataclass
class Device:
    """What a device holds that pulls after its cursor and knows nothing else."""

    caller: Caller
    epoch: str | None = None
    cursor: int = 0
    rows: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def pull(self, limit: int = 3) -> None:
        more = True
        while more:
            answer = self.caller.pull(self.epoch, self.cursor, limit)
            if answer["reset"]:
                self.rows.clear()
            self.epoch, self.cursor, more = answer["epoch"], answer["cursor"], answer["more"]
            for change in answer["changes"]:
                row = change["row"]
                self.rows[change["kind"], row["chat_id"], row.get("message_id", "")] = row

    def shows(self, chat: str) -> list[tuple[int, str]]:
        """The chat as its owner sees it: numbers and ids of what is not deleted."""
        return sorted(
            (row["sequence_num"], row["message_id"])
            for (kind, chat_id, _), row in self.rows.items()
            if kind == "message" and chat_id == chat and row["deleted_at"] is None
        )

    def call(self, name: str, **arguments: object) -> list[tuple[Any, ...]]:
        return functions(self.caller.connection)[name].run(self.caller.connection, arguments)

    def push(self, chat: str, *ids: str, words: str = "hello") -> list[tuple[Any, ...]]:
        return [row[1:3] for row in self.caller.append(chat, [text(each, words) for each in ids])]


@pytest.fixture
def user(database: Database) -> User:
    return database.new_user()


@pytest.fixture
def devices(user: User) -> Iterator[tuple[Device, Device]]:
    with user.signed_in() as one, user.signed_in() as other:
        yield Device(one), Device(other)
    with user.database.connect() as admin:
        assert faults(admin) == []


@pytest.fixture
def chat(devices: tuple[Device, Device]) -> str:
    """A chat of five messages that both devices hold."""
    phone, laptop = devices
    made = phone.caller.new_chat("Trip")
    phone.push(made, "a", "b", "c", "d", "e")
    for each in devices:
        each.pull()
    assert phone.shows(made) == laptop.shows(made) == [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]
    return made


def test_clear_then_append_gives_no_number_twice_and_brings_nothing_back(
    devices: tuple[Device, Device], chat: str
) -> None:
    phone, laptop = devices
    assert phone.call("clear_chat", p_chat_id=chat, p_through=5) == [({"deleted": 5, "more": False},)]
    # The laptop was offline: it sends what it wrote, and once more what it thinks was never confirmed.
    assert laptop.push(chat, "d", "e", "f") == [(4, "duplicate"), (5, "duplicate"), (6, "inserted")]
    assert phone.push(chat, "g") == [(7, "inserted")]
    for each in devices:
        each.pull()
        assert each.shows(chat) == [(6, "f"), (7, "g")]
        assert each.caller.count(chat) == 2


def test_what_was_written_before_a_clear_and_sent_after_it_stays(
    devices: tuple[Device, Device], chat: str
) -> None:
    phone, laptop = devices
    laptop.push(chat, "late")
    assert phone.call("clear_chat", p_chat_id=chat, p_through=5) == [({"deleted": 5, "more": False},)]
    assert laptop.call("clear_chat", p_chat_id=chat, p_through=5) == [({"deleted": 0, "more": False},)]
    for each in devices:
        each.pull()
        assert each.shows(chat) == [(6, "late")]


def test_a_deleted_message_stays_deleted_whoever_sends_it_again(
    devices: tuple[Device, Device], chat: str
) -> None:
    _, laptop = devices
    for each in devices:
        assert each.call("delete_messages", p_chat_id=chat, p_message_ids=["c"]) == [
            ("c", 3, "deleted", None)
        ]
    assert laptop.push(chat, "c") == [(3, "duplicate")]
    assert laptop.push(chat, "c", words="other") == [(3, "conflict")]
    for each in devices:
        each.pull()
        assert each.shows(chat) == [(1, "a"), (2, "b"), (4, "d"), (5, "e")]
        [erased] = [row for row in each.rows.values() if row.get("message_id") == "c"]
        assert (erased["content"], erased["annotations"], erased["revision"]) == ([], None, 2)


def test_a_fork_made_twice_is_one_fork_and_lives_on_its_own(
    devices: tuple[Device, Device], chat: str
) -> None:
    phone, laptop = devices
    phone.call("delete_messages", p_chat_id=chat, p_message_ids=["b"])
    fork = str(uuid.uuid4())
    wanted = {"p_chat_id": chat, "p_new_chat_id": fork, "p_through": 4}
    [(first,)], [(again,)] = phone.call("fork_chat", **wanted), laptop.call("fork_chat", **wanted)
    assert first == {"status": "forked", "chat_id": fork, "copied": 3, "last_sequence_num": 3}
    assert again == first | {"status": "duplicate"}
    assert laptop.call("fork_chat", **wanted | {"p_through": 3})[0][0]["status"] == "conflict"
    assert laptop.push(fork, "mine") == [(4, "inserted")]
    phone.call("clear_chat", p_chat_id=chat, p_through=5)
    phone.caller.save({"chat_id": chat, "deleted": True})
    for each in devices:
        each.pull()
        assert each.shows(chat) == []
        copied = [each.rows["message", fork, message_id]["copied_from"] for _, message_id in each.shows(fork)]
        assert copied == ["a", "c", "d", None]
        row = each.rows["chat", fork, ""]
        assert (row["title"], row["forked_from_chat_id"], row["forked_from_sequence_num"]) == (
            "Trip",
            chat,
            4,
        )


def test_a_deleted_chat_takes_nothing_until_it_is_restored_and_counts_on(
    devices: tuple[Device, Device], chat: str
) -> None:
    phone, laptop = devices
    phone.caller.save({"chat_id": chat, "deleted": True})
    calls: dict[str, dict[str, object]] = {
        "append_messages": {"p_messages": [text("f")]},
        "clear_chat": {"p_through": 5},
        "delete_messages": {"p_message_ids": ["a"]},
    }
    for name, arguments in calls.items():
        with pytest.raises(psycopg.Error) as refused:
            laptop.call(name, p_chat_id=chat, **arguments)
        assert refused.value.sqlstate == "PT410"
    laptop.caller.save({"chat_id": chat, "deleted": False})
    assert laptop.push(chat, "f") == [(6, "inserted")]
    for each in devices:
        each.pull()
        assert [number for number, _ in each.shows(chat)] == [1, 2, 3, 4, 5, 6]


def test_after_a_restore_devices_send_what_is_gone_and_nothing_deleted_comes_back(
    devices: tuple[Device, Device], chat: str, user: User
) -> None:
    """The server goes back to the five messages and the deletion of one; later ones exist only on the devices."""
    phone, laptop = devices
    phone.call("delete_messages", p_chat_id=chat, p_message_ids=["b"])
    phone.pull()
    laptop.pull()
    with user.database.connect() as admin:
        epoch, head = laptop.epoch, laptop.cursor
        phone.push(chat, "f")
        phone.pull()
        # What a restore does: later rows are gone, and the counters are where they were.
        admin.execute("delete from public.messages where owner_id = %s and message_id = 'f'", [user.user_id])
        admin.execute(
            "update public.chats set (last_sequence_num, message_count, digest) = (select 5, 4, bit_xor("
            "homing.fingerprint(sequence_num, message_id, revision)) from public.messages where chat_id = %s) "
            "where chat_id = %s",
            [chat, chat],
        )
        admin.execute("update public.owner_heads set head = %s where owner_id = %s", [head, user.user_id])
        admin.execute("select homing.begin_epoch()")
    for each in devices:
        each.pull()
        assert each.epoch != epoch
        assert each.shows(chat) == [(1, "a"), (3, "c"), (4, "d"), (5, "e")]
    assert phone.push(chat, "a", "b", "f") == [(1, "duplicate"), (2, "duplicate"), (6, "inserted")]
    for each in devices:
        each.pull()
        assert each.shows(chat) == [(1, "a"), (3, "c"), (4, "d"), (5, "e"), (6, "f")]
