"""Computers of a person for benchmarks: real stores, the real sync service, a real server."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from unittest.mock import patch

import httpx

from storage import chats, messages
from storage.paths import profile_dir, store_path
from storage.records import AccountId, ChatId
from storage.store import Store, Transaction
from sync.login.vault import SessionStoreKind
from sync.service import SyncService
from sync.status import Phase, SyncStatus

PROFILE = "default"


@contextmanager
def computer(folder: Path, name: str, *, realtime: bool = False) -> Iterator[tuple[Store, SyncService]]:
    """A computer that is switched on: its store and its running service."""
    data_dir = folder / name
    store = Store.open(store_path(data_dir, PROFILE))
    service = SyncService(
        store, profile_dir(data_dir, PROFILE), session_store=SessionStoreKind.FILE, realtime=realtime
    )
    try:
        service.start()
        yield store, service
    finally:
        service.stop()
        store.close()


@contextmanager
def counted_requests() -> Iterator[Callable[[], int]]:
    """Counts what httpx sends."""
    send = httpx.AsyncClient.send
    with patch.object(httpx.AsyncClient, "send", autospec=True, side_effect=send) as sent:
        yield lambda: sent.call_count


def write_offline(tx: Transaction, account: AccountId, chat_count: int, each: int) -> list[ChatId]:
    """Commits `each` messages in every one of `chat_count` new chats."""
    made = [chats.create(tx, f"Flight {n}", account_id=account).chat_id for n in range(chat_count)]
    for number in range(each):
        for chat in made:
            messages.commit(
                tx, chat, f"Message {number}, written on a long flight without any network at all."
            )
    return made


def numbers(store: Store, chat: ChatId) -> list[int | None]:
    """The sequence numbers of a chat as it is shown, newest first."""
    found: list[int | None] = []
    page = store.read(lambda db: messages.page(db, chat, limit=500))
    while True:
        found += [message.sequence_num for message in page.messages]
        if page.older is None:
            return found
        page = store.read(partial(messages.page, chat_id=chat, before=page.older, limit=500))


def until_synced(service: SyncService) -> None:
    """Waits for a whole round."""
    reached: SimpleQueue[SyncStatus] = SimpleQueue()
    unsubscribe = service.subscribe(reached.put)
    service.sync_now()
    while reached.get(timeout=60).phase is not Phase.SYNCED:
        pass
    unsubscribe()


def seconds_until(condition: Callable[[], bool], changed: "SimpleQueue[object]", started: float) -> float:
    """How long it took from `started` until the condition held, looked at after each change."""
    while not condition():
        changed.get(timeout=60)
    return time.perf_counter() - started
