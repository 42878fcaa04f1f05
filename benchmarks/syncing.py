"""Sync as a person meets it: an outbox that empties, a message on its way, a new computer, and one at rest."""

import os
import time
import uuid
from pathlib import Path
from queue import SimpleQueue

from benchmarks.devices import (
    PROFILE,
    computer,
    counted_requests,
    numbers,
    seconds_until,
    until_synced,
    write_offline,
)
from benchmarks.report import Report, resident_mb
from storage import chats, messages
from storage.paths import store_path
from storage.records import ChatId, SyncState, Touched
from storage.store import Store
from tests.flows.homing_process import PASSWORD, Server

PENDING, CHATS, SENDS, HISTORY = 10_000, 1_000, 60, 100_000
REST = 30.0


def measure(report: Report, folder: Path, server: Server) -> None:
    """Measure against a running server."""
    report.heading("Sync beside homing serve")
    _drain(report, folder, server, 1)
    _drain(report, folder, server, CHATS)
    email = f"{uuid.uuid4().hex}@example.org"
    _latency(report, folder, server, email)
    _new_computer(report, folder, server)
    _rest(report, folder, server, email)


def _drain(report: Report, folder: Path, server: Server, chat_count: int) -> None:
    name, email = f"drain-{chat_count}", f"{uuid.uuid4().hex}@example.org"
    with computer(folder, name) as (store, service):
        account = service.sign_up(server.url, server.key, email, PASSWORD, adopt=False).result()
        service.run_until_quiet()
    each = PENDING // chat_count
    store = Store.open(store_path(folder / name, PROFILE))
    made = store.write(lambda tx: write_offline(tx, account.account_id, chat_count, each)).result()
    store.close()
    with counted_requests() as requests:
        started, spent = time.perf_counter(), time.process_time()
        with computer(folder, name) as (store, service):
            sent = service.run_until_quiet()
            seconds, spent = time.perf_counter() - started, time.process_time() - spent
            in_order = list(range(each, 0, -1))
            assert all(numbers(store, chat) == in_order for chat in made), "lost, doubled or out of order"
    assert sent.pending == 0
    where = "one chat" if chat_count == 1 else f"{chat_count:,} new chats"
    report.row(
        f"drain of {PENDING:,} pending in {where}",
        f"{seconds:.2f} s, {requests()} requests, {spent:.2f} s of processor here",
    )


def _latency(report: Report, folder: Path, server: Server, email: str) -> None:
    with (
        computer(folder, "sender", realtime=True) as (here, sender),
        computer(folder, "receiver", realtime=True) as (there, receiver),
    ):
        sender.sign_up(server.url, server.key, email, PASSWORD, adopt=False).result()
        account = receiver.sign_in(server.url, server.key, email, PASSWORD, adopt=False).result()
        for service in (sender, receiver):
            until_synced(service)
        chat = here.write(lambda tx: chats.create(tx, "Live", account_id=account.account_id)).result().chat_id
        arrived: SimpleQueue[Touched] = SimpleQueue()
        there.subscribe(arrived.put)
        seconds = [_seconds_to_arrive(here, there, chat, arrived, number) for number in range(SENDS)]
    report.times("send here to visible on the second device", seconds[10:])


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


def _new_computer(report: Report, folder: Path, server: Server) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    with computer(folder, "old") as (store, service):
        account = service.sign_up(server.url, server.key, email, PASSWORD, adopt=False).result()
        made = store.write(lambda tx: write_offline(tx, account.account_id, 100, HISTORY // 100)).result()
        assert service.run_until_quiet().error is None
    newest, path = made[-1], store_path(folder / "new", PROFILE)
    with computer(folder, "new") as (store, service):
        changed: SimpleQueue[object] = SimpleQueue()
        store.subscribe(changed.put)
        started = time.perf_counter()
        service.sign_in(server.url, server.key, email, PASSWORD, adopt=False).result()
        first = seconds_until(
            lambda: len(store.read(lambda db: messages.page(db, newest)).messages) == 50, changed, started
        )
        assert service.run_until_quiet().error is None
        whole = time.perf_counter() - started
        found = sum(len(numbers(store, chat)) for chat in made)
        assert found == HISTORY, f"{found} of {HISTORY}"
    report.row("new computer: signed in until the newest 50 are shown", f"{first * 1e3:.0f} ms")
    report.row(f"new computer: signed in until all {HISTORY:,} are here", f"{whole:.1f} s")
    report.row("on the disk, of texts of 75 bytes", f"{path.stat().st_size / HISTORY:.0f} bytes a message")


def _rest(report: Report, folder: Path, server: Server, email: str) -> None:
    with computer(folder, "receiver", realtime=True) as (_, service):
        until_synced(service)
        time.sleep(5)
        before, wakeups = time.process_time(), _switches()
        time.sleep(REST)
        share = (time.process_time() - before) / REST
        report.row(f"at rest for {REST:.0f} s: processor", f"{share:.2%} of one core")
        report.row("at rest: wake-ups of all its threads", f"{(_switches() - wakeups) / REST:.1f} a second")
        report.row("at rest: resident memory, this benchmark included", f"{resident_mb(os.getpid()):.0f} MB")


def _switches() -> int:
    """How often the threads of this process gave up the processor to wait, 0 where the system does not tell."""
    statuses = Path("/proc/self/task").glob("*/status")
    lines = (line for status in statuses for line in status.read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
