"""Signing in and out, adopting, syncing and sharing a profile, against a server in memory."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from storage import accounts, chats, messages
from storage.errors import DiskFull
from storage.exchange import ChatEdit
from storage.records import LOCAL_ACCOUNT, ChatId, SyncState
from storage.store import Store
from sync import rounds
from sync.errors import SignInAgain, Unreachable, UnsentMessages
from sync.login import signing
from sync.service import SessionStoreKind, SyncService
from sync.status import Phase
from tests.fakes.backend import KEY, PASSWORD, URL, FakeBackend
from tests.fakes.remote import AcceptThenDrop, Fail, FakeRemote, Hang
from tests.simulation.server import POISON_CALL, POISON_ITEM

ADA = (URL, KEY, "ada@example.org", PASSWORD)
BOB = (URL, KEY, "bob@example.org", PASSWORD)


@contextmanager
def device(folder: Path, backend: FakeBackend) -> Iterator[tuple[Store, SyncService]]:
    store = Store.open(folder / "homing.sqlite3")
    service = SyncService(store, folder, session_store=SessionStoreKind.MEMORY, backend=backend)
    service.start()
    try:
        yield store, service
    finally:
        service.stop()
        store.close()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        pause.wait(0.01)


def write(store: Store, *texts: str, chat: ChatId | None = None) -> ChatId:
    account = store.read(accounts.active)
    owner = account.account_id if account else LOCAL_ACCOUNT
    chat = chat or store.write(lambda tx: chats.create(tx, "Trip", account_id=owner)).result().chat_id
    for text in texts:
        store.write(partial(messages.commit, chat_id=chat, content=text)).result()
    return chat


def history(store: Store, chat: ChatId) -> list[tuple[int | None, str, SyncState]]:
    page = store.read(lambda db: messages.page(db, chat))
    return [(m.sequence_num, m.content[0]["text"], m.sync_state) for m in reversed(page.messages)]


def test_signed_out_words_reach_the_second_device_in_order_and_once(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path / "one", backend) as (store, service):
        chat = write(store, "first", "second")
        service.sign_in(*ADA, adopt=True).result(10)
        report = service.run_until_quiet(10)
        assert (report.pushed, report.pulled, report.pending, report.error) == (2, 0, 0, None)
    with device(tmp_path / "two", backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        report = service.run_until_quiet(10)
        assert (report.pushed, report.pulled, report.error) == (0, 2, None)
        assert history(store, chat) == [(1, "first", SyncState.SYNCED), (2, "second", SyncState.SYNCED)]


def test_without_adoption_signed_out_chats_stay_on_this_computer(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        chat = write(store, "mine alone")
        service.sign_in(*ADA, adopt=False).result(10)
        assert service.run_until_quiet(10).pushed == 0
        assert not list(backend.server.live())
        assert service.adopt().result(10) == 1
        assert service.run_until_quiet(10).error is None
        assert history(store, chat) == [(1, "mine alone", SyncState.SYNCED)]


def test_a_commit_goes_out_by_itself(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        write(store, "at once")
        wait_for(lambda: len(list(backend.server.live())) == 1)
        wait_for(lambda: service.status.phase is Phase.SYNCED and service.status.pending == 0)


def test_a_restart_goes_on_with_the_account(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
    with device(tmp_path, backend) as (store, service):
        write(store, "after the restart")
        assert service.run_until_quiet(10).pushed == 1


def test_a_wrong_password_changes_nothing(tmp_path: Path) -> None:
    with device(tmp_path, FakeBackend()) as (store, service):
        with pytest.raises(SignInAgain):
            service.sign_in(URL, KEY, "ada@example.org", "wrong", adopt=True).result(10)
        assert store.read(accounts.list_accounts) == []
        assert service.run_until_quiet(5).error == "Nobody is signed in; sign in first."


def test_a_sign_in_cut_short_after_its_session_was_durable_is_completed_at_the_next_start(
    tmp_path: Path,
) -> None:
    backend = FakeBackend()
    store = Store.open(tmp_path / "homing.sqlite3")
    chat = write(store, "adopt me")
    with device(tmp_path / "elsewhere", backend) as (_, service):
        account = service.sign_in(*ADA, adopt=False).result(10)
    store.write(lambda tx: signing.intend(tx, account, adopt=True)).result()
    store.close()
    with device(tmp_path, backend) as (store, service):
        wait_for(lambda: store.read(accounts.active) == account)
        assert service.run_until_quiet(10).error is None
        assert history(store, chat) == [(1, "adopt me", SyncState.SYNCED)]


def test_a_sign_in_cut_short_before_its_session_was_durable_leaves_no_trace(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path / "elsewhere", backend) as (_, service):
        account = service.sign_in(*ADA, adopt=False).result(10)
    backend.places.clear()
    store = Store.open(tmp_path / "homing.sqlite3")
    store.write(lambda tx: signing.intend(tx, account, adopt=True)).result()
    store.close()
    with device(tmp_path, backend) as (store, _):
        wait_for(lambda: store.read(signing.intended) is None)
        assert store.read(accounts.active) is None


def test_signing_out_sends_first_then_seals(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        account = service.sign_in(*ADA, adopt=False).result(10)
        chat = write(store, "last words")
        service.sign_out().result(10)
        assert history(store, chat) == [(1, "last words", SyncState.SYNCED)]
        assert store.read(accounts.active) is None
        assert backend.places[account.account_id].load() is None
        assert backend.revoked == ["ada@example.org"]
        wait_for(lambda: service.status.phase is Phase.SIGNED_OUT)


def test_signing_out_offline_loses_nothing(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        account = service.sign_in(*ADA, adopt=False).result(10)
        service.run_until_quiet(10)
        backend.remotes[-1].always = Fail(Unreachable("No network."))
        chat = write(store, "unsent")
        with pytest.raises(UnsentMessages, match="not sent yet") as caught:
            service.sign_out().result(20)
        assert caught.value.count == 1
        assert store.read(accounts.active) == account
        assert backend.places[account.account_id].load() is not None
        service.sign_out(seal=True).result(20)
        assert history(store, chat) == [(None, "unsent", SyncState.PENDING)]
        assert backend.places[account.account_id].load() is None
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        assert service.run_until_quiet(10).pushed == 1


def test_a_sign_in_at_the_very_start_is_not_taken_for_one_that_was_cut_short(tmp_path: Path) -> None:
    for attempt in range(100):
        with device(tmp_path / str(attempt), FakeBackend()) as (_, service):
            assert service.sign_in(*ADA, adopt=False).result(10).signed_in


def test_switching_accounts_keeps_their_chats_apart(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        service.run_until_quiet(10)
        ada = backend.remotes[-1]
        ada.always = Fail(Unreachable("No network."))
        chat = write(store, "for Ada's server only")
        service.sign_in(*BOB, adopt=False).result(10)
        assert service.run_until_quiet(10).pushed == 0
        assert history(store, chat)[0][2] is SyncState.PENDING
        assert ada.closed


def test_a_lost_answer_is_asked_again_and_nothing_doubles(tmp_path: Path) -> None:
    backend = FakeBackend()
    backend.make_remote = lambda: FakeRemote(backend.server, [AcceptThenDrop()] * 3)
    with device(tmp_path, backend) as (store, service):
        chat = write(store, "once")
        service.sign_in(*ADA, adopt=True).result(10)
        wait_for(lambda: history(store, chat) == [(1, "once", SyncState.SYNCED)], 20)
        assert len(list(backend.server.live())) == 1


def test_an_unreachable_server_is_told_in_one_line(tmp_path: Path) -> None:
    backend = FakeBackend()
    backend.make_remote = lambda: FakeRemote(
        backend.server, [Fail(Unreachable("The server does not answer."))] * 99
    )
    with device(tmp_path, backend) as (store, service):
        write(store, "waits")
        service.sign_in(*ADA, adopt=True).result(10)
        report = service.run_until_quiet(10)
        assert (report.pending, report.error) == (1, "The server does not answer.")
        wait_for(lambda: service.status.phase is Phase.OFFLINE)


def test_poison_is_set_aside_alone_with_its_reason_and_can_be_retried(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        chat = write(store, "before", POISON_CALL, POISON_ITEM, "after")
        service.sign_in(*ADA, adopt=True).result(10)
        report = service.run_until_quiet(10)
        assert (report.pushed, report.pending, report.rejected) == (2, 0, 2)
        states = [state for _, _, state in history(store, chat)]
        assert states.count(SyncState.SYNCED) == 2
        aside = [m for m in store.read(lambda db: messages.page(db, chat)).messages if m.sync_error]
        assert len(aside) == 2
        service.retry(chat, aside[0].message_id).result(10)
        assert service.run_until_quiet(10).rejected == 2


def test_a_hanging_request_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    backend = FakeBackend()
    backend.make_remote = lambda: FakeRemote(backend.server, [Hang()])
    with device(tmp_path, backend) as (_, service):
        service.sign_in(*ADA, adopt=False).result(10)
        wait_for(lambda: bool(backend.remotes and backend.remotes[-1].requests))
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 2


def test_words_for_a_chat_that_was_deleted_elsewhere_are_reported_and_not_hidden(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        chat = write(store, "arrived")
        wait_for(lambda: history(store, chat) == [(1, "arrived", SyncState.SYNCED)])
    backend.server.save_chats([ChatEdit(chat, 1, {"deleted": True})])
    store = Store.open(tmp_path / "homing.sqlite3")
    write(store, "too late", chat=chat)
    before = store.read(rounds.standing)
    store.close()
    with device(tmp_path, backend) as (store, service):
        assert service.run_until_quiet(10).error is None
        report = rounds.report(before, store.read(rounds.standing), None)
        assert (report.pushed, report.pulled, report.pending, report.rejected) == (0, 0, 0, 1)
        account = store.read(accounts.active)
        assert account is not None
        (shown,) = store.read(lambda db: chats.list_chats(db, [account.account_id]))
        assert (shown.deleted, shown.rejected) == (True, 1)


def test_what_a_restored_server_lost_counts_as_pushed_again(tmp_path: Path) -> None:
    backend = FakeBackend()
    empty = backend.server.snapshot()
    with device(tmp_path, backend) as (store, service):
        service.sign_in(*ADA, adopt=False).result(10)
        chat = write(store, "one", "two")
        wait_for(lambda: [state for *_, state in history(store, chat)] == [SyncState.SYNCED] * 2)
        wait_for(lambda: service.status.phase is Phase.SYNCED)
        before = store.read(rounds.standing)
        backend.server.restore(empty)
        assert service.run_until_quiet(10).error is None
        report = rounds.report(before, store.read(rounds.standing), None)
        assert (report.pushed, report.pulled, report.pending) == (2, 0, 0)


def test_a_second_process_works_through_the_one_that_holds_the_engine(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, holder):
        holder.sign_in(*ADA, adopt=False).result(10)
        with device(tmp_path, backend) as (other_store, other):
            assert holder.holds_engine
            assert not other.holds_engine
            chat = write(other_store, "from the command line")
            report = other.run_until_quiet(20)
            assert (report.pushed, report.pending, report.error) == (1, 0, None)
            assert history(store, chat) == [(1, "from the command line", SyncState.SYNCED)]


def test_the_second_process_takes_over_when_the_first_ends(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (_, first):
        first.sign_in(*ADA, adopt=False).result(10)
        with device(tmp_path, backend) as (store, second):
            first.stop()
            wait_for(lambda: second.holds_engine)
            chat = write(store, "heir")
            wait_for(lambda: history(store, chat) == [(1, "heir", SyncState.SYNCED)])


def test_signing_in_beside_the_holder_reaches_the_holder(tmp_path: Path) -> None:
    backend = FakeBackend()
    with device(tmp_path, backend) as (_, holder), device(tmp_path, backend) as (_, other):
        other.sign_in(*ADA, adopt=False).result(10)
        wait_for(lambda: holder.status.phase is Phase.SYNCED)
        other.sign_out().result(20)
        wait_for(lambda: holder.status.phase is Phase.SIGNED_OUT)


def test_the_holder_of_the_engine_keeps_backups_and_survives_when_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.housekeeping.FIRST_BACKUP", 0.0)
    monkeypatch.setattr("sync.housekeeping.BACKUP_INTERVAL", 0.1)
    monkeypatch.setattr("sync.housekeeping.WATCH_INTERVAL", 0.05)
    asked: list[Store] = []

    def keep(store: Store) -> None:
        asked.append(store)
        raise DiskFull("There is no room for a backup: free some space.")

    monkeypatch.setattr(Store, "keep_backups", keep)
    backend = FakeBackend()
    with device(tmp_path, backend) as (store, holder), device(tmp_path, backend) as (_, other):
        assert not other.holds_engine
        wait_for(lambda: len(asked) >= 2)
        assert set(asked) == {store}
        holder.sign_in(*ADA, adopt=False).result(10)


def test_a_listener_hears_each_status_once(tmp_path: Path) -> None:
    with device(tmp_path, FakeBackend()) as (_, service):
        heard: list[object] = []
        unsubscribe = service.subscribe(heard.append)
        service.sign_in(*ADA, adopt=False).result(10)
        wait_for(lambda: service.status.phase is Phase.SYNCED)
        assert all(first != second for first, second in pairwise(heard))
        unsubscribe()
        unsubscribe()
