"""Several accounts on one computer: kept apart, switched between, ended by their server, and let go of (I19, I21, I22)."""

import dataclasses
from pathlib import Path

import pytest

from storage import accounts, chats, messages
from storage.outbound import outbox
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, SyncState
from storage.store import Store
from sync.errors import AccountGone, Refused, SessionOver, SignInAgain, Unreachable, UnsentMessages
from sync.login import signing
from sync.service import SyncService
from sync.status import Phase
from tests.fakes.backend import FakeBackend
from tests.fakes.remote import Fail
from tests.sync.test_service import ADA, BOB, device, history, wait_for, write


def level(service: SyncService) -> None:
    report = service.run_until_quiet(10)
    assert (report.pending, report.error) == (0, None)


def owner(store: Store, chat: ChatId) -> AccountId:
    return store.read(lambda db: chats.get(db, chat)).account_id


def test_switching_goes_on_with_the_other_account_and_back_without_a_password(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        ada = service.sign_in(*ADA, adopt=False).result(10)
        bob = service.sign_in(*BOB, adopt=False).result(10)
        of_bob = write(store, "Bob's")
        level(service)
        service.switch(ada.account_id).result(10)
        assert store.read(accounts.active) == ada
        of_ada = write(store, "Ada's")
        level(service)
        assert (owner(store, of_ada), owner(store, of_bob)) == (ada.account_id, bob.account_id)
        service.switch(None).result(10)
        assert store.read(accounts.active) is None
        wait_for(lambda: service.status.phase is Phase.SIGNED_OUT)
        assert [one.signed_in for one in store.read(accounts.list_accounts)] == [True, True]
        service.switch(bob.account_id).result(10)
        level(service)


def test_what_waits_of_one_account_never_goes_out_while_another_is_active(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        ada = service.sign_in(*ADA, adopt=False).result(10)
        service.run_until_quiet(10)
        backend.remotes[-1].always = Fail(Unreachable("No network."))
        chat = write(store, "Ada's alone")
        service.sign_in(*BOB, adopt=False).result(10)
        service.run_until_quiet(10)
        service.switch(None).result(10)
        assert list(backend.server.live()) == []
        service.switch(ada.account_id).result(10)
        level(service)
        assert history(store, chat) == [(1, "Ada's alone", SyncState.SYNCED)]


def test_an_unknown_account_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    with device(tmp_path, FakeBackend()) as (store, service):
        ada = service.sign_in(*ADA, adopt=False).result(10)
        with pytest.raises(Refused, match="does not know this account"):
            service.switch(AccountId("nobody")).result(10)
        assert store.read(accounts.active) == ada


def test_switching_to_an_account_whose_session_is_over_asks_to_sign_in(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        ada = service.sign_in(*ADA, adopt=False).result(10)
        service.sign_out().result(10)
        service.switch(ada.account_id).result(10)
        wait_for(lambda: service.status.phase is Phase.NEEDS_SIGN_IN)
        active = store.read(accounts.active)
        assert active is not None
        assert (active.account_id, active.signed_in) == (ada.account_id, False)


def test_switching_beside_the_holder_reaches_the_holder(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, holder), device(tmp_path, backend) as (_, other):
        ada = holder.sign_in(*ADA, adopt=False).result(10)
        holder.sign_in(*BOB, adopt=False).result(10)
        remotes = len(backend.remotes)
        other.switch(ada.account_id).result(10)
        wait_for(lambda: len(backend.remotes) > remotes)
        write(store, "from the holder")
        wait_for(lambda: len(list(backend.server.live())) == 1)


def end_session(backend: FakeBackend, end: SessionOver) -> None:
    """From now on the token is due, and the server has its last word on it."""
    backend.end = end
    for place in backend.places.values():
        session = place.load()
        assert session is not None
        place.save(dataclasses.replace(session, expires_at=0.0))


def test_a_session_that_its_server_ended_is_shown_as_over_and_loses_nothing(tmp_path: Path) -> None:
    backend = FakeBackend()
    over = SessionOver("The server has ended this login: sign in again; nothing here is lost.")
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        service.run_until_quiet(10)
        chat = write(store, "kept")
        service.run_until_quiet(10)
    end_session(backend, over)
    with device(tmp_path, backend) as (store, service):
        wait_for(lambda: service.status.phase is Phase.NEEDS_SIGN_IN)
        wait_for(lambda: [one.signed_in for one in store.read(accounts.list_accounts)] == [False])
        active = store.read(accounts.active)
        assert active is not None
        assert history(store, chat) == [(1, "kept", SyncState.SYNCED)]
        later = write(store, "while signed out by the server", chat=chat)
        with pytest.raises(UnsentMessages):
            service.sign_out().result(10)
        backend.end = None
        service.sign_in(*ADA, adopt=False).result(10)
        level(service)
        assert len(history(store, later)) == 2
        assert [one.signed_in for one in store.read(accounts.list_accounts)] == [True]


def test_an_account_that_is_gone_keeps_its_words_and_can_be_let_go_of(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        ada = service.sign_in(*ADA, adopt=False).result(10)
        chat = write(store, "mine")
        service.run_until_quiet(10)
        with pytest.raises(Refused, match="not gone"):
            service.release(ada.account_id).result(10)
    end_session(backend, AccountGone("This account was deleted on its server: sign in to another one."))
    with device(tmp_path, backend) as (store, service):
        wait_for(lambda: [one.gone for one in store.read(accounts.list_accounts)] == [True])
        wait_for(lambda: service.status.phase is Phase.ACCOUNT_GONE)
        assert backend.places[ada.account_id].load() is None
        assert history(store, chat) == [(1, "mine", SyncState.SYNCED)]
    with device(tmp_path, backend) as (store, service):
        wait_for(lambda: service.status.phase is Phase.ACCOUNT_GONE)
        assert service.release(ada.account_id).result(10) == 1
        wait_for(lambda: service.status.phase is Phase.SIGNED_OUT)
        assert owner(store, chat) == LOCAL_ACCOUNT
        assert [text for _, text, _ in history(store, chat)] == ["mine"]
        backend.end = None
        backend.server = type(backend.server)()
        bob = service.sign_in(*BOB, adopt=True).result(10)
        level(service)
        assert owner(store, chat) == bob.account_id
        assert history(store, chat) == [(1, "mine", SyncState.SYNCED)]


def test_chosen_chats_are_adopted_and_the_others_stay(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        first, second = write(store, "first"), write(store, "second")
        with pytest.raises(SignInAgain):
            service.adopt([first]).result(10)
        ada = service.sign_in(*ADA, adopt=False).result(10)
        assert service.adopt([first]).result(10) == 1
        assert service.adopt([first]).result(10) == 0
        level(service)
        assert (owner(store, first), owner(store, second)) == (ada.account_id, LOCAL_ACCOUNT)
        assert service.adopt().result(10) == 1
        level(service)


def test_a_sign_in_that_resumes_with_another_users_session_is_dropped(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path / "elsewhere", backend) as (_, service):
        ada = service.sign_in(*ADA, adopt=False).result(10)
    place = backend.places[ada.account_id]
    session = place.load()
    assert session is not None
    place.save(dataclasses.replace(session, user_id="somebody else"))
    store = Store.open(tmp_path / "homing.sqlite3")
    chat = write(store, "not for them")
    store.write(lambda tx: signing.intend(tx, ada, adopt=True)).result()
    store.close()
    with device(tmp_path, backend) as (store, _):
        wait_for(lambda: store.read(signing.intended) is None)
        assert store.read(accounts.active) is None
        assert owner(store, chat) == LOCAL_ACCOUNT


def test_everything_set_aside_can_be_retried_at_once(tmp_path: Path) -> None:
    with device(tmp_path, FakeBackend()) as (store, service):
        chat = write(store, "a", "b")
        page = store.read(lambda db: messages.page(db, chat))
        ids = [message.message_id for message in page.messages]
        store.write(lambda tx: outbox.set_aside(tx, chat, ids, "Too odd.")).result()
        assert service.retry_all().result(10) == 2
        assert {state for *_, state in history(store, chat)} == {SyncState.PENDING}
