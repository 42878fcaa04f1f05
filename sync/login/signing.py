"""Signing in and out as far as the local store is concerned: one transaction each, resumed after a crash."""

import json
from dataclasses import asdict
from typing import Final

from storage import accounts, adoption, releasing, settings
from storage.records import Account
from storage.store import Reader, Transaction

_INTENT: Final = "sync.signing-in"


def intend(tx: Transaction, account: Account, *, adopt: bool) -> None:
    """Note what is to follow once the session is durable."""
    settings.put(tx, _INTENT, json.dumps({"account": asdict(account), "adopt": adopt}))


def intended(db: Reader) -> Account | None:
    """The account of a sign-in that a crash may have cut short."""
    note = settings.get(db, _INTENT)
    return Account(**json.loads(note)["account"]) if note else None


def complete(tx: Transaction) -> Account:
    """The session is durable: the account is known and active, and the chats move if that was asked for."""
    note = json.loads(settings.get(tx.db, _INTENT) or "{}")
    account = Account(**note["account"])
    accounts.remember(tx, account)
    accounts.activate(tx, account.account_id)
    if note["adopt"]:
        adoption.adopt(tx, account.account_id)
    abandon(tx)
    return account


def abandon(tx: Transaction) -> None:
    """There is nothing left to resume."""
    settings.put(tx, _INTENT, "")


def leave(tx: Transaction, account: Account) -> None:
    """The tokens are erased: nobody is active. Every row of the account stays, sealed until it signs in again."""
    accounts.mark_signed_out(tx, account.account_id)
    accounts.activate(tx, None)


def let_go(tx: Transaction, account: Account) -> int:
    """The account is gone from its server: its chats become signed-out ones. Returns how many."""
    active = accounts.active(tx.db)
    if active is not None and active.account_id == account.account_id:
        accounts.activate(tx, None)
    return releasing.release(tx, account.account_id)
