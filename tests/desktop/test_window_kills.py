"""What the window shows as saved is saved: the real program, killed while a person types."""

import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from storage import chats, messages
from storage.content import plain_text
from storage.paths import store_path
from storage.records import LOCAL_ACCOUNT, SyncState
from storage.store import Store

KILLS = 8


def _type_until_killed(data_dir: Path, start: int, shown: int) -> list[str]:
    """Let the window type until it has shown so many messages as saved, then kill -9 it at once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.typing_window", str(data_dir), str(start)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(shown)]
    process.kill()
    told += process.stdout.read().split("\n")[:-1]
    process.stdout.close()
    process.wait(timeout=30)
    return told


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_every_message_shown_as_saved_is_there_after_kill_9_and_pending(tmp_path: Path) -> None:
    dice, told = random.Random(20261121), list[str]()
    for kill in range(KILLS):
        told += _type_until_killed(tmp_path, kill * 1000, dice.randrange(1, 25))

    store = Store.open(store_path(tmp_path, "default"))
    kept = [
        message
        for chat in store.read(lambda db: chats.list_chats(db, [LOCAL_ACCOUNT]))
        for message in store.read(partial(messages.page, chat_id=chat.chat_id, limit=1000)).messages
    ]
    store.close()
    texts = [plain_text(message.content) for message in kept]
    assert len(told) >= KILLS
    assert set(told) <= set(texts)
    assert len(texts) == len(set(texts))
    assert {message.sync_state for message in kept} == {SyncState.PENDING}
