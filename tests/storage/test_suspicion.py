"""Damage that a running Homing meets is not forgotten: the next start looks at every page."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from storage import chats, messages
from storage.errors import StoreCorrupt
from storage.file import suspicion
from storage.records import ChatId
from storage.rescue.salvage import rescue
from storage.store import Store

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PAGE = 4096


@pytest.fixture
def smashed(tmp_path: Path) -> Path:
    """A closed store of 300 messages, a page in the middle of which is not what it was."""
    path = tmp_path / "homing.sqlite3"
    store = Store.open(path)
    chat = store.write(lambda tx: chats.create(tx, "Kept", chat_id=ChatId("chat"))).result().chat_id
    for number in range(300):
        store.write(partial(messages.commit, chat_id=chat, content=f"{number} " + "words " * 100))
    store.close()
    place = path.read_bytes().index(b"150 words") // PAGE * PAGE
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * PAGE)
    return path


def _scroll(store: Store) -> None:
    store.read(lambda db: messages.page(db, ChatId("chat"), limit=1000))


def test_a_start_after_damage_was_met_offers_the_rescue_and_the_rescue_ends_it(smashed: Path) -> None:
    store = Store.open(smashed)
    with pytest.raises(StoreCorrupt):
        _scroll(store)
    store.close()
    with pytest.raises(StoreCorrupt, match="repair"):
        Store.open(smashed)
    rescue(smashed, NOW)
    store = Store.open(smashed)
    _scroll(store)
    store.close()


def test_a_backup_that_finds_damage_has_the_next_start_look(smashed: Path) -> None:
    store = Store.open(smashed)
    with pytest.raises(StoreCorrupt):
        store.keep_backups()
    store.close()
    with pytest.raises(StoreCorrupt, match="repair"):
        Store.open(smashed)


def test_a_write_that_meets_damage_has_the_next_start_look(smashed: Path) -> None:
    store = Store.open(smashed)
    with pytest.raises(StoreCorrupt):
        store.write(lambda tx: tx.db.execute("update messages set sync_error = 'x'").rowcount).result()
    store.close()
    with pytest.raises(StoreCorrupt, match="repair"):
        Store.open(smashed)


def test_a_suspicion_that_was_wrong_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "homing.sqlite3"
    Store.open(path).close()
    suspicion.note(path)
    Store.open(path).close()
    assert not path.with_name(path.name + suspicion.MARK).exists()
