"""Full rounds of sync that somebody waits for, also from another process: a counter in the store asks and answers."""

import json
from dataclasses import dataclass
from typing import Final

from storage import accounts, settings
from storage.standing import unsynced
from storage.store import Reader, Transaction

_ASKED: Final = "sync.rounds-asked"
_ANSWERED: Final = "sync.rounds-answered"


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a round did, in messages. `error` is one line for people."""

    pushed: int
    pulled: int
    pending: int
    rejected: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the active account's messages are, and how many went back and forth so far."""

    pending: int = 0
    rejected: int = 0
    pushed: int = 0
    pulled: int = 0


def standing(db: Reader) -> Standing:
    """The figures at this moment."""
    account = accounts.active(db)
    if account is None:
        return Standing()
    counts = unsynced.counts(db, [account.account_id])
    tally = accounts.tallied(db, account.account_id)
    return Standing(counts.pending, counts.rejected, tally.pushed, tally.pulled)


def report(before: Standing, after: Standing, error: str | None) -> SyncReport:
    """What went back and forth in between, and what is left."""
    # Below zero when another account became the active one meanwhile.
    pushed, pulled = max(0, after.pushed - before.pushed), max(0, after.pulled - before.pulled)
    return SyncReport(pushed, pulled, after.pending, after.rejected, error)


def ask(tx: Transaction) -> int:
    """Have the process that holds the engine run a round. Returns the round's number."""
    number = asked(tx.db) + 1
    settings.put(tx, _ASKED, str(number))
    return number


def asked(db: Reader) -> int:
    """The number of the last round that was asked for."""
    return int(settings.get(db, _ASKED) or 0)


def answer(tx: Transaction, number: int, error: str | None) -> None:
    """The rounds up to this number are over."""
    settings.put(tx, _ANSWERED, json.dumps([number, error]))


def answered(db: Reader) -> tuple[int, str | None]:
    """The last round that is over, and why it fell short."""
    number, error = json.loads(settings.get(db, _ANSWERED) or "[0, null]")
    return number, error
