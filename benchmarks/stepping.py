"""What one step of the engine costs, with few chats in the store and with many."""

import time
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.report import Report, quantile
from storage import accounts, chats, messages
from storage.records import Account, AccountId, ChatId
from storage.store import Store, Transaction
from sync.engine.interface import (
    ChangesPulled,
    Effect,
    Event,
    LocalCommitted,
    PullChanges,
    PullSummary,
    Push,
    Pushed,
    SignedIn,
    StoreEffect,
    SummaryPulled,
)
from sync.engine.machine import Engine
from sync.performing import perform
from tests.simulation.server import ModelServer

ACCOUNT = AccountId("account-1")
FEW, MANY, STEPS = 10, 10_000, 300


def measure(report: Report, folder: Path) -> None:
    """Measure a message's way from its commit to synced: engine and store, with a server that costs nothing."""
    report.heading("The engine")
    medians = {}
    for count in (FEW, MANY):
        store = Store.open(folder / f"steps-{count}.sqlite3")
        made = store.write(partial(_filled, count=count)).result()
        seconds = _steps(store, made[count // 2])
        store.close()
        medians[count] = quantile(seconds, 0.5)
        report.times(f"from a commit to synced, {count:,} chats", seconds)
    report.row(f"  {MANY:,} chats against {FEW}", f"{medians[MANY] / medians[FEW]:.2f} times")


def _filled(tx: Transaction, count: int) -> list[ChatId]:
    account = Account(ACCOUNT, "http://127.0.0.1", "key", "a@example.org", "user-1", signed_in=True)
    accounts.remember(tx, account)
    made = [chats.create(tx, f"Chat {n}", account_id=ACCOUNT).chat_id for n in range(count)]
    for chat in made:
        messages.commit(tx, chat, "A message that waits")
    return made


def _steps(store: Store, chat: ChatId) -> list[float]:
    engine, server = Engine(Random(0).random), ModelServer(most_messages=1000)
    _through(engine, store, server, SignedIn(ACCOUNT))
    seconds = []
    for number in range(STEPS):
        store.write(partial(messages.commit, chat_id=chat, content=f"More {number}")).result()
        started = time.perf_counter()
        _through(engine, store, server, LocalCommitted())
        seconds.append(time.perf_counter() - started)
    return seconds


def _through(engine: Engine, store: Store, server: ModelServer, event: Event) -> None:
    """One event and all that follows from it; the server is in memory and answers at once."""
    waiting: list[Effect] = engine.handle(event, time.monotonic())
    while waiting:
        effect = waiting.pop(0)
        if isinstance(effect, StoreEffect):
            waiting += engine.handle(perform(store, effect), time.monotonic())
        elif (answer := _answer(server, effect)) is not None:
            waiting += engine.handle(answer, time.monotonic())


def _answer(server: ModelServer, effect: Effect) -> Event | None:
    match effect:
        case Push(request, _, parcel):
            return Pushed(request, server.push(parcel))
        case PullSummary(request, _, cursor, limit):
            return SummaryPulled(request, server.pull_summary(cursor, limit))
        case PullChanges(request, _, cursor, limit):
            return ChangesPulled(request, server.pull_changes(cursor, limit))
        case _:
            return None
