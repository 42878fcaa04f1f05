"""What earlier systems of this kind got wrong, each as a person with two computers and a real server would meet it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from storage import aside, chats, messages, removal
from storage.records import ChatId, Message, MessageId, SyncState
from tests.fakes.devices import Device, device
from tests.fakes.served import Person, Served, fresh_server

Switch = Callable[[str], Device]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with fresh_server() as running:
        yield running


@pytest.fixture
def person(served: Served) -> Person:
    return served.sign_up()


@pytest.fixture
def switch_on(served: Served, person: Person, tmp_path: Path) -> Iterator[Switch]:
    """Starts a computer of the person, by name; the same name again is the same computer after a restart."""
    with ExitStack() as running:
        yield lambda name: running.enter_context(device(tmp_path / name, served, person.email))


def in_full(one: Device, chat: str) -> list[Message]:
    """A chat page by page as a person scrolls it, oldest first."""
    page = one.store.read(partial(messages.page, chat_id=ChatId(chat)))
    found = list(page.messages)
    while page.older is not None:
        page = one.store.read(partial(messages.page, chat_id=ChatId(chat), before=page.older))
        found += page.messages
    return found[::-1]


def texts(one: Device, chat: str) -> list[str]:
    return [str(message.content[0]["text"]) for message in in_full(one, chat)]


def numbers(one: Device, chat: str) -> list[int | None]:
    return [message.sequence_num for message in in_full(one, chat)]


def test_120_messages_and_load_older_show_every_message_once(switch_on: Switch) -> None:
    """The page size as an offset showed 51 to 100 twice and 1 to 50 never."""
    laptop, phone = switch_on("laptop"), switch_on("phone")
    chat = laptop.new_chat("Long")
    for number in range(120):
        laptop.say(chat, f"{number}")
    laptop.sync()
    phone.sync()
    newest = phone.store.read(lambda db: messages.page(db, ChatId(chat)))
    assert [message.sequence_num for message in newest.messages] == list(range(120, 70, -1))
    assert texts(phone, chat) == [f"{number}" for number in range(120)]
    assert numbers(phone, chat) == list(range(1, 121))


def test_what_was_written_offline_is_there_when_the_computer_opens_online(switch_on: Switch) -> None:
    """Opening online took the server's rows for all there is, and the words of the flight were gone."""
    laptop, phone = switch_on("laptop"), switch_on("phone")
    chat = laptop.new_chat("Trip")
    laptop.say(chat, "before the flight")
    laptop.sync()
    phone.sync()
    phone.say(chat, "meanwhile, on the other one")
    laptop.service.stop()
    laptop.say(chat, "on the flight")
    phone.sync()
    again = switch_on("laptop")
    assert "on the flight" in texts(again, chat)
    again.sync()
    phone.sync()
    expected = ["before the flight", "meanwhile, on the other one", "on the flight"]
    assert texts(again, chat) == texts(phone, chat) == expected
    assert numbers(phone, chat) == [1, 2, 3]


def test_replacing_with_nothing_deletes_nothing(switch_on: Switch, person: Person) -> None:
    """A save without rows, after a load that failed, emptied the chat."""
    laptop = switch_on("laptop")
    chat = laptop.new_chat("Kept")
    for words in ("one", "two"):
        laptop.say(chat, words)
    laptop.sync()
    empty = person.rpc("append_messages", p_chat_id=chat, p_messages=[])
    assert (empty.status_code, empty.json()) == (200, [])
    shorter = {"chat_id": chat, "messages": []}
    pushed = person.rpc("push_changes", p_projects=[], p_chats=[{"chat_id": chat}], p_batches=[shorter])
    assert pushed.status_code == 200
    laptop.sync()
    phone = switch_on("phone")
    phone.sync()
    assert texts(laptop, chat) == texts(phone, chat) == ["one", "two"]


def test_a_chat_that_was_cleared_takes_new_messages_and_gives_no_number_again(switch_on: Switch) -> None:
    """The maximum of the living rows started again, and the other computer missed what came after."""
    laptop, phone = switch_on("laptop"), switch_on("phone")
    chat = laptop.new_chat("Cleared")
    for words in ("one", "two", "three"):
        laptop.say(chat, words)
    laptop.sync()
    phone.sync()
    laptop.store.write(lambda tx: removal.clear(tx, ChatId(chat))).result(30)
    assert texts(laptop, chat) == []
    laptop.say(chat, "after")
    laptop.sync()
    phone.sync()
    assert texts(laptop, chat) == texts(phone, chat) == ["after"]
    assert numbers(phone, chat) == [4]


def test_a_strangers_chat_is_nobodys_business(switch_on: Switch, served: Served, tmp_path: Path) -> None:
    """Whoever knew an id could write into the chat behind it."""
    laptop = switch_on("laptop")
    chat = laptop.new_chat("Mine")
    laptop.say(chat, "my words")
    laptop.sync()
    stranger = served.sign_up()
    with device(tmp_path / "stranger", served, stranger.email) as other:
        other.store.write(
            lambda tx: chats.create(tx, "Known id", account_id=other.account, chat_id=ChatId(chat))
        ).result(30)
        other.say(chat, "a stranger's words")
        other.sync()
        assert texts(other, chat) == ["a stranger's words"]
    laptop.sync()
    assert texts(laptop, chat) == ["my words"]
    assert (
        stranger.rpc("delete_messages", p_chat_id=str(uuid.uuid4()), p_message_ids=["x"]).status_code == 404
    )


def test_a_message_is_edited_after_its_failure_and_arrives_once(switch_on: Switch) -> None:
    """Edited text under the old id was taken for the old message."""
    laptop, phone = switch_on("laptop"), switch_on("phone")
    chat, refused = _with_a_refused_message(laptop)
    laptop.store.write(lambda tx: aside.resend(tx, ChatId(chat), refused, "edited")).result(30)
    laptop.sync()
    phone.sync()
    assert texts(laptop, chat) == texts(phone, chat)
    assert sorted(texts(phone, chat)) == ["after", "before", "edited"]
    assert numbers(phone, chat) == [1, 2, 3]


def test_poison_in_the_middle_of_a_batch_stays_behind_alone(switch_on: Switch) -> None:
    """One bad row rolled back the batch, again and again."""
    laptop, phone = switch_on("laptop"), switch_on("phone")
    chat, refused = _with_a_refused_message(laptop)
    phone.sync()
    assert texts(phone, chat) == ["before", "after"]
    stays = laptop.store.read(lambda db: messages.get(db, ChatId(chat), refused))
    assert stays is not None
    assert stays.sync_state is SyncState.REJECTED
    assert stays.sync_error


def _with_a_refused_message(laptop: Device) -> tuple[str, MessageId]:
    """A chat whose second message repeats the turn of the first, which the server refuses."""
    chat = ChatId(laptop.new_chat("Poisoned"))

    def say(words: str, turn: str | None) -> Message:
        return laptop.store.write(lambda tx: messages.commit(tx, chat, words, turn_id=turn)).result(30)

    say("before", "turn-1")
    refused = say("poison", "turn-1")
    say("after", None)
    report = laptop.service.run_until_quiet(60)
    assert (report.error, report.pending, report.rejected) == (None, 0, 1)
    return chat, refused.message_id
