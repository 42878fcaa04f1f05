"""The runner on its own thread: failures become events, nothing kills it, and it stops in time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storage import accounts, chats, messages
from storage.records import Account, AccountId
from storage.store import Store
from sync.engine.interface import Event, LocalCommitted, SignedIn, SyncRequested
from sync.engine.machine import Engine
from sync.errors import RetryLater
from sync.runner import Runner
from sync.status import Phase, SyncStatus
from tests.fakes.remote import FakeRemote, Fault, Hang

ACCOUNT = AccountId("account")


class OneRemote:
    """Connections of which there is only one."""

    def __init__(self, remote: FakeRemote) -> None:
        self._remote = remote

    async def remote(self, account_id: AccountId) -> FakeRemote:
        return self._remote

    async def refresh(self, account_id: AccountId) -> None:
        raise RetryLater("No refresh here.")

    async def close(self) -> None:
        await self._remote.aclose()


class Stage:
    """A runner over a real store, and what it said."""

    def __init__(self, path: Path, remote: FakeRemote, make_engine: Callable[[], Engine]) -> None:
        self.store = Store.open(path)
        self.remote = remote
        self.statuses: list[SyncStatus] = []
        self.finished: list[tuple[int, str | None]] = []
        self._heard = threading.Condition()
        self.runner = Runner(
            self.store, OneRemote(remote), make_engine, on_status=self._on_status, on_finish=self._on_finish
        )
        account = Account(ACCOUNT, "http://127.0.0.1", "key", "a@example.org", "user", signed_in=True)
        self.store.write(lambda tx: accounts.remember(tx, account)).result()

    def write(self, text: str) -> None:
        def job(tx: Any) -> None:
            chat = chats.create(tx, "Trip", account_id=ACCOUNT)
            messages.commit(tx, chat.chat_id, text)

        self.store.write(job).result()
        self.runner.post(LocalCommitted())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._heard:
            assert self._heard.wait_for(condition, 10)

    def shows(self, phase: Phase) -> bool:
        return bool(self.statuses) and self.statuses[-1].phase is phase

    def _on_status(self, status: SyncStatus) -> None:
        with self._heard:
            self.statuses.append(status)
            self._heard.notify_all()

    def _on_finish(self, ticket: int, error: str | None) -> None:
        with self._heard:
            self.finished.append((ticket, error))
            self._heard.notify_all()


@contextmanager
def stage(
    folder: Path, *faults: Fault, make_engine: Callable[[], Engine] = lambda: Engine(lambda: 0.0)
) -> Iterator[Stage]:
    made = Stage(folder / "homing.sqlite3", FakeRemote(faults=faults), make_engine)
    made.runner.start()
    try:
        yield made
    finally:
        made.runner.stop()
        made.store.close()


def test_what_is_committed_gets_to_the_server(tmp_path: Path) -> None:
    with stage(tmp_path) as scene:
        scene.runner.post(SignedIn(ACCOUNT))
        scene.write("over the thread")
        scene.runner.post(SyncRequested(1))
        scene.wait_for(lambda: scene.finished == [(1, None)])
        assert len(list(scene.remote.server.live())) == 1
        scene.wait_for(lambda: scene.shows(Phase.SYNCED))


def test_a_bug_in_the_remote_becomes_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stage(tmp_path) as scene:
        monkeypatch.setattr(scene.remote.server, "pull_changes", _explode)
        scene.runner.post(SignedIn(ACCOUNT))
        scene.wait_for(lambda: scene.shows(Phase.ERROR))
        assert "ZeroDivisionError" in (scene.statuses[-1].last_error or "")


def test_a_bug_in_a_store_effect_becomes_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.inbound.inbox.apply", _explode)
    with stage(tmp_path) as scene:
        scene.runner.post(SignedIn(ACCOUNT))
        scene.wait_for(lambda: scene.shows(Phase.ERROR))
        assert "ZeroDivisionError" in (scene.statuses[-1].last_error or "")


def test_a_bug_in_the_engine_costs_a_pause_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.runner.RESTART_AFTER", 0.01)
    engines = iter([Broken(lambda: 0.0), Engine(lambda: 0.0)])
    with stage(tmp_path, make_engine=lambda: next(engines)) as scene:
        scene.runner.post(SignedIn(ACCOUNT))
        scene.wait_for(lambda: scene.shows(Phase.SYNCED))


@pytest.mark.parametrize(
    "fault", [Hang(), Hang(stubborn=True)], ids=["hangs", "hangs and will not be cancelled"]
)
def test_it_stops_within_two_seconds_whatever_hangs(tmp_path: Path, fault: Fault) -> None:
    with stage(tmp_path, fault) as scene:
        scene.runner.post(SignedIn(ACCOUNT))
        scene.runner.post(SyncRequested(1))
        while not scene.remote.requests:
            time.sleep(0)
        began = time.monotonic()
        scene.runner.stop()
        assert time.monotonic() - began < 2.5


def test_after_the_stop_nothing_is_heard_and_nothing_raises(tmp_path: Path) -> None:
    with stage(tmp_path) as scene:
        scene.runner.stop()
        scene.runner.post(SignedIn(ACCOUNT))
        with pytest.raises(RetryLater):
            scene.runner.submit(_nothing()).result(1)
        scene.runner.stop()


class Broken(Engine):
    """An engine with a bug in everything."""

    def handle(self, event: Event, now: float) -> Any:
        return _explode()


def _explode(*_: object) -> Any:
    return 1 // 0


async def _nothing() -> None:
    """Never runs."""
