"""Every kind travels both ways between two devices and a real server, whoever was offline meanwhile."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage import accounts, chats, context, messages, projects, releasing, removal, snapshots
from storage.outbound import errands
from storage.records import LOCAL_ACCOUNT, ChatId, MessageId, ProjectId
from storage.resources import Resource
from storage.snapshots import Snapshot
from storage.store import Reader, Transaction
from sync.errors import Refused, SignInAgain
from tests.fakes.devices import Device, device
from tests.fakes.served import PASSWORD
from tests.flows.homing_process import Server


@pytest.fixture
def both(tmp_path: Path, server: Server) -> Iterator[tuple[Device, Device]]:
    email = f"{uuid.uuid4().hex}@example.test"
    signed_up = httpx.post(
        f"{server.url}/auth/v1/signup",
        headers={"apikey": server.key},
        json={"email": email, "password": PASSWORD},
    )
    signed_up.raise_for_status()
    with ExitStack() as stack:
        yield (
            stack.enter_context(device(tmp_path / "laptop", server, email)),
            stack.enter_context(device(tmp_path / "desktop", server, email)),
        )


def test_projects_context_snapshots_deletions_and_fields_converge(both: tuple[Device, Device]) -> None:
    laptop, desktop = both
    chat = ChatId(laptop.new_chat("Trip"))
    said = [MessageId(laptop.say(chat, words)) for words in ("one", "two", "three")]

    def work(tx: Transaction) -> None:
        home = projects.create(tx, "Home", account_id=laptop.account)
        chats.set_project(tx, chat, home.project_id)
        snapshots.save(tx, home.project_id, {"a.txt": "hello"}, "first")
        context.pin(
            tx, chat, [Resource("a.md", "document", "see <!-- x --> here"), Resource("b.md", "skill", "b")]
        )

    laptop.store.write(work).result(30)
    converge(laptop, desktop)
    assert [source for source, *_ in seen(laptop)["pinned"]] == ["a.md", "b.md"]

    def more(tx: Transaction) -> None:
        (home,) = projects.list_projects(tx.db, [desktop.account])
        projects.rename(tx, home.project_id, "House")
        context.unpin(tx, chat, ["b.md"])
        removal.delete(tx, chat, [said[1]])
        chats.pin(tx, chat)

    desktop.store.write(more).result(30)
    laptop.store.write(lambda tx: chats.rename(tx, chat, "Journey")).result(30)
    hidden = MessageId(laptop.say(chat, "four"))
    laptop.store.write(lambda tx: removal.delete(tx, chat, [hidden])).result(30)
    converge(desktop, laptop)
    assert seen(laptop)["chats"] == [("Journey", True, False)]
    assert seen(laptop)["messages"] == [said[0], said[2]]
    assert seen(laptop)["projects"] == ["House"]

    laptop.store.write(lambda tx: removal.clear(tx, chat)).result(30)
    again = MessageId(desktop.say(chat, "five"))
    converge(laptop, desktop)
    assert seen(desktop)["messages"] == [again]

    desktop.store.write(lambda tx: chats.delete(tx, chat)).result(30)
    laptop.store.write(lambda tx: chats.rename(tx, chat, "Later")).result(30)
    converge(laptop, desktop)
    assert seen(laptop)["chats"] == [("Later", True, True)]
    assert laptop.shown() == desktop.shown() == {}


def test_what_was_released_and_adopted_again_is_recognised_on_the_server(both: tuple[Device, Device]) -> None:
    laptop, desktop = both
    chat = ChatId(laptop.new_chat("Trip"))
    for words in ("one", "two", "three"):
        laptop.say(chat, words)
    laptop.store.write(lambda tx: context.pin(tx, chat, [Resource("a.md", "document", "x")])).result(30)
    converge(laptop, desktop)
    before = seen(laptop)

    # As if another program had made the account's work signed-out work while nobody looked.
    def let_go(tx: Transaction) -> None:
        row = accounts.get(tx.db, desktop.account)
        assert row is not None
        releasing.release(tx, desktop.account)
        accounts.remember(tx, row)
        accounts.activate(tx, desktop.account)

    desktop.store.write(let_go).result(30)
    laptop.say(chat, "four")
    laptop.sync()
    desktop.sync()
    assert desktop.store.read(lambda db: chats.get(db, chat)).account_id == LOCAL_ACCOUNT
    assert desktop.service.adopt().result(60) == 1
    converge(desktop, laptop)
    assert len(seen(desktop)["messages"]) == 4
    assert seen(desktop)["pinned"] == before["pinned"]


def test_what_was_made_signed_out_comes_along_and_reaches_the_other_device(
    both: tuple[Device, Device],
) -> None:
    laptop, desktop = both
    laptop.service.switch(None).result(60)

    def work(tx: Transaction) -> ChatId:
        home, empty = projects.create(tx, "Home"), projects.create(tx, "Without a chat")
        snapshots.save(tx, home.project_id, {"a.txt": "hello"}, "first")
        snapshots.save(tx, empty.project_id, {"b.txt": "hello"})
        chat = chats.create(tx, "Trip").chat_id
        chats.set_project(tx, chat, home.project_id)
        messages.commit(tx, chat, "one")
        context.pin(tx, chat, [Resource("a.md", "document", "x"), Resource("b.md", "skill", "b")])
        context.unpin(tx, chat, ["b.md"])
        return chat

    laptop.store.write(work).result(30)
    laptop.service.switch(laptop.account).result(60)
    laptop.sync()
    desktop.sync()
    assert seen(desktop)["chats"] == seen(desktop)["projects"] == []
    assert laptop.service.adopt().result(60) == 1
    converge(laptop, desktop)
    there = seen(desktop)
    assert (there["chats"], there["projects"]) == (
        [("Trip", False, False)],
        ["Home", "Without a chat"],
    )
    assert there["pinned"] == [("a.md", "x", "ok", False)]
    assert len(there["files"]) == 2
    assert there["members"] == [
        project.project_id
        for project in desktop.store.read(lambda db: projects.list_projects(db, [desktop.account]))
        if project.name == "Home"
    ]


def project_of(one: Device, other: Device) -> ProjectId:
    """A project that both know, without files."""
    made = one.store.write(lambda tx: projects.create(tx, "Home", account_id=one.account)).result(30)
    converge(one, other)
    return made.project_id


def save(each: Device, project_id: ProjectId, files: dict[str, Any]) -> None:
    each.store.write(lambda tx: snapshots.save(tx, project_id, files, "all")).result(30)


def files(each: Device, project_id: ProjectId) -> Snapshot:
    found = each.store.read(lambda db: snapshots.get(db, project_id))
    assert found is not None
    return found


def test_the_files_of_another_device_come_when_they_are_wanted(both: tuple[Device, Device]) -> None:
    laptop, desktop = both
    project_id = project_of(laptop, desktop)
    content = {"a.txt": "hé\n", "big.bin": "x" * 1_000_000, "n.json": {"half": 0.5, "tiny": 1e-7}}
    save(laptop, project_id, content)
    converge(laptop, desktop)
    assert files(desktop, project_id).files is None
    fetched = desktop.service.fetch_snapshot(project_id).result(60)
    assert (fetched.files, fetched.summary) == (content, "all")
    assert files(desktop, project_id) == fetched
    save(desktop, project_id, {"a.txt": "after it"})
    converge(desktop, laptop)
    assert laptop.service.fetch_snapshot(project_id).result(60).files == {"a.txt": "after it"}


@pytest.mark.parametrize("choice", [snapshots.keep_mine, snapshots.keep_theirs], ids=["mine", "theirs"])
def test_of_files_that_two_devices_saved_at_once_both_are_kept_until_a_person_chooses(
    both: tuple[Device, Device], choice: Callable[[Transaction, ProjectId], None]
) -> None:
    laptop, desktop = both
    project_id = project_of(laptop, desktop)
    save(laptop, project_id, {"a.txt": "laptop"})
    laptop.sync()
    # Without realtime the desktop does not know of it yet.
    save(desktop, project_id, {"a.txt": "desktop"})
    desktop.service.run_until_quiet(60)
    mine = files(desktop, project_id)
    assert (mine.files, mine.sync_error is None) == ({"a.txt": "desktop"}, False)
    assert mine.theirs is not None
    assert desktop.service.fetch_snapshot(project_id).result(60).files == {"a.txt": "laptop"}
    assert files(desktop, project_id) == mine

    for _ in range(2):
        desktop.store.write(lambda tx: choice(tx, project_id)).result(30)
    converge(desktop, laptop)
    for each in both:
        each.service.fetch_snapshot(project_id).result(60)
    kept = "desktop" if choice is snapshots.keep_mine else "laptop"
    assert files(laptop, project_id).files == files(desktop, project_id).files == {"a.txt": kept}


def test_files_that_cannot_be_got_are_told_in_one_line(both: tuple[Device, Device]) -> None:
    laptop, desktop = both
    project_id = project_of(laptop, desktop)
    with pytest.raises(Refused, match="no files of this project"):
        laptop.service.fetch_snapshot(project_id).result(60)
    local = laptop.store.write(lambda tx: projects.create(tx, "Mine alone")).result(30)
    with pytest.raises(SignInAgain):
        laptop.service.fetch_snapshot(local.project_id).result(60)


def converge(one: Device, other: Device) -> None:
    for each in (one, other, one, other):
        each.sync()
    assert seen(one) == seen(other)
    for each in (one, other):
        assert each.store.read(lambda db: db.execute("select count(*) from errands").fetchone()) == (0,)
        assert each.store.read(lambda db: errands.refused(db, [one.account])) == []


def seen(each: Device) -> dict[str, Any]:
    def read(db: Reader) -> dict[str, Any]:
        held = [ChatId(row[0]) for row in db.execute("select chat_id from chats order by chat_id").fetchall()]
        known = [chats.get(db, chat_id) for chat_id in held]
        grouped = projects.list_projects(db, [each.account])
        files = [snapshots.get(db, project.project_id) for project in grouped]
        return {
            "chats": [(chat.title, chat.pinned, chat.deleted) for chat in known],
            "members": [chat.project_id for chat in known],
            "messages": [
                message.message_id
                for chat_id in held
                for message in reversed(messages.page(db, chat_id).messages)
            ],
            "pinned": [
                (pinned.source, pinned.body, pinned.status, pinned.pending)
                for chat_id in held
                for pinned in context.list_pinned(db, chat_id)
            ],
            "projects": sorted(project.name for project in grouped),
            "files": [(one.content_hash, one.revision, one.pending) for one in files if one],
        }

    return each.store.read(read)
