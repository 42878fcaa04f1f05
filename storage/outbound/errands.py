"""Small orders to the server that are no message and no field: repeated until they are answered.

Those of one subject go in the order in which they were given. An errand waits until the server has its chat or project,
and while that is deleted. One that the server refused stays, with the reason, until it is tried again or dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage import context, rows, snapshots
from storage.exchange import Errand, ErrandKind, ErrandVerdict
from storage.records import AccountId, ChatId
from storage.standing import openings, orders
from storage.transaction import Reader, Transaction

_OPEN: Final = (
    "select 1 from {table} where {key} = e.subject and account_id = e.account_id "
    "and generation is not null and deleted_at is null"
)
_READY: Final = (
    f"(exists ({_OPEN.format(table='chats', key='chat_id')}) "
    f"or exists ({_OPEN.format(table='projects', key='project_id')}))"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """An errand that the server did not take, with its reason for people."""

    errand: Errand
    reason: str


def next(  # noqa: A001 - read as errands.next
    db: Reader, account_id: AccountId, resting: frozenset[int] = frozenset()
) -> Errand | None:
    """The oldest errand that may go now: not one that rests, nor one behind it of the same subject."""
    row = db.execute(
        f"select {orders.COLUMNS} from errands e where account_id = ?1 and sync_error is null and {_READY} and subject "
        "not in (select subject from errands where number in (select value from json_each(?2))) order by number limit 1",
        (account_id, rows.encode(sorted(resting))),
    ).fetchone()
    if row is None:
        return None
    errand = orders.errand(row)
    if errand.kind is ErrandKind.SAVE_SNAPSHOT:
        return Errand(errand.number, errand.kind, errand.subject, snapshots.body(db, errand))
    return errand


def record(tx: Transaction, account_id: AccountId, number: int, verdict: ErrandVerdict) -> None:
    """The server's word: the errand is done, goes once more, or is set aside with the reason.

    A number that is not here any more, or is another account's, changes nothing.
    """
    row = tx.db.execute(
        f"select {orders.COLUMNS} from errands where number = ? and account_id = ?", (number, account_id)
    ).fetchone()
    if row is None or (verdict.accepted and verdict.more):
        return
    errand = orders.errand(row)
    if verdict.accepted:
        orders.drop(tx, number)
        _settle(tx, errand)
    else:
        _refuse(tx, errand, verdict.reason or "The server refused this: try it again, or leave it out.")
    orders.touch(tx, errand)


def refused(db: Reader, account_ids: Sequence[AccountId]) -> list[Refused]:
    """What the server did not take, oldest first."""
    found = db.execute(
        f"select {orders.COLUMNS}, sync_error from errands where sync_error is not null "
        "and account_id in (select value from json_each(?)) order by number",
        (rows.encode(account_ids),),
    )
    return [Refused(orders.errand(row[:-1]), row[-1]) for row in found]


def discard(tx: Transaction, number: int) -> None:
    """Drops a refused errand; what the server has instead is asked for again. A second time does nothing."""
    row = tx.db.execute(
        f"delete from errands where number = ? and sync_error is not null returning {orders.COLUMNS}, account_id",
        (number,),
    ).fetchone()
    if row is None:
        return
    errand = orders.errand(row[:-1])
    match errand.kind:
        case ErrandKind.PIN_CONTEXT | ErrandKind.UNPIN_CONTEXT:
            for source in context.sources_of(errand.body):
                tx.db.execute(
                    "delete from context where chat_id = ? and source = ?", (errand.subject, source)
                )
        case ErrandKind.SAVE_SNAPSHOT:
            tx.db.execute("delete from snapshots where project_id = ?", (errand.subject,))
        case ErrandKind.DELETE_MESSAGES | ErrandKind.CLEAR_CHAT:
            pass  # The heads differ from now on, and the chat is filled again.
    openings.ask_again(tx, row[-1])
    orders.touch(tx, errand)


def _settle(tx: Transaction, errand: Errand) -> None:
    match errand.kind:
        case ErrandKind.PIN_CONTEXT | ErrandKind.UNPIN_CONTEXT:
            context.settle(tx, ChatId(errand.subject), context.sources_of(errand.body))
        case ErrandKind.SAVE_SNAPSHOT:
            snapshots.settle(tx, errand)
        case ErrandKind.DELETE_MESSAGES | ErrandKind.CLEAR_CHAT:
            pass  # The tombstones come by the next pull.


def _refuse(tx: Transaction, errand: Errand, reason: str) -> None:
    if errand.kind is not ErrandKind.SAVE_SNAPSHOT or snapshots.refuse(tx, errand, reason):
        tx.db.execute("update errands set sync_error = ? where number = ?", (reason, errand.number))
