"""The ground under the window: the binding's reference counts, the bridge, the contrast, the second start."""

import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.instance import Instance
from tests.desktop.conftest import Driver


class Emitter(QObject):
    told = Signal(bool)


def test_emitting_costs_no_reference_to_true(qtbot: QtBot) -> None:
    """PySide6 6.12.0 on Python 3.11 loses one with every emit, until the process aborts."""
    emitter = Emitter()
    heard: list[bool] = []
    emitter.told.connect(heard.append)
    emitter.told.emit(True)
    before = sys.getrefcount(True)
    for _ in range(200):
        emitter.told.emit(True)
    heard.clear()
    assert abs(sys.getrefcount(True) - before) < 20


def test_what_another_thread_posts_runs_on_the_gui_thread_in_order(qtbot: QtBot) -> None:
    bridge = Bridge()
    ran: list[tuple[int, str]] = []

    def post_all() -> None:
        for i in range(100):
            bridge.post(lambda i=i: ran.append((i, threading.current_thread().name)))  # type: ignore[misc]

    thread = threading.Thread(target=post_all)
    thread.start()
    qtbot.waitUntil(lambda: len(ran) == 100)
    thread.join()
    assert ran == [(i, threading.main_thread().name) for i in range(100)]


def test_outcomes_are_delivered_and_nothing_after_close(qtbot: QtBot) -> None:
    bridge = Bridge()
    done: list[object] = []
    good: Future[int] = Future()
    bad: Future[int] = Future()
    late: Future[int] = Future()
    gone: Future[int] = Future()
    for future in (good, bad, late, gone):
        bridge.deliver(future, done.append, done.append)
    good.set_result(1)
    error = ValueError("no")
    bad.set_exception(error)
    gone.cancel()
    qtbot.waitUntil(lambda: done == [1, error])
    bridge.close()
    late.set_result(2)
    assert done == [1, error]


def _luminance(color: object) -> float:
    def channel(value: float) -> float:
        return float(value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (channel(getattr(color, f"{name}F")()) for name in ("red", "green", "blue"))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("text", "background"), ("text", "sidebar"), ("text", "bubble"), ("text", "selected"), ("text", "selection"),
        ("text", "redBack"), ("muted", "background"), ("muted", "sidebar"), ("muted", "selected"), ("muted", "raised"),
        ("muted", "hover"), ("muted", "code"), ("accent", "background"), ("accent", "sidebar"), ("accent", "hover"),
        ("accentInk", "accent"), ("accentInk", "accentHover"), ("accentInk", "accentPressed"), ("amber", "background"),
        ("amber", "sidebar"), ("amber", "selected"), ("red", "background"), ("red", "sidebar"), ("red", "selected"),
        ("red", "raised"),
    ],
)  # fmt: skip
def test_contrast_is_at_least_4_5(driver: Driver, dark: bool, ink: str, ground: str) -> None:
    theme = driver.desktop.qml.singletonInstance("Homing", "Theme")
    assert isinstance(theme, QObject)
    driver.desktop.parts.preferences.choose_theme("dark" if dark else "light")
    lighter, darker = sorted(
        (_luminance(theme.property(ink)), _luminance(theme.property(ground))), reverse=True
    )
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_a_second_start_raises_the_first_window_and_ends(tmp_path: Path, qtbot: QtBot) -> None:
    first = Instance(tmp_path)
    assert first.is_first()
    probe = (
        "import sys; from pathlib import Path; from PySide6.QtCore import QCoreApplication; "
        "app = QCoreApplication([]); from desktop.instance import Instance; "
        "sys.exit(10 + Instance(Path(sys.argv[1])).is_first())"
    )
    second = subprocess.Popen([sys.executable, "-c", probe, str(tmp_path)], cwd=Path(__file__).parents[2])
    with qtbot.waitSignal(first.raiseAsked, timeout=10_000):
        pass
    qtbot.waitUntil(lambda: second.poll() is not None, timeout=10_000)
    assert second.returncode == 10
    first.close()


def test_the_next_start_is_first_again(tmp_path: Path, qtbot: QtBot) -> None:
    first = Instance(tmp_path)
    assert first.is_first()
    first.close()
    second = Instance(tmp_path)
    assert second.is_first()
    second.close()


def test_a_socket_left_by_a_crash_does_not_stop_the_next_start(tmp_path: Path, qtbot: QtBot) -> None:
    import tempfile

    from desktop.instance import server_name

    left = Path(tempfile.gettempdir()) / server_name(tmp_path)
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(left))
    instance = Instance(tmp_path)
    assert instance.is_first()
    instance.close()
