"""Performs the engine's store effects on the real store; blocks, so never on the asyncio or the GUI thread."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from storage import accounts, inbox, outbox
from storage.exchange import ChangePage, Work
from storage.records import LOCAL_ACCOUNT, AccountId
from storage.store import Lane, Reader, Store, Transaction
from sync.engine.interface import (
    ApplyChanges,
    ChangesApplied,
    CountWork,
    LoadWork,
    RecordChatVerdicts,
    RecordError,
    RecordSuccess,
    RecordVerdicts,
    RequeueChat,
    SetAside,
    StoreAnswer,
    Stored,
    StoreEffect,
    WorkCounted,
    WorkLoaded,
)

MOST_CHANGES: Final = 500
"""Changes stored in one transaction: between two of them a person's write gets its turn."""

T = TypeVar("T")


def perform(store: Store, effect: StoreEffect, most_changes: int = MOST_CHANGES) -> StoreAnswer:
    """Read, or write and wait until it is durable. Raises what the store raises."""
    match effect:
        case LoadWork():
            return WorkLoaded(effect.request, store.read(lambda db: _load(db, effect)))
        case CountWork():
            return store.read(lambda db: _count(db, effect))
        case ApplyChanges(request, account_id, page):
            return ChangesApplied(request, _apply(store, account_id, page, most_changes))
        case _:
            _write(store, lambda tx: _record(tx, effect))
            return Stored(effect.request)


def _apply(store: Store, account_id: AccountId, page: ChangePage, most: int) -> bool:
    """Part after part, each with its own cursor (I11): what is stored when one fails stays right."""

    def stored(part: ChangePage) -> bool:
        return _write(store, lambda tx: inbox.apply(tx, account_id, part))

    return all(stored(part) for part in _parts(page, most))


def _parts(page: ChangePage, most: int) -> Iterator[ChangePage]:
    changes, reset = page.changes, page.reset
    while len(changes) > most:
        part, changes = changes[:most], changes[most:]
        yield replace(page, cursor=part[-1].change, more=True, reset=reset, changes=part)
        reset = False
    yield replace(page, reset=reset, changes=changes)


def _write(store: Store, job: Callable[[Transaction], T]) -> T:
    return store.write(job, Lane.SYNC).result()


def _load(db: Reader, effect: LoadWork) -> Work:
    return outbox.load_work(
        db, effect.account_id, max_messages=effect.limit, after=effect.after, blocked=effect.blocked
    )


def _count(db: Reader, effect: CountWork) -> WorkCounted:
    account_id = effect.account_id or LOCAL_ACCOUNT
    facts = accounts.sync_facts(db, account_id)
    counts = outbox.counts(db, [account_id])
    return WorkCounted(effect.request, counts, facts.last_success_at, facts.last_error)


def _record(
    tx: Transaction,
    effect: RecordVerdicts | RecordChatVerdicts | SetAside | RequeueChat | RecordSuccess | RecordError,
) -> None:
    match effect:
        case RecordVerdicts():
            outbox.record_verdicts(tx, effect.account_id, effect.epoch, effect.chat_id, effect.verdicts)
        case RecordChatVerdicts():
            outbox.record_chat_verdicts(tx, effect.account_id, effect.edits, effect.verdicts)
        case SetAside():
            outbox.set_aside(tx, effect.chat_id, effect.message_ids, effect.reason)
        case RequeueChat():
            outbox.requeue_chat(tx, effect.chat_id)
        case RecordSuccess():
            accounts.record_success(tx, effect.account_id)
        case RecordError():
            accounts.record_error(tx, effect.account_id, effect.text)
