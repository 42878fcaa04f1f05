"""Performs the engine's store effects on the real store; blocks, so never on the asyncio or the GUI thread."""

from collections.abc import Callable
from typing import TypeVar

from storage import accounts, inbox, outbox
from storage.records import LOCAL_ACCOUNT, Work
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

T = TypeVar("T")


def perform(store: Store, effect: StoreEffect) -> StoreAnswer:
    """Read, or write in one transaction and wait until it is durable. Raises what the store raises."""
    match effect:
        case LoadWork():
            return WorkLoaded(effect.request, store.read(lambda db: _load(db, effect)))
        case CountWork():
            return store.read(lambda db: _count(db, effect))
        case ApplyChanges(request, account_id, page):
            return ChangesApplied(request, _write(store, lambda tx: inbox.apply(tx, account_id, page)))
        case _:
            _write(store, lambda tx: _record(tx, effect))
            return Stored(effect.request)


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
