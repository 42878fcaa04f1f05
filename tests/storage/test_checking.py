"""Looking whether a store is sound, without changing it (checking.py)."""

import sqlite3
from pathlib import Path

from storage import chats, messages
from storage.records import LOCAL_ACCOUNT
from storage.rescue import checking
from storage.store import Store, Transaction


def _words(path: Path) -> dict[str, str]:
    return {check.check: check.words for check in checking.examine(path)}


def _ill(path: Path) -> list[str]:
    return [check.check for check in checking.examine(path) if not check.healthy]


def _filled(path: Path) -> None:
    def write(tx: Transaction) -> None:
        chat = chats.create(tx, "Notes", account_id=LOCAL_ACCOUNT)
        for number in range(200):
            messages.commit(tx, chat.chat_id, f"{number} " + "word " * 100)

    store = Store.open(path)
    store.write(write).result()
    store.close()


def test_a_profile_without_a_store_is_sound_and_stays_without(path: Path) -> None:
    assert list(_words(path)) == ["store"]
    assert not path.parent.exists()


def test_a_sound_store_is_counted_and_left_as_it_is(path: Path) -> None:
    _filled(path)
    before = path.read_bytes()
    words = _words(path)
    assert _ill(path) == []
    assert list(words) == [
        "store",
        "integrity",
        "references",
        "texts",
        "history",
        "messages",
        "pending",
        "backups",
        "ballast",
    ]
    assert words["messages"] == "0 synced, 200 not yet synced and 0 set aside in 1 chats"
    assert path.read_bytes() == before


def test_an_open_store_can_be_looked_at(path: Path) -> None:
    _filled(path)
    store = Store.open(path)
    try:
        assert _ill(path) == []
    finally:
        store.close()


def test_smashed_pages_are_damage(path: Path) -> None:
    _filled(path)
    with path.open("r+b") as file:
        file.seek(-8 * 4096, 2)
        file.write(b"\xff" * 8 * 4096)
    assert _ill(path) in (["store"], ["integrity"])


def test_a_file_that_is_no_database_is_said_to_be_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, though long enough to be taken for one" * 100)
    assert _ill(path) == ["store"]
    assert "damaged" in _words(path)["store"]


def test_rows_that_belong_to_nothing_are_told(path: Path) -> None:
    _filled(path)
    with sqlite3.connect(path) as db:
        db.execute("pragma foreign_keys = off")
        db.execute("delete from chats")
    db.close()
    assert _ill(path) == ["references"]


def test_a_store_of_a_newer_version_is_told_and_not_read(path: Path) -> None:
    _filled(path)
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 99")
    db.close()
    assert _ill(path) == ["store"]
    assert "newer Homing" in _words(path)["store"]
