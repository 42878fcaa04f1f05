"""Takes in what the server changed: rows and cursor in one transaction (I11).

Every change up to the cursor has been applied, or its message lies in a known hole (I10).
"""

from storage import chats
from storage.exchange import ChangePage, Span
from storage.inbound import epochs, incoming
from storage.records import AccountId, Cursor
from storage.standing import openings
from storage.transaction import Reader, Transaction


def cursor(db: Reader, account_id: AccountId) -> Cursor:
    """How far the account has been pulled."""
    row = db.execute("select epoch, change from accounts where account_id = ?", (account_id,)).fetchone()
    return Cursor(*row) if row else Cursor()


def apply(tx: Transaction, account_id: AccountId, page: ChangePage) -> bool:
    """Applies one answer of a pull. Twice is as good as once.

    A pending message is left alone, unless the page holds the same id and body: then it is confirmed (I17). Of other
    words under its id both are kept, of its tombstone a note until the verdict. Fields of a chat that were edited here
    and not confirmed stay. At the head of a reset pull, what the server lost is queued again (I12). False, and nothing
    is changed, when the page does not follow on what is held here, because the server or another process wound back:
    pull again from nothing.
    """
    here = cursor(tx.db, account_id)
    if not page.reset and (page.epoch != here.epoch or page.cursor < here.change):
        return False
    generation = epochs.generation(tx, account_id)
    if page.reset:
        generation = epochs.begin(tx, account_id)
    elif incoming.shows_rewind(tx.db, account_id, generation, page.changes):
        return False
    tx.db.execute(
        "update accounts set epoch = ?, change = ?, completed = completed + ? where account_id = ?",
        (page.epoch, page.cursor, int(not page.more), account_id),
    )
    arrivals = incoming.Arrivals(tx, account_id, generation)
    for change in page.changes:
        arrivals.take(change)
    arrivals.finish()
    epochs.requeue_filled(tx, account_id, generation)
    if not page.more:
        epochs.finish(tx, account_id, generation)
    return True


def advance(tx: Transaction, account_id: AccountId, span: Span) -> bool:
    """Skips the changes that a push of this device made, once its receipt is recorded.

    False, and the cursor stays, when it does not stand right before them.
    """
    return bool(
        tx.db.execute(
            "update accounts set change = ? where account_id = ? and epoch = ? and change = ?",
            (span.head, account_id, span.epoch, span.before),
        ).rowcount
    )


def open_with(tx: Transaction, account_id: AccountId, page: ChangePage) -> None:
    """Applies one page of a summary: everything but messages, of which it learns what is missing. The cursor stays.

    A device that has no cursor, or another epoch's, begins anew with a page that says `reset`: what it holds is looked
    for on the server, chat by chat, and queued again where the server lacks it.
    """
    generation = epochs.generation(tx, account_id)
    if page.reset and cursor(tx.db, account_id).epoch != page.epoch:
        generation = epochs.begin_opening(tx, account_id)
    arrivals = incoming.Arrivals(tx, account_id, generation)
    for change in page.changes:
        arrivals.summary(change)
    arrivals.finish()


def opened(tx: Transaction, account_id: AccountId, cursor: Cursor | None) -> None:
    """The last page of the summary is applied: pulls go on from `cursor`, without one from where they were."""
    openings.finish(tx, account_id)
    chats.rank(tx, account_id)
    if cursor is None:
        return
    tx.db.execute(
        "update accounts set epoch = ?, change = ? where account_id = ?",
        (cursor.epoch, cursor.change, account_id),
    )
    generation = epochs.generation(tx, account_id)
    epochs.requeue_unseen(tx, account_id, generation)
    epochs.requeue_filled(tx, account_id, generation)
    tx.touch_accounts()
