"""The whole program in a process of its own: starting, ending by signal, a store that does not open."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from storage import chats, messages
from storage.store import Store

RUN = "import sys; from pathlib import Path; from desktop.app import run_window; sys.exit(run_window(Path(sys.argv[1]), 'default', []))"


def start(data_dir: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "HOMING_TRACE_START": "1", "HOMING_SESSION_STORE": "memory"}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(data_dir)],
        cwd=Path(__file__).parents[2],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_frame(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith('{"event": "first-frame"'):
            figures: dict[str, object] = json.loads(line)
            return figures
    raise AssertionError("no first frame was painted")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_window_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    figures = first_frame(process)
    assert float(str(figures["ms"])) > 0
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_no_network_library_is_imported_before_the_first_frame(tmp_path: Path) -> None:
    probe = (
        "import sys; from pathlib import Path\n"
        "from desktop import app\n"
        "app.Desktop.start = lambda self: None\n"
        "kept = app.once_painted\n"
        "def report():\n"
        "    print(*sorted(sys.modules)); app.QGuiApplication.quit()\n"
        "app.once_painted = lambda window, call: kept(window, report)\n"
        "app.run_window(Path(sys.argv[1]), 'default', [])\n"
    )
    Store.open(tmp_path / "profiles" / "default" / "homing.sqlite3").close()
    done = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    early = {name.split(".")[0] for name in done.stdout.split()}
    assert "PySide6" in early
    assert not early & {
        "supabase",
        "httpx",
        "pydantic",
        "markdown_it",
        "websockets",
        "keyring",
        "sqlite_utils",
        "asyncio",
    }


def test_a_second_process_ends_with_0_while_the_first_lives(tmp_path: Path) -> None:
    first = start(tmp_path)
    first_frame(first)
    second = start(tmp_path)
    second.communicate(timeout=30)
    assert second.returncode == 0
    assert first.poll() is None
    first.terminate()
    first.communicate(timeout=30)


def test_a_file_of_a_newer_version_ends_with_1_and_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "profiles" / "default" / "homing.sqlite3"
    store = Store.open(path)
    store.write(lambda tx: messages.commit(tx, chats.create(tx, "a").chat_id, "hello")).result()
    store.close()
    db = sqlite3.connect(path)
    db.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('homing', 'm9999_future', '')"
    )
    db.commit()
    db.close()
    before = path.read_bytes()
    probe = (
        "import sys; from pathlib import Path\n"
        "import desktop.problem as problem\n"
        "problem.wants_retry = lambda error, path: False\n"
        "from desktop.app import run_window\n"
        "sys.exit(run_window(Path(sys.argv[1]), 'default', []))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert path.read_bytes() == before
