"""Opens the real window on a seeded store, without a screen, and writes docs/images/*.png.

Run it as `python -m resources.screenshots`, or with a folder to write elsewhere.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_QUICK_BACKEND"] = "software"
os.environ.setdefault("QT_SCALE_FACTOR", "1.5")

from PySide6.QtCore import QEventLoop, QTimer

from desktop import rendering
from desktop.app import Desktop, application
from desktop.engine import Loaded
from storage import accounts, chats, messages
from storage.exchange import BatchVerdict, Parcel, Receipt, Verdict, VerdictStatus
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, Account, ChatId, MessageId, Role
from storage.store import Store, Transaction
from sync.status import Phase, SyncStatus

NOW: Final = datetime.now(UTC).replace(hour=9, minute=42, second=0, microsecond=0)
SETTLE_MS: Final = 700

ACCOUNT: Final = Account(
    accounts.account_id_for("https://homing.example.org", "u-1"),
    "https://homing.example.org",
    "sb_publishable_example",
    "ada@example.org",
    "u-1",
    signed_in=True,
)

QUESTION: Final = "How do I keep two laptops in step when one of them is offline for a week?"
ANSWER: Final = """Write **locally first**, and let a queue carry it over later:

1. Commit the message and its *pending* mark in one transaction.
2. Push in batches when the server answers; an id makes each retry safe.
3. Pull by cursor, so that nothing is missed and nothing comes twice.

```sql
insert into messages (chat_id, message_id, content)
values (:chat, :id, :content)
on conflict do nothing
returning sequence_num;
```

The server numbers each chat from 1 without a gap, so both laptops show the same order."""

EARLIER: Final = (
    ("Packing for Lisbon in November", 1),
    ("旅行の計画と持ち物リスト", 1),
    ("A name for the new allotment, and what to plant along the northern fence first", 3),
    ("مقارنة بين طريقتين للنسخ الاحتياطي", 4),
    ("Sourdough: why the crumb is dense", 6),
    ("Letter to the landlord", 9),
    ("Explain Bloom filters", 12),
)


REASON: Final = "A rule of this server refuses it: edit it, then send it again."


class Clock:
    """A clock that the seeding sets by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """The moment it was set to."""
        return self.now


def seed(store: Store, clock: Clock) -> ChatId:
    """Chats of several days, one of them open; all synced but the last two messages."""
    store.write(lambda tx: accounts.remember(tx, ACCOUNT)).result()
    store.write(lambda tx: accounts.activate(tx, ACCOUNT.account_id)).result()
    for title, age in reversed(EARLIER):
        clock.now = NOW - timedelta(days=age)
        _chat(store, title, [(Role.USER, title + "?")], synced=True)
    clock.now = NOW - timedelta(hours=1)
    store.write(
        lambda tx: messages.commit(tx, chats.create(tx, "", account_id=LOCAL_ACCOUNT).chat_id, "Diary")
    ).result()
    clock.now = NOW - timedelta(minutes=7)
    opened = _chat(
        store, "Two laptops in step", [(Role.USER, QUESTION), (Role.ASSISTANT, ANSWER)], synced=True
    )
    clock.now = NOW
    store.write(lambda tx: messages.commit(tx, opened, "And when both write into the same chat?")).result()
    store.write(lambda tx: messages.commit(tx, opened, "I am on the train and have no network 🚆")).result()
    return opened


def _chat(store: Store, title: str, said: list[tuple[Role, str]], *, synced: bool) -> ChatId:
    chat_id = store.write(lambda tx: chats.create(tx, title, account_id=ACCOUNT.account_id)).result().chat_id
    for number, (role, text) in enumerate(said, start=1):
        message = store.write(_committing(chat_id, role, text)).result()
        if synced:
            verdict = Verdict(message, VerdictStatus.INSERTED, number, None)
            store.write(_confirming(chat_id, verdict)).result()
    return chat_id


def _committing(chat_id: ChatId, role: Role, text: str) -> Callable[[Transaction], MessageId]:
    return lambda tx: messages.commit(tx, chat_id, text, role=role).message_id


def _confirming(chat_id: ChatId, verdict: Verdict) -> Callable[[Transaction], None]:
    told = Receipt((), (), (BatchVerdict(chat_id, None, (verdict,)),), (), None)
    return lambda tx: outbox.record_receipt(tx, ACCOUNT.account_id, None, Parcel((), (), ()), told)


def refuse(store: Store, chat_id: ChatId) -> None:
    """The last message but one is set aside."""
    held = store.read(lambda db: messages.page(db, chat_id)).messages
    refused = held[1].message_id
    store.write(lambda tx: outbox.set_aside(tx, chat_id, [refused], REASON)).result()


def _no_service() -> Loaded:
    raise RuntimeError("The pictures need no server.")


def settle() -> None:
    """Lets fades and layouts come to rest."""
    loop = QEventLoop()
    QTimer.singleShot(SETTLE_MS, loop.quit)
    loop.exec()


def _draw(desktop: Desktop, file: Path, theme: str, size: tuple[int, int]) -> None:
    desktop.window.resize(*size)
    desktop.parts.preferences.choose_theme(theme)
    settle()
    desktop.window.grabWindow().save(str(file))


def main(folder: Path) -> None:
    """Writes light.png, dark.png, narrow.png and set-aside.png."""
    folder.mkdir(parents=True, exist_ok=True)
    application([])
    rendering.warm()
    with tempfile.TemporaryDirectory() as place:
        clock = Clock()
        store = Store.open(Path(place) / "homing.sqlite3", clock=clock)
        opened = seed(store, clock)
        desktop = Desktop(store, _no_service, now=lambda: NOW.astimezone())
        desktop.parts.timeline.use_rich_text()
        desktop.view_model.open(opened)
        desktop.engine.statusChanged.emit(SyncStatus(Phase.OFFLINE, pending=2))
        for name, theme, size in (
            ("light", "light", (1180, 780)),
            ("dark", "dark", (1180, 780)),
            ("narrow", "light", (420, 780)),
        ):
            _draw(desktop, folder / f"{name}.png", theme, size)
        refuse(store, opened)
        desktop.engine.statusChanged.emit(SyncStatus(Phase.SYNCED, rejected=1))
        _draw(desktop, folder / "set-aside.png", "dark", (1180, 620))
        desktop.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "images")
