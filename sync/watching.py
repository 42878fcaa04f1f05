"""Looks once a second for what other processes of this profile did: they sign in and out, write, and ask for rounds."""

from dataclasses import dataclass

from storage import accounts
from storage.records import Account
from storage.store import Reader
from sync import rounds


@dataclass(frozen=True, slots=True)
class Sight:
    """What the store says now."""

    account: Account | None
    asked: int
    answered: int


def sight(db: Reader) -> Sight:
    """The active account and the rounds that are open."""
    return Sight(accounts.active(db), rounds.asked(db), rounds.answered(db)[0])
