import dataclasses

import pytest

from storage import accounts, settings
from storage.records import Account, AccountId
from storage.store import Store

A = Account(AccountId("a"), "http://127.0.0.1:1", "key", "a@example.org", "user-a", True)
B = dataclasses.replace(A, account_id=AccountId("b"), email="b@example.org", user_id="user-b")


def test_the_id_is_that_of_the_user_on_the_server_however_the_address_is_written() -> None:
    written = ["http://Example.org:8787", "http://example.org:8787/", " HTTP://example.org:8787 "]
    assert len({accounts.account_id_for(url, "user") for url in written}) == 1
    others = [
        ("http://example.org:8788", "user"),
        ("https://example.org:8787", "user"),
        (written[0], "other"),
    ]
    assert len({accounts.account_id_for(*other) for other in [*others, (written[0], "user")]}) == 4


def test_accounts_are_kept_apart_and_one_is_active(store: Store) -> None:
    for account in (A, B):
        store.write(lambda tx, account=account: accounts.remember(tx, account)).result()  # type: ignore[misc]
    assert store.read(accounts.list_accounts) == [A, B]
    assert store.read(accounts.active) is None
    for account in (A, B):
        store.write(lambda tx, account=account: accounts.activate(tx, account.account_id)).result()  # type: ignore[misc]
        assert store.read(accounts.active) == account
    store.write(lambda tx: accounts.activate(tx, None)).result()
    assert store.read(accounts.active) is None


def test_signing_out_and_in_again_keeps_everything_else(store: Store) -> None:
    store.write(lambda tx: accounts.remember(tx, A)).result()
    store.write(lambda tx: accounts.record_success(tx, A.account_id)).result()
    store.write(lambda tx: accounts.mark_signed_out(tx, A.account_id)).result()
    assert store.read(lambda db: accounts.get(db, A.account_id)) == dataclasses.replace(A, signed_in=False)
    renewed = dataclasses.replace(A, publishable_key="new")
    store.write(lambda tx: accounts.remember(tx, renewed)).result()
    assert store.read(lambda db: accounts.get(db, A.account_id)) == renewed
    assert store.read(lambda db: accounts.sync_facts(db, A.account_id)).last_success_at is not None


@pytest.mark.parametrize("unknown", ["nobody", "local"])
def test_an_unknown_account_is_none_and_has_no_facts(store: Store, unknown: str) -> None:
    assert store.read(lambda db: accounts.get(db, AccountId(unknown))) is None
    assert store.read(lambda db: accounts.sync_facts(db, AccountId(unknown))) == accounts.SyncFacts(
        None, None
    )


def test_a_success_makes_an_error_history(store: Store) -> None:
    store.write(lambda tx: accounts.remember(tx, A)).result()
    store.write(lambda tx: accounts.record_error(tx, A.account_id, "No network")).result()
    assert store.read(lambda db: accounts.sync_facts(db, A.account_id)) == accounts.SyncFacts(
        None, "No network"
    )
    store.write(lambda tx: accounts.record_success(tx, A.account_id)).result()
    facts = store.read(lambda db: accounts.sync_facts(db, A.account_id))
    assert facts.last_error is None
    assert facts.last_success_at is not None
    assert facts.last_success_at.endswith("Z")


def test_settings_are_kept_by_key(store: Store) -> None:
    assert store.read(lambda db: settings.get(db, "draft")) is None
    for value in ("Hel", "Hello", ""):
        store.write(lambda tx, value=value: settings.put(tx, "draft", value)).result()  # type: ignore[misc]
        assert store.read(lambda db: settings.get(db, "draft")) == value
