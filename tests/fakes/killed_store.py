"""Kills a writing process again and again, and looks at what it left: run as a program with a path and a seed.

It forks, so it must stay a process with a single thread; its children have the store's threads.
"""

import os
import random
import select
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import storage.file.migrations  # noqa: F401 - once here, instead of in every child
from storage import accounts, chats, messages
from storage.file import preparing
from storage.inbound import inbox
from storage.records import Account, AccountId, ChatId, MessageId
from storage.store import Lane, Store, Transaction
from tests.fakes.changes import change_page, message_change

ACCOUNT: Final = AccountId("account")
OWN: Final = ChatId("own")
PULLED: Final = ChatId("pulled")
PULL_SIZE: Final = 7
STORE_LASTS: Final = 25
"""Kills; a small store is looked through quickly."""


def prepare(path: Path) -> None:
    store = Store.open(path)

    def start(tx: Transaction) -> None:
        accounts.remember(tx, Account(ACCOUNT, "http://127.0.0.1:1", "key", "a@example.org", "user", True))
        chats.create(tx, "Own", account_id=ACCOUNT, chat_id=OWN)
        inbox.apply(tx, ACCOUNT, change_page([], reset=True))

    store.write(start).result()
    store.close()


def work(path: Path, name: str, acknowledge: int) -> None:
    """Writes for ever: drafts and messages as a person does, pages of changes as sync does."""
    store = Store.open(path)
    for number in range(10**9):
        message_id = f"{name}-{number}"
        pulled = store.write(pull, Lane.SYNC)
        store.write(lambda tx, text=message_id: chats.save_draft(tx, OWN, text)).result()  # type: ignore[misc]
        store.write(
            lambda tx, wanted=message_id: messages.commit(tx, OWN, wanted, message_id=MessageId(wanted))  # type: ignore[misc]
        ).result()
        os.write(acknowledge, f"{message_id}\n".encode())
        pulled.result()


def pull(tx: Transaction) -> bool:
    held = inbox.cursor(tx.db, ACCOUNT).change
    numbers = range(held + 1, held + 1 + PULL_SIZE)
    return inbox.apply(tx, ACCOUNT, change_page(message_change(n, PULLED, f"s{n}", n) for n in numbers))


def life(path: Path, name: str, seconds: float) -> list[str]:
    """One process from birth to SIGKILL. Returns what it acknowledged."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        work(path, name, theirs)
    os.close(theirs)
    select.select([ours], [], [], 10)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(ours) as pipe:
        return [line.strip() for line in pipe if line.endswith("\n")]


def birth(path: Path, seconds: float) -> None:
    """A process that is killed while it creates the store; the next one must be able to open it."""
    child = os.fork()
    if child == 0:
        Store.open(path)
        signal.pause()
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    prepare(path)


def faults(path: Path, acknowledged: set[str]) -> list[str]:
    """What is wrong with the store after a kill."""
    preparing.prepare(path)  # as the next start does
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return _faults(db, acknowledged)


def _faults(db: sqlite3.Connection, acknowledged: set[str]) -> list[str]:
    rows = [name for (name,) in db.execute("select message_id from messages where chat_id = ?", (OWN,))]
    chat = chats.get(db, OWN)
    held = inbox.cursor(db, ACCOUNT).change
    (pulled,) = db.execute("select count(*) from messages where chat_id = ?", (PULLED,)).fetchone()
    checks = {
        "acknowledged but lost": not acknowledged - set(rows),
        "stored twice": len(rows) == len(set(rows)),
        "the chat's counter is wrong": chat.pending == len(rows),
        "a draft outlived its message": chat.draft not in rows,
        "rows and cursor differ": pulled == held,
        "damaged": db.execute("pragma integrity_check").fetchone() == ("ok",),
    }
    return [name for name, holds in checks.items() if not holds]


def lives(path: Path, kills: int, chance: random.Random) -> tuple[int, list[str]]:
    """One store through so many kills: how many messages it acknowledged, and what was wrong at last."""
    acknowledged: set[str] = set()
    prepare(path)
    for number in range(kills):
        acknowledged.update(life(path, f"life{number}", chance.uniform(0, 0.03)))
        if found := faults(path, acknowledged):
            return len(acknowledged), [f"after kill {number} of {path.parent.name}", *found]
    return len(acknowledged), []


def main(path: Path, seed: int, kills: int) -> int:
    chance = random.Random(seed)
    total = 0
    for number in range(kills // 20):
        birth(path.with_name(f"born{number}") / path.name, chance.uniform(0, 0.015))
    for number in range(kills // STORE_LASTS):
        acknowledged, found = lives(path.with_name(f"store{number}") / path.name, STORE_LASTS, chance)
        total += acknowledged
        if found:
            sys.stdout.write(f"with seed {seed}: {', '.join(found)}\n")
            return 1
    sys.stdout.write(f"{kills} kills, {total} acknowledged, 0 lost\n")
    return 0 if total > kills else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
