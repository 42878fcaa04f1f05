"""The window's hold on the service: asked early, it answers late; broken, it says so."""

import threading
from pathlib import Path

from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.engine import Engine, Loaded
from storage.store import Store
from sync.errors import NoKeyring
from sync.status import Phase, SyncStatus
from tests.fakes.service import FakeService

FIRST = SyncStatus(Phase.SIGNED_OUT)


def test_what_is_asked_before_the_service_is_loaded_is_answered_after(store: Store, qtbot: QtBot) -> None:
    loaded = threading.Event()
    service = FakeService(store)
    answers: list[object] = []

    def load() -> Loaded:
        loaded.wait(5)
        return Loaded(service)

    engine = Engine(load, Bridge(), FIRST)
    engine.start()
    engine.ask(
        lambda s: s.sign_in("http://127.0.0.1:1", "k", "e", "p", adopt=False), answers.append, answers.append
    )
    engine.sync_now()
    assert service.calls == []
    loaded.set()
    qtbot.waitUntil(lambda: len(answers) == 1)
    assert [call[0] for call in service.calls] == ["sign_in", "sync_now"]
    engine.stop()
    assert not service.running


def test_a_service_that_does_not_load_is_a_status_and_an_answer(qtbot: QtBot) -> None:
    def load() -> Loaded:
        raise NoKeyring("No keyring works here: choose another session store.")

    engine = Engine(load, Bridge(), FIRST)
    heard: list[BaseException] = []
    engine.start()
    engine.ask(lambda s: s.sign_out(), lambda _: None, heard.append)
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert engine.status.phase is Phase.ERROR
    assert engine.status.last_error == "No keyring works here: choose another session store."
    engine.ask(lambda s: s.sign_out(), lambda _: None, heard.append)
    assert len(heard) == 2
    engine.stop()


def test_memory_only_logins_are_announced(store: Store, qtbot: QtBot, tmp_path: Path) -> None:
    engine = Engine(lambda: Loaded(FakeService(store), in_memory=True), Bridge(), FIRST)
    with qtbot.waitSignal(engine.memoryOnly, timeout=5000):
        engine.start()
    engine.stop()
