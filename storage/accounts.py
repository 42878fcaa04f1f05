"""Logins that this computer knows. Their tokens are kept elsewhere."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from storage.records import LOCAL_ACCOUNT, Account, AccountId, ChatId
from storage.transaction import Reader, Transaction

_COLUMNS: Final = "account_id, url, publishable_key, email, user_id, signed_in, gone"


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """How an account's last syncs went. Times are RFC 3339 in UTC."""

    last_success_at: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Messages of an account that the server confirmed, and that came from it, since this computer knows the account."""

    pushed: int = 0
    pulled: int = 0


def account_id_for(url: str, user_id: str) -> AccountId:
    """The same id for the same user on the same server, however its address is written."""
    address = urlsplit(url.strip())
    return AccountId(
        str(
            uuid5(
                NAMESPACE_URL,
                f"{address.scheme.lower()}://{address.netloc.lower()}{address.path.rstrip('/')}#{user_id}",
            )
        )
    )


def remember(tx: Transaction, account: Account) -> None:
    """Adds the account or updates what is known of it; how far it has synced stays."""
    tx.db.execute(
        f"insert into accounts ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?) on conflict (account_id) do update set "
        "url = excluded.url, publishable_key = excluded.publishable_key, email = excluded.email, "
        "user_id = excluded.user_id, signed_in = excluded.signed_in, gone = excluded.gone",
        (
            account.account_id,
            account.url,
            account.publishable_key,
            account.email,
            account.user_id,
            int(account.signed_in),
            int(account.gone),
        ),
    )
    tx.touch_accounts()


def get(db: Reader, account_id: AccountId) -> Account | None:
    """The account, None when this computer does not know it."""
    row = db.execute(
        f"select {_COLUMNS} from accounts where account_id = ? and account_id <> ?",
        (account_id, LOCAL_ACCOUNT),
    ).fetchone()
    return _account(row) if row else None


def list_accounts(db: Reader) -> list[Account]:
    """All of them, in the order in which they were added."""
    rows = db.execute(
        f"select {_COLUMNS} from accounts where account_id <> ? order by rowid", (LOCAL_ACCOUNT,)
    )
    return [_account(row) for row in rows]


def active(db: Reader) -> Account | None:
    """The account whose chats are shown, None while signed out."""
    row = db.execute(f"select {_COLUMNS} from accounts where active = 1").fetchone()
    return _account(row) if row else None


def shown(db: Reader) -> tuple[AccountId, ...]:
    """Whose chats are shown: the active account's, then the signed-out ones."""
    account = active(db)
    return (account.account_id, LOCAL_ACCOUNT) if account else (LOCAL_ACCOUNT,)


def owner_of(db: Reader, chat_id: ChatId) -> AccountId | None:
    """Whose chat it is, None when it is not here."""
    row = db.execute("select account_id from chats where chat_id = ?", (chat_id,)).fetchone()
    return AccountId(row[0]) if row else None


def activate(tx: Transaction, account_id: AccountId | None) -> None:
    """Makes this account the active one, or none."""
    tx.db.execute("update accounts set active = 0 where active = 1")
    if account_id is not None:
        tx.db.execute("update accounts set active = 1 where account_id = ?", (account_id,))
    tx.touch_accounts()


def mark_signed_out(tx: Transaction, account_id: AccountId) -> None:
    """The session is gone; every row of the account stays."""
    tx.db.execute("update accounts set signed_in = 0 where account_id = ?", (account_id,))
    tx.touch_accounts()


def mark_gone(tx: Transaction, account_id: AccountId) -> None:
    """Its server knows the account no more; every row of it stays until a person decides."""
    tx.db.execute("update accounts set signed_in = 0, gone = 1 where account_id = ?", (account_id,))
    tx.touch_accounts()


def sync_facts(db: Reader, account_id: AccountId) -> SyncFacts:
    """When the account last synced, and what stood in the way since."""
    row = db.execute(
        "select last_success_at, last_error from accounts where account_id = ?", (account_id,)
    ).fetchone()
    return SyncFacts(*row) if row else SyncFacts(None, None)


def record_success(tx: Transaction, account_id: AccountId) -> None:
    """A sync came to its end just now; the last error is history."""
    tx.db.execute(
        "update accounts set last_success_at = ?, last_error = null where account_id = ?",
        (tx.now(), account_id),
    )
    tx.touch_accounts()


def record_error(tx: Transaction, account_id: AccountId, text: str) -> None:
    """A sync failed; `text` is one line for people."""
    tx.db.execute("update accounts set last_error = ? where account_id = ?", (text, account_id))
    tx.touch_accounts()


def tallied(db: Reader, account_id: AccountId) -> Tally:
    """What went back and forth so far: two readings tell what happened between them, whoever did it."""
    row = db.execute("select pushed, pulled from accounts where account_id = ?", (account_id,)).fetchone()
    return Tally(*row) if row else Tally()


def tally(tx: Transaction, account_id: AccountId, *, pushed: int = 0, pulled: int = 0) -> None:
    """Counts messages on."""
    tx.db.execute(
        "update accounts set pushed = pushed + ?, pulled = pulled + ? where account_id = ?",
        (pushed, pulled, account_id),
    )


def _account(row: tuple[Any, ...]) -> Account:
    account_id, url, key, email, user_id, signed_in, gone = row
    return Account(account_id, url, key, email, user_id, bool(signed_in), bool(gone))
