"""One message id with two texts, as an import gone wrong makes it: nothing is lost, and the person's choice converges."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from storage import aside, messages
from storage.records import ChatId, MessageId, SyncState
from storage.transaction import Transaction
from tests.fakes.devices import Device, device
from tests.fakes.served import PASSWORD
from tests.fakes.turns import words_of
from tests.flows.homing_process import Server

ID = MessageId("imported-1")


@dataclass(frozen=True)
class Clash:
    """The laptop's text reached the server first; the desktop's is set aside."""

    laptop: Device
    desktop: Device
    chat: ChatId

    def choose(self, choice: Callable[[Transaction, ChatId, MessageId], object]) -> None:
        """On the desktop, twice, as an impatient person does."""
        for _ in range(2):
            self.desktop.store.write(lambda tx: choice(tx, self.chat, ID)).result(30)
        for each in (self.desktop, self.laptop, self.desktop):
            each.sync()

    def agreed(self) -> list[tuple[int | None, str]]:
        """What both show."""
        assert self.laptop.shown() == self.desktop.shown()
        return self.laptop.shown()[self.chat]


@pytest.fixture
def clash(tmp_path: Path, server: Server) -> Iterator[Clash]:
    email = f"{uuid.uuid4().hex}@example.test"
    httpx.post(
        f"{server.url}/auth/v1/signup",
        headers={"apikey": server.key},
        json={"email": email, "password": PASSWORD},
    ).raise_for_status()
    with ExitStack() as stack:
        laptop = stack.enter_context(device(tmp_path / "laptop", server, email))
        desktop = stack.enter_context(device(tmp_path / "desktop", server, email))
        chat = ChatId(laptop.new_chat("Imported"))
        laptop.sync()
        desktop.sync()
        _import(laptop, chat, "as the laptop has it")
        laptop.sync()
        # Without realtime the desktop does not know of it yet.
        _import(desktop, chat, "as the desktop has it")
        report = desktop.service.run_until_quiet(120)
        assert (report.error, report.pending, report.rejected) == (None, 0, 1)
        yield Clash(laptop, desktop, chat)


def _import(each: Device, chat: ChatId, words: str) -> None:
    def job(tx: Transaction) -> None:
        messages.commit(tx, chat, words, message_id=ID)
        messages.commit(tx, chat, f"after it, {words[3:]}")

    each.store.write(job).result(30)


def test_both_texts_are_kept_and_shown_where_the_race_was_lost(clash: Clash) -> None:
    desktop = clash.desktop
    assert (desktop.service.status.rejected, desktop.service.status.conflicts) == (1, 1)
    both = desktop.store.read(lambda db: aside.conflict(db, clash.chat, ID))
    assert both is not None
    assert [words_of(list(each.content)) for each in both] == [
        "as the desktop has it",
        "as the laptop has it",
    ]
    shown = desktop.store.read(lambda db: messages.page(db, clash.chat)).messages
    assert [each.sync_state for each in shown].count(SyncState.REJECTED) == 1
    clash.laptop.sync()
    assert clash.laptop.shown()[clash.chat] == [
        (1, "as the laptop has it"),
        (2, "after it, the laptop has it"),
        (3, "after it, the desktop has it"),
    ]
    # Sending all again asks nobody, and takes no choice from the person.
    assert desktop.service.retry_all().result(30) == 0


def test_keeping_mine_shows_both_texts_on_both_devices(clash: Clash) -> None:
    clash.choose(aside.keep_mine)
    assert clash.agreed() == [
        (1, "as the laptop has it"),
        (2, "after it, the laptop has it"),
        (3, "after it, the desktop has it"),
        (4, "as the desktop has it"),
    ]
    assert clash.desktop.service.status.conflicts == 0


def test_keeping_theirs_leaves_one_text_on_both_devices(clash: Clash) -> None:
    clash.choose(aside.keep_theirs)
    assert clash.agreed() == [
        (1, "as the laptop has it"),
        (2, "after it, the laptop has it"),
        (3, "after it, the desktop has it"),
    ]
    assert clash.desktop.service.status.conflicts == 0
