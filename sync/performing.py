"""Performs the engine's store effects on the real store; blocks, so never on the asyncio or the GUI thread."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from storage import accounts
from storage.exchange import ChangePage, ParcelWork
from storage.inbound import heads, history, inbox
from storage.outbound import errands, outbox
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, Hole
from storage.standing import edits, unsynced
from storage.store import Lane, Reader, Store, Transaction
from sync.engine.interface import (
    AdvanceCursor,
    ApplyChanges,
    ApplyHistory,
    ApplySummary,
    ChangesApplied,
    CompareHeads,
    CountWork,
    FinishOpening,
    HeadsCompared,
    HistoryApplied,
    HolesLoaded,
    LoadHoles,
    LoadWork,
    RecordErrand,
    RecordError,
    RecordReceipt,
    RecordSuccess,
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
        case LoadWork(request):
            return WorkLoaded(request, _offered(store, store.read(lambda db: _load(db, effect))))
        case CountWork():
            return store.read(lambda db: _count(db, effect))
        case LoadHoles(request):
            return HolesLoaded(request, store.read(lambda db: _holes(db, effect)))
        case ApplyChanges(request, account_id, page):
            return ChangesApplied(request, _apply(store, account_id, page, most_changes))
        case AdvanceCursor(request, account_id, span):
            return ChangesApplied(request, _write(store, lambda tx: inbox.advance(tx, account_id, span)))
        case ApplyHistory(request, account_id, past):
            return HistoryApplied(request, _write(store, lambda tx: history.apply(tx, account_id, past)))
        case CompareHeads(request):
            return HeadsCompared(request, _write(store, lambda tx: _compare(tx, effect)))
        case ApplySummary(request, account_id, page):
            for part in _parts(page, most_changes):
                _open_with(store, account_id, part)
            return Stored(request)
        case _:
            _write(store, lambda tx: _record(tx, effect))
            return Stored(effect.request)


def _apply(store: Store, account_id: AccountId, page: ChangePage, most: int) -> bool:
    """Part after part, each with its own cursor (I11): what is stored when one fails stays right."""
    return all(_stored(store, account_id, part) for part in _parts(page, most))


def _stored(store: Store, account_id: AccountId, part: ChangePage) -> bool:
    def job(tx: Transaction) -> bool:
        applied = inbox.apply(tx, account_id, part)
        if applied and not part.more:
            accounts.record_success(tx, account_id)
        return applied

    return _write(store, job)


def _open_with(store: Store, account_id: AccountId, part: ChangePage) -> None:
    _write(store, lambda tx: inbox.open_with(tx, account_id, part))


def _parts(page: ChangePage, most: int) -> Iterator[ChangePage]:
    changes, reset = page.changes, page.reset
    while len(changes) > most:
        part, changes = changes[:most], changes[most:]
        yield replace(page, cursor=part[-1].change, more=True, reset=reset, changes=part)
        reset = False
    yield replace(page, reset=reset, changes=changes)


def _write(store: Store, job: Callable[[Transaction], T]) -> T:
    return store.write(job, Lane.SYNC).result()


def _load(db: Reader, effect: LoadWork) -> ParcelWork:
    blocked = frozenset(ChatId(each) for each in effect.blocked)
    return outbox.load_parcel(
        db,
        effect.account_id,
        max_messages=effect.limit,
        after=effect.after,
        blocked=blocked,
        resting=effect.resting,
    )


def _offered(store: Store, work: ParcelWork) -> ParcelWork:
    """First saves are remembered before they go out: a lost answer must not make them undo what came after them."""
    sent: list[edits.Edit] = [*work.parcel.projects, *work.parcel.edits]
    if edits.creates(sent):
        _write(store, lambda tx: edits.offer(tx, sent))
    return work


def _count(db: Reader, effect: CountWork) -> WorkCounted:
    account_id = effect.account_id or LOCAL_ACCOUNT
    facts = accounts.sync_facts(db, account_id)
    counts = unsynced.counts(db, [account_id])
    missing, known = history.missing(db, [account_id])
    return WorkCounted(effect.request, counts, facts.last_success_at, facts.last_error, missing, known)


def _holes(db: Reader, effect: LoadHoles) -> tuple[tuple[Hole, ...], ...]:
    return history.holes(db, effect.account_id, chat_id=effect.chat_id, before=effect.before)


def _compare(tx: Transaction, effect: CompareHeads) -> int:
    suspects = heads.compare(tx, effect.account_id, effect.heads)
    if effect.last:
        heads.checked(tx, effect.account_id)
    return suspects


def _record(
    tx: Transaction,
    effect: RecordReceipt
    | RecordErrand
    | SetAside
    | RequeueChat
    | FinishOpening
    | RecordSuccess
    | RecordError,
) -> None:
    match effect:
        case RecordReceipt():
            outbox.record_receipt(tx, effect.account_id, effect.epoch, effect.parcel, effect.receipt)
        case RecordErrand():
            errands.record(tx, effect.account_id, effect.number, effect.verdict)
        case SetAside():
            outbox.set_aside(tx, effect.chat_id, effect.message_ids, effect.reason)
        case RequeueChat():
            outbox.requeue_chat(tx, effect.chat_id)
        case FinishOpening():
            inbox.opened(tx, effect.account_id, effect.cursor)
        case RecordSuccess():
            accounts.record_success(tx, effect.account_id)
        case RecordError():
            accounts.record_error(tx, effect.account_id, effect.text)
