"""What was acknowledged is there after any loss of power (I1, I2, I11), and would not be with a weaker setting."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from storage import accounts, chats, messages
from storage.file import preparing
from storage.inbound import inbox
from storage.records import Account, AccountId, ChatId, MessageId
from storage.store import Lane, Store, Transaction
from tests.fakes import old_store, power_cut
from tests.fakes.changes import change_page, message_change
from tests.fakes.python_disk import Disk, Entry

ACCOUNT = AccountId("account")
OWN = ChatId("own")
PULLED = ChatId("pulled")
PAGE = 5
SEED = 20261121


def live(path: Path, synchronous: str | None, commits: int) -> list[Entry]:
    """A person writes, sync pulls, the log is folded in now and then: the real store on a disk that remembers."""
    disk = Disk(path, synchronous=synchronous)
    with disk.under_the_store():
        store = Store.open(path)
        store.write(_start).result()
        disk.note("started")
        for number in range(commits):
            pulled = store.write(_pull, Lane.SYNC)
            store.write(lambda tx, text=f"m{number}": chats.save_draft(tx, OWN, text)).result()  # type: ignore[misc]
            store.write(lambda tx, name=f"m{number}": _say(tx, name)).result()  # type: ignore[misc]
            disk.note(f"m{number}")
            pulled.result()
            disk.note(f"s{number}")
        store.close()
    return disk.diary


def _start(tx: Transaction) -> None:
    accounts.remember(tx, Account(ACCOUNT, "http://127.0.0.1:1", "key", "a@example.org", "user", True))
    chats.create(tx, "Own", account_id=ACCOUNT, chat_id=OWN)
    inbox.apply(tx, ACCOUNT, change_page([], reset=True))
    tx.db.execute("pragma wal_autocheckpoint = 30")


def _say(tx: Transaction, name: str) -> None:
    messages.commit(tx, OWN, name + " words" * 100, message_id=MessageId(name))


def _pull(tx: Transaction) -> bool:
    held = inbox.cursor(tx.db, ACCOUNT).change
    numbers = range(held + 1, held + 1 + PAGE)
    return inbox.apply(tx, ACCOUNT, change_page(message_change(n, PULLED, f"p{n}", n) for n in numbers))


def faults(path: Path, acknowledged: frozenset[str]) -> list[str]:
    """What is wrong with the store that is found after the power came back."""
    preparing.prepare(path)
    with closing(sqlite3.connect(path)) as db:
        rows = [name for (name,) in db.execute("select message_id from messages where chat_id = ?", (OWN,))]
        (pending,) = db.execute("select pending from chats where chat_id = ?", (OWN,)).fetchone()
        drafts = [text for (text,) in db.execute("select text from drafts")]
        pulled = [
            number
            for (number,) in db.execute("select sequence_num from messages where chat_id = ?", (PULLED,))
        ]
        (cursor,) = db.execute("select change from accounts where account_id = ?", (ACCOUNT,)).fetchone()
        checks = {
            "an acknowledged message is lost": {each for each in acknowledged if each[0] == "m"} <= set(rows),
            "an applied page is lost": PAGE
            * sum(each != "started" and each[0] == "s" for each in acknowledged)
            <= cursor,
            "rows and cursor differ": sorted(pulled) == list(range(1, cursor + 1)),
            "the chat's counter is wrong": pending == len(rows) == len(set(rows)),
            "a draft outlived its message": not set(drafts) & set(rows),
            "damaged": db.execute("pragma integrity_check").fetchone() == ("ok",),
        }
    return [name for name, holds in checks.items() if not holds]


def spoilt(diary: Sequence[Entry], path: Path, count: int, seed: int) -> list[str]:
    """What was wrong after each of so many cuts."""
    found: list[str] = []
    for ruins in power_cut.cuts(diary, count, random.Random(seed)):
        ruins.lay(path)
        try:
            found += faults(path, ruins.acknowledged)
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


def test_three_thousand_power_cuts_lose_nothing(tmp_path: Path) -> None:
    diary = live(tmp_path / "lived" / "homing.sqlite3", None, 25)
    assert sum(entry.what == "sync" and entry.file == "" for entry in diary) > 2, (
        "the log was never folded in"
    )
    assert spoilt(diary, tmp_path / "ruins" / "homing.sqlite3", 3000, SEED) == []


@pytest.mark.parametrize("synchronous", ["normal", "off"])
def test_a_weaker_setting_loses_something(tmp_path: Path, synchronous: str) -> None:
    """The negative control: the cuts are hard enough to show it."""
    diary = live(tmp_path / "lived" / "homing.sqlite3", synchronous, 25)
    found = spoilt(diary, tmp_path / "ruins" / "homing.sqlite3", 100, SEED)
    assert len(found) > 20
    assert any("lost" in each or "damaged" in each for each in found)


def test_a_migration_that_loses_power_begins_anew(tmp_path: Path) -> None:
    """I31: one transaction, so each cut leaves the old store or the new one, and a backup of the old one."""
    lived, path = tmp_path / "lived" / "homing.sqlite3", tmp_path / "ruins" / "homing.sqlite3"
    old_store.make(lived, OWN)
    disk = Disk(lived)
    disk.diary.append(Entry("write", "", 0, lived.read_bytes()))
    disk.diary.append(Entry("sync", ""))
    disk.note("an old store")
    with disk.under_the_store():
        Store.open(lived).close()
    for ruins in power_cut.cuts(disk.diary, 60, random.Random(SEED)):
        ruins.lay(path)
        store = Store.open(path)
        page = store.read(lambda db: messages.page(db, OWN))
        assert [message.message_id for message in page.messages] == ["m2", "m1", "m0"]
        store.close()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_power_cuts_lose_nothing(tmp_path: Path, seed: int) -> None:
    diary = live(tmp_path / "lived" / "homing.sqlite3", None, 100)
    assert spoilt(diary, tmp_path / "ruins" / "homing.sqlite3", 10_000, seed) == []
