"""Sync as a person meets it: emptying an outbox of 10,000, and a message's way from one device to the other."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from unittest.mock import patch

import httpx

from benchmarks.report import Report
from storage import chats, messages
from storage.paths import profile_dir, store_path
from storage.records import AccountId, ChatId, SyncState, Touched
from storage.store import Store, Transaction
from sync.login.vault import SessionStoreKind
from sync.service import SyncService
from sync.status import Phase, SyncStatus
from tests.flows.homing_process import PASSWORD, Server

PENDING, SENDS = 10_000, 60


@contextmanager
def _counted_requests() -> Iterator[Callable[[], int]]:
    """Counts what httpx sends."""
    send = httpx.AsyncClient.send
    with patch.object(httpx.AsyncClient, "send", autospec=True, side_effect=send) as sent:
        yield lambda: sent.call_count


@contextmanager
def _device(folder: Path, name: str, *, realtime: bool) -> Iterator[tuple[Store, SyncService]]:
    data_dir = folder / name
    store = Store.open(store_path(data_dir, "default"))
    service = SyncService(
        store, profile_dir(data_dir, "default"), session_store=SessionStoreKind.FILE, realtime=realtime
    )
    try:
        service.start()
        yield store, service
    finally:
        service.stop()
        store.close()


def measure(report: Report, folder: Path, server: Server) -> None:
    """Measure drain and latency against a running server."""
    report.heading("Sync beside homing serve")
    email = f"{uuid.uuid4().hex}@example.org"
    _drain(report, folder, server, email)
    _latency(report, folder, server, email)


def _drain(report: Report, folder: Path, server: Server, email: str) -> None:
    with _device(folder, "drain", realtime=False) as (store, service):
        account = service.sign_up(server.url, server.key, email, PASSWORD, adopt=False).result()
        service.run_until_quiet()
    store = Store.open(store_path(folder / "drain", "default"))
    chat = store.write(lambda tx: _written_offline(tx, account.account_id)).result()
    store.close()
    with _counted_requests() as requests:
        started = time.perf_counter()
        with _device(folder, "drain", realtime=False) as (store, service):
            sent = service.run_until_quiet()
            seconds = time.perf_counter() - started
            assert _numbers(store, chat) == list(range(PENDING, 0, -1)), "lost, doubled or out of order"
    assert sent.pending == 0
    report.row(
        f"drain of {PENDING:,} pending, pulling them back included", f"{seconds:.2f} s, {requests()} requests"
    )


def _numbers(store: Store, chat: ChatId) -> list[int | None]:
    numbers: list[int | None] = []
    page = store.read(lambda db: messages.page(db, chat, limit=500))
    while True:
        numbers += [message.sequence_num for message in page.messages]
        if page.older is None:
            return numbers
        page = store.read(partial(messages.page, chat_id=chat, before=page.older, limit=500))


def _written_offline(tx: Transaction, account: AccountId) -> ChatId:
    chat = chats.create(tx, "Written offline", account_id=account).chat_id
    for number in range(PENDING):
        messages.commit(tx, chat, f"Message {number}, written on a long flight without any network at all.")
    return chat


def _latency(report: Report, folder: Path, server: Server, email: str) -> None:
    with (
        _device(folder, "sender", realtime=True) as (here, sender),
        _device(folder, "receiver", realtime=True) as (there, receiver),
    ):
        sender.sign_in(server.url, server.key, email, PASSWORD, adopt=False).result()
        account = receiver.sign_in(server.url, server.key, email, PASSWORD, adopt=False).result()
        for service in (sender, receiver):
            _until_synced(service)
        chat = here.write(lambda tx: chats.create(tx, "Live", account_id=account.account_id)).result().chat_id
        arrived: SimpleQueue[Touched] = SimpleQueue()
        there.subscribe(arrived.put)
        seconds = [_seconds_to_arrive(here, there, chat, arrived, number) for number in range(SENDS)]
    report.times("send here to visible on the second device", seconds[10:])


def _until_synced(service: SyncService) -> None:
    reached: SimpleQueue[SyncStatus] = SimpleQueue()
    unsubscribe = service.subscribe(reached.put)
    service.sync_now()
    while reached.get(timeout=30).phase is not Phase.SYNCED:
        pass
    unsubscribe()


def _seconds_to_arrive(
    here: Store, there: Store, chat: ChatId, arrived: "SimpleQueue[Touched]", number: int
) -> float:
    started = time.perf_counter()
    sent = here.write(lambda tx: messages.commit(tx, chat, f"Live message {number}")).result()
    while True:
        if chat in arrived.get(timeout=30).messages:
            got = there.read(lambda db: messages.get(db, chat, sent.message_id))
            if got is not None and got.sync_state is SyncState.SYNCED:
                return time.perf_counter() - started
