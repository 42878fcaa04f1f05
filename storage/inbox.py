"""Takes in what the server changed: rows and cursor in one transaction (I11)."""

from storage import epochs, incoming
from storage.exchange import ChangePage
from storage.records import AccountId, Cursor
from storage.transaction import Reader, Transaction


def cursor(db: Reader, account_id: AccountId) -> Cursor:
    """How far the account has been pulled."""
    row = db.execute("select epoch, change from accounts where account_id = ?", (account_id,)).fetchone()
    return Cursor(*row) if row else Cursor()


def apply(tx: Transaction, account_id: AccountId, page: ChangePage) -> bool:
    """Applies one answer of a pull. Twice is as good as once.

    A pending message is left alone, unless the page holds the same id and body: then it is confirmed (I17). Of its
    tombstone a note is kept until the verdict. Fields of a chat that were edited here and not confirmed stay. At the
    head of a reset pull, what the server lost is queued again (I12). False, and nothing is changed, when the page does
    not follow on what is held here, because the server or another process wound back: pull again from nothing.
    """
    held = cursor(tx.db, account_id)
    if not page.reset and (page.epoch != held.epoch or page.cursor < held.change):
        return False
    generation = epochs.generation(tx, account_id)
    if page.reset:
        generation = epochs.begin(tx, account_id)
    elif incoming.shows_rewind(tx.db, account_id, generation, page.changes):
        return False
    tx.db.execute(
        "update accounts set epoch = ?, change = ? where account_id = ?",
        (page.epoch, page.cursor, account_id),
    )
    arrivals = incoming.Arrivals(tx, account_id, generation)
    for change in page.changes:
        arrivals.take(change)
    arrivals.finish()
    if not page.more:
        epochs.finish(tx, account_id, generation)
    return True
