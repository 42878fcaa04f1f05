from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import accounts
from storage.records import Account, AccountId
from storage.store import Store, Transaction

ACCOUNT = AccountId("account-a")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profile" / "homing.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(path)
    yield store
    store.close()


@pytest.fixture
def account(store: Store) -> AccountId:
    """An account that the store knows and shows."""
    record = Account(ACCOUNT, "http://127.0.0.1:1", "key", "a@example.org", "user-a", True)

    def sign_in(tx: Transaction) -> None:
        accounts.remember(tx, record)
        accounts.activate(tx, ACCOUNT)

    store.write(sign_in).result()
    return ACCOUNT
