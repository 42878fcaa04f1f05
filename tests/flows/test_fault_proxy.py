"""Two real devices before the real server, with a network between them that loses, cuts, doubles and lies (I5 to I10)."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from storage import accounts, chats, messages
from storage.records import ChatId, Message, SyncState
from storage.store import Store
from sync.login.vault import SessionStoreKind
from sync.protocol import Rpc
from sync.service import SyncService
from sync.status import Phase
from tests.fakes.fault_proxy import HARMS, PORTAL, FaultProxy, Harm, fault_proxy
from tests.flows.homing_process import PASSWORD, Server

HEAL_SECONDS = 60.0


class Computer:
    """A store and a service over the real borders, on one data directory."""

    def __init__(self, store: Store, service: SyncService) -> None:
        self.store = store
        self.service = service

    def chat(self, title: str) -> ChatId:
        account = self.store.read(accounts.active)
        assert account is not None
        owner = account.account_id
        return self.store.write(lambda tx: chats.create(tx, title, account_id=owner)).result().chat_id

    def write(self, chat: ChatId, text: str) -> None:
        self.store.write(partial(messages.commit, chat_id=chat, content=text)).result()

    def history(self, chat: ChatId) -> list[Message]:
        page = self.store.read(lambda db: messages.page(db, chat, limit=1000))
        return list(reversed(page.messages))

    def level(self) -> None:
        self.service.network_changed(True)
        wait_for(lambda: self.service.run_until_quiet(HEAL_SECONDS).error is None, HEAL_SECONDS)


@contextmanager
def computer(folder: Path) -> Iterator[Computer]:
    store = Store.open(folder / "homing.sqlite3")
    service = SyncService(store, folder, session_store=SessionStoreKind.FILE)
    service.start()
    try:
        yield Computer(store, service)
    finally:
        service.stop()
        store.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        pause.wait(0.05)


def sign_in(one: Computer, proxy: FaultProxy, server: Server, email: str, *, new: bool) -> None:
    enter = one.service.sign_up if new else one.service.sign_in
    enter(proxy.url, server.key, email, PASSWORD, adopt=False).result(30)


def numbered(one: Computer, chat: ChatId) -> list[tuple[int | None, str]]:
    return [(message.sequence_num, message.content[0]["text"]) for message in one.history(chat)]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 41))])
def test_after_any_network_nothing_is_lost_doubled_or_out_of_order(
    tmp_path: Path, server: Server, seed: int
) -> None:
    email = f"{uuid.uuid4().hex}@example.test"
    with (
        fault_proxy(server.url, seed) as proxy,
        computer(tmp_path / "laptop") as laptop,
        computer(tmp_path / "desktop") as desktop,
    ):
        sign_in(laptop, proxy, server, email, new=True)
        sign_in(desktop, proxy, server, email, new=False)
        shared = laptop.chat("shared")
        laptop.level()
        desktop.level()
        proxy.hurt(0.6)
        own = {one: one.chat("own") for one in (laptop, desktop)}
        rounds = 0
        while missing := set(HARMS) - set(proxy.counts):
            assert rounds < 100, missing
            seen = sum(proxy.counts.values())
            for name, one in (("laptop", laptop), ("desktop", desktop)):
                one.write(shared, f"{name} {rounds}")
                one.write(own[one], f"{name} alone {rounds}")
                one.service.sync_now()
            wait_for(lambda: sum(proxy.counts.values()) > seen)  # noqa: B023 - called before the next round
            rounds += 1
        proxy.heal()
        for one in (laptop, desktop, laptop):
            one.level()
        for chat in (shared, *own.values()):
            assert numbered(laptop, chat) == numbered(desktop, chat)
            assert {message.sync_state for message in laptop.history(chat)} == {SyncState.SYNCED}
        told = numbered(laptop, shared)
        assert [number for number, _ in told] == list(range(1, 2 * rounds + 1))
        for name in ("laptop", "desktop"):
            assert [text for _, text in told if text.startswith(name)] == [
                f"{name} {n}" for n in range(rounds)
            ]
        for name, one in (("laptop", laptop), ("desktop", desktop)):
            assert numbered(one, own[one]) == [(n + 1, f"{name} alone {n}") for n in range(rounds)]


@pytest.mark.parametrize("harm", PORTAL)
def test_behind_a_portal_nothing_is_burned_signed_out_or_stored(
    tmp_path: Path, server: Server, harm: Harm
) -> None:
    email = f"{uuid.uuid4().hex}@example.test"
    with fault_proxy(server.url, 1) as proxy, computer(tmp_path) as one:
        sign_in(one, proxy, server, email, new=True)
        chat = one.chat("at the hotel")
        one.level()
        before = one.store.read(accounts.list_accounts)
        proxy.hurt(1.0, (harm,))
        one.write(chat, "written before the login of the hotel")
        report = one.service.run_until_quiet(20)
        assert (report.pushed, report.pulled, report.pending, report.rejected) == (0, 0, 1, 0)
        assert report.error is not None
        wait_for(lambda: one.service.status.phase is Phase.OFFLINE)
        assert one.store.read(accounts.list_accounts) == before
        proxy.heal()
        one.level()
        assert numbered(one, chat) == [(1, "written before the login of the hotel")]


def test_a_server_one_release_back_keeps_two_devices_level(tmp_path: Path, server: Server) -> None:
    """Without the functions of this release everything goes the older way (I31)."""
    email = f"{uuid.uuid4().hex}@example.test"
    with (
        fault_proxy(server.url, 1) as proxy,
        computer(tmp_path / "laptop") as laptop,
        computer(tmp_path / "desktop") as desktop,
    ):
        proxy.missing = frozenset({Rpc.PUSH_CHANGES, Rpc.PULL_SUMMARY, Rpc.PULL_HISTORY})
        sign_in(laptop, proxy, server, email, new=True)
        shared = laptop.chat("shared")
        for number in range(5):
            laptop.write(shared, f"laptop {number}")
        laptop.level()
        sign_in(desktop, proxy, server, email, new=False)
        desktop.level()
        desktop.write(shared, "desktop 0")
        desktop.level()
        laptop.level()
        told = [(n + 1, f"laptop {n}") for n in range(5)] + [(6, "desktop 0")]
        assert numbered(laptop, shared) == numbered(desktop, shared) == told
        assert proxy.missed >= {Rpc.PUSH_CHANGES, Rpc.PULL_SUMMARY}
        proxy.missing = frozenset()
        laptop.write(shared, "after the update")
        laptop.level()
        desktop.level()
        assert numbered(desktop, shared) == [*told, (7, "after the update")]
