"""Whether all chats of an account, and how far they go, are known here, or have to be asked for once more.

The column `opened` is 1 when they are. What an opening passed over may be wanted while it is still under way: below 0
it owes one more, which begins when it ends.
"""

from storage.records import AccountId
from storage.transaction import Reader, Transaction


def ask_again(tx: Transaction, account_id: AccountId) -> None:
    """Something was left out so far: an opening that is under way is not the last one."""
    tx.db.execute("update accounts set opened = max(opened - 1, -1) where account_id = ?", (account_id,))


def finish(tx: Transaction, account_id: AccountId) -> None:
    """An opening came to its end."""
    tx.db.execute("update accounts set opened = min(opened + 1, 1) where account_id = ?", (account_id,))


def is_opened(db: Reader, account_id: AccountId) -> bool:
    """Whether nothing is left to ask for."""
    row = db.execute("select opened from accounts where account_id = ?", (account_id,)).fetchone()
    return row is not None and row[0] == 1
