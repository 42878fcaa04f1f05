"""A damaged store is replaced, a backup restored, a spoiled message mended (salvage.py, healing.py; I33, I34)."""

import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage import accounts, chats, messages
from storage.errors import DiskFull, NewerSchema, StoreCorrupt, StoreLocked
from storage.exchange import VerdictStatus
from storage.file import replacing
from storage.inbound import inbox
from storage.records import Cursor, MessageId, SyncState
from storage.rescue import healing, salvage
from storage.rescue.carrying import DAMAGED
from storage.store import Store, Transaction
from tests.fakes import damage
from tests.fakes.changes import change_page, message_change, record_verdicts, verdict
from tests.fakes.inhabited import ACTIVE, DRAFT, OTHER, OWN, PULLED, SIGNED_OUT, TITLE, content, fill, say

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def closed(path: Path) -> Path:
    """A store that somebody lived in."""
    store = Store.open(path)
    fill(store)
    store.close()
    return path


def overwrite(path: Path, place: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(what)


def unsent(path: Path) -> list[tuple[Any, ...]]:
    return [row for row in content(path)["messages"] if row[-1] != "synced"]


@pytest.mark.parametrize("spoiled", [0, 16, 100, 4096])
def test_without_its_header_or_its_first_page_everything_is_found_again(closed: Path, spoiled: int) -> None:
    before = content(closed)
    overwrite(closed, 0, bytes(spoiled))
    rescue = salvage.rescue(closed, NOW)
    assert content(closed) == before
    carried = rescue.carried
    assert (carried.unsent, carried.synced, carried.drafts, carried.accounts, carried.lost) == (
        9,
        24,
        1,
        2,
        0,
    )
    assert [check.words for check in _ill(closed)] == []


def _ill(path: Path) -> list[Any]:
    from storage.rescue import checking

    return [check for check in checking.examine(path) if not check.healthy]


def test_accounts_stay_signed_in_and_are_pulled_from_nothing(closed: Path) -> None:
    overwrite(closed, 0, bytes(100))
    salvage.rescue(closed, NOW)
    store = Store.open(closed)
    assert [account.account_id for account in store.read(accounts.list_accounts)] == [ACTIVE, OTHER]
    active = store.read(accounts.active)
    assert active is not None
    assert active.signed_in
    assert store.read(lambda db: inbox.cursor(db, ACTIVE)) == Cursor()
    assert store.read(lambda db: chats.get(db, OWN)).title == TITLE
    assert store.read(lambda db: chats.get(db, OWN)).draft == DRAFT
    store.close()


def test_the_damaged_file_and_its_log_are_put_aside_as_they_are(path: Path, tmp_path: Path) -> None:
    store = Store.open(path)
    fill(store)
    killed = tmp_path / "killed" / path.name
    damage.copy(path, killed)
    store.close()
    overwrite(killed, 0, b"\xff" * 64)
    spoiled = {ending: killed.with_name(killed.name + ending).read_bytes() for ending in ("", "-wal")}
    aside = salvage.rescue(killed, NOW).aside
    assert aside.name == "homing.sqlite3.damaged-20261121T120000Z"
    for ending, content_before in spoiled.items():
        assert aside.with_name(aside.name + ending).read_bytes() == content_before
    assert replacing.aside(killed) == [aside]
    assert len(unsent(killed)) == 9


def test_a_log_that_was_cut_off_is_told_at_every_start_until_it_is_rescued(
    path: Path, tmp_path: Path
) -> None:
    store = Store.open(path)
    fill(store)
    killed = tmp_path / "killed" / path.name
    damage.copy(path, killed)
    store.close()
    log = killed.with_name(killed.name + "-wal")
    log.write_bytes(log.read_bytes()[:-5000])
    for _ in range(2):
        with pytest.raises(StoreCorrupt, match=r"sqlite3-wal is damaged"):
            Store.open(killed)
    salvage.rescue(killed, NOW)
    Store.open(killed).close()


def test_words_that_damage_touched_are_kept_and_set_aside(closed: Path) -> None:
    with closing(sqlite3.connect(closed)) as db:
        db.execute("update messages set content = replace(content, 'pending-4.2', 'pending-4.?') where 1")
        db.commit()
    carried = salvage.rescue(closed, NOW).carried
    assert carried.touched == 1
    store = Store.open(closed)
    message = store.read(lambda db: messages.get(db, OWN, MessageId("pending-4")))
    assert message is not None
    assert (message.sync_state, message.sync_error) == (SyncState.REJECTED, DAMAGED)
    assert "<pending-4.?>" in message.content[0]["text"]
    store.close()


def test_a_message_whose_chat_is_lost_waits_signed_out(closed: Path) -> None:
    """I21: whose it was is not known, so it goes to nobody by itself."""
    with closing(sqlite3.connect(closed)) as db:
        db.execute("pragma foreign_keys = off")
        db.execute("delete from chats where chat_id = ?", (OWN,))
        db.commit()
    salvage.rescue(closed, NOW)
    store = Store.open(closed)
    chat = store.read(lambda db: chats.get(db, OWN))
    assert (chat.account_id, chat.title) == ("local", "Recovered")
    store.close()
    assert len(unsent(closed)) == 9


AS_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from storage import chats
from storage.store import Store
store = Store.open(Path(sys.argv[1]))
store.read(chats.unadopted)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_file_that_this_process_has_open_is_not_touched(closed: Path) -> None:
    store = Store.open(closed)
    with pytest.raises(StoreLocked, match="close it"):
        salvage.rescue(closed, NOW)
    say(store, OWN, "still open")
    store.close()
    assert salvage.rescue(closed, NOW).carried.unsent == 10


@pytest.mark.skipif(sys.platform == "win32", reason="there the renaming itself is refused")
def test_a_file_that_another_process_has_open_is_not_touched(closed: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", AS_ANOTHER_PROCESS, str(closed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    with pytest.raises(StoreLocked, match="close it"):
        salvage.rescue(closed, NOW)
    other.communicate()
    assert replacing.aside(closed) == []
    salvage.rescue(closed, NOW)


class Crash(BaseException):
    pass


@pytest.mark.parametrize("interrupted", range(6))
def test_a_crash_at_any_step_of_the_exchange_ends_in_the_new_file(
    closed: Path, monkeypatch: pytest.MonkeyPatch, interrupted: int
) -> None:
    before = content(closed)
    overwrite(closed, 0, bytes(100))
    left = interrupted
    really = Path.replace

    def replace(source: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise Crash
        left -= 1
        return really(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    with suppress(Crash):
        salvage.rescue(closed, NOW)
    monkeypatch.undo()
    if interrupted == 0:
        with pytest.raises(StoreCorrupt):  # nothing has happened yet
            Store.open(closed)
        salvage.rescue(closed, NOW)
    Store.open(closed).close()
    assert content(closed) == before
    assert len(replacing.aside(closed)) == 1


def test_a_newer_file_is_not_rescued(closed: Path) -> None:
    with closing(sqlite3.connect(closed)) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values ('homing', 'm9', 'x')"
        )
        db.commit()
    before = closed.read_bytes()
    with pytest.raises(NewerSchema):
        salvage.rescue(closed, NOW)
    assert closed.read_bytes() == before


def test_without_room_for_a_second_file_nothing_happens(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.file.ballast.room", lambda _: 1000)
    before = closed.read_bytes()
    with pytest.raises(DiskFull):
        salvage.rescue(closed, NOW)
    assert closed.read_bytes() == before


def test_a_restored_backup_and_a_sync_lose_nothing_and_double_nothing(path: Path) -> None:
    """What was sent since is sent again under its id, what was written since is kept, what came since comes again."""
    store = Store.open(path)
    fill(store)
    backup = store.keep_backups()
    assert backup is not None
    chat_ids = [row[0] for row in unsent(path)]

    def confirm(tx: Transaction) -> None:
        record_verdicts(
            tx, ACTIVE, "epoch-1", OWN, [verdict("pending-1", number=1), verdict("pending-2", number=2)]
        )
        inbox.apply(tx, ACTIVE, change_page([message_change(25, PULLED, "pulled-25", 25)]))
        chats.save_draft(tx, OWN, "")
        chats.save_draft(tx, SIGNED_OUT, "newer words")
        chats.rename(tx, SIGNED_OUT, "Renamed since")

    store.write(confirm).result()
    say(store, OWN, "since")
    store.close()
    present = content(path)

    rescue = salvage.restore(path, backup.path, NOW)
    assert rescue.aside.name.startswith("homing.sqlite3.replaced-")
    store = Store.open(path)
    assert store.read(lambda db: inbox.cursor(db, ACTIVE)).change == 24
    waiting = [row[1] for row in unsent(path) if row[0] == OWN]
    assert waiting == ["pending-1", "pending-2", "pending-4", "pending-5", "pending-7", "aside", "since"]

    def sync(tx: Transaction) -> None:
        again = [verdict(f"pending-{n}", VerdictStatus.DUPLICATE, number=n) for n in (1, 2)]
        record_verdicts(tx, ACTIVE, "epoch-1", OWN, again)
        inbox.apply(tx, ACTIVE, change_page([message_change(25, PULLED, "pulled-25", 25)]))

    store.write(sync).result()
    store.close()
    assert content(path) == present
    assert len(unsent(path)) == len(chat_ids) - 1
    assert _ill(path) == []


def test_a_damaged_backup_is_not_restored(closed: Path) -> None:
    store = Store.open(closed)
    backup = store.keep_backups()
    store.close()
    assert backup is not None
    overwrite(backup.path, 4096 * 8, b"\xa5" * 4096)
    before = content(closed)
    with pytest.raises(StoreCorrupt, match="choose another backup"):
        salvage.restore(closed, backup.path, NOW)
    assert content(closed) == before


def test_a_backup_is_restored_where_no_file_is_left(closed: Path) -> None:
    store = Store.open(closed)
    backup = store.keep_backups()
    store.close()
    before = content(closed)
    assert backup is not None
    closed.unlink()
    salvage.restore(closed, backup.path, NOW)
    assert content(closed) == before


def test_a_spoiled_message_is_fetched_again_or_set_aside(closed: Path) -> None:
    store = Store.open(closed)

    def spoil(tx: Transaction) -> None:
        for name in ("pulled-7", "pending-4"):
            tx.db.execute(
                "update messages set content = replace(content, '.2>', '.!>') where message_id = ?", (name,)
            )

    store.write(spoil).result()
    assert healing.heal(store) == 2
    assert store.read(lambda db: chats.get(db, PULLED)).missing == 24
    message = store.read(lambda db: messages.get(db, OWN, MessageId("pending-4")))
    assert message is not None
    assert message.sync_error == DAMAGED
    page = change_page(message_change(100 + n, PULLED, f"pulled-{n}", n, f"true {n}") for n in range(1, 25))
    assert store.write(lambda tx: inbox.apply(tx, ACTIVE, page)).result()
    healed = store.read(lambda db: messages.get(db, PULLED, MessageId("pulled-7")))
    assert healed is not None
    assert healed.content[0]["text"] == "true 7"
    assert healing.heal(store) == 0
    store.close()
