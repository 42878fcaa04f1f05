"""Sessions on this computer: encrypted, durable before use, renewed by one at a time, never erased by an accident."""

import asyncio
import dataclasses
import multiprocessing
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage.records import AccountId
from sync.errors import Refused, RetryLater, SessionOver, SignInAgain, SyncError, Unreachable
from sync.login.session import Session, SessionKeeper, SessionPlace
from sync.login.session_file import SessionFile, SessionInMemory, Sessions
from sync.login.vault import SessionStoreKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEY = b"k" * 32
ACCOUNT = AccountId("account-1")


class Clock:
    """A wall clock and a monotonic one that tests move apart."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.monotonic = 50.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


class AuthServer:
    """Renews like the real one: a refresh token works once, its parent gives the active one, others end it all."""

    def __init__(self, clock: Clock, user: str = "u1", lifetime: float = 3600.0) -> None:
        self.clock = clock
        self.user = user
        self.lifetime = lifetime
        self.generation = 0
        self.calls = 0
        self.errors: list[Exception] = []
        self.gate: Callable[[], Awaitable[None]] | None = None

    def session(self) -> Session:
        return Session(
            access_token=f"access-{self.generation}",
            refresh_token=f"refresh-{self.generation}",
            expires_at=self.clock.wall + self.lifetime,
            user_id=self.user,
            email="ada@example.org",
            lifetime=self.lifetime,
        )

    async def refresh(self, session: Session) -> Session:
        self.calls += 1
        if self.gate is not None:
            await self.gate()
        if self.errors:
            raise self.errors.pop(0)
        used = int(session.refresh_token.removeprefix("refresh-"))
        if used == self.generation:
            self.generation += 1
        elif used != self.generation - 1:
            raise SessionOver("The refresh token was used already: sign in again.")
        return self.session()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> AuthServer:
    return AuthServer(clock)


@pytest.fixture
def place(tmp_path: Path, server: AuthServer) -> SessionFile:
    file = SessionFile(tmp_path / "sessions", ACCOUNT, KEY)
    file.save(server.session())
    return file


def keeper(place: SessionPlace, server: AuthServer) -> SessionKeeper:
    clock = server.clock
    return SessionKeeper(place, server.refresh, wall=lambda: clock.wall, monotonic=lambda: clock.monotonic)


def test_a_session_survives_a_restart_and_shows_nothing_of_itself(
    place: SessionFile, server: AuthServer
) -> None:
    assert SessionFile(place.path.parent, ACCOUNT, KEY).load() == server.session()
    stored = place.path.read_bytes()
    for word in (b"access-0", b"refresh-0", b"ada@example.org", b'u1"'):
        assert word not in stored
    assert "access-0" not in repr(server.session())
    assert "refresh-0" not in repr(server.session())
    assert "ada" not in repr(server.session())


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_file_and_its_folder_are_the_users_alone(place: SessionFile) -> None:
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.path.parent.stat().st_mode) == 0o700


def test_a_session_that_cannot_be_opened_asks_to_sign_in_and_stays(place: SessionFile) -> None:
    good = place.path.read_bytes()
    other = SessionFile(place.path.parent, AccountId("account-2"), KEY)
    other.path.write_bytes(good)
    damaged = [good[:-1], good[:20], b"", b"x" * 100, good[:-1] + bytes([good[-1] ^ 1])]
    for content in damaged:
        place.path.write_bytes(content)
        with pytest.raises(SignInAgain):
            place.load()
        assert place.path.read_bytes() == content
    for stranger in (other, SessionFile(place.path.parent, ACCOUNT, b"z" * 32)):
        with pytest.raises(SignInAgain):
            stranger.load()


def test_a_failed_write_leaves_the_old_session(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = place.load()
    monkeypatch.setattr("sync.login.durable.os.fsync", full)
    with pytest.raises(OSError, match="space"):
        place.save(dataclasses.replace(server.session(), access_token="other"))
    assert place.load() == before
    assert [path.name for path in place.path.parent.iterdir()] == [place.path.name]


def test_a_session_is_on_the_disk_before_it_has_its_name(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr("sync.login.durable.os.fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    place.save(server.session())
    assert steps == ["file", "rename", "folder"]


def test_a_fresh_token_is_handed_out_without_asking_the_server(
    place: SessionFile, server: AuthServer
) -> None:
    assert asyncio.run(keeper(place, server).access_token()) == "access-0"
    assert server.calls == 0


def test_a_token_is_renewed_ahead_of_its_end_and_durable_before_it_is_used(
    place: SessionFile, server: AuthServer
) -> None:
    async def run() -> None:
        tokens = keeper(place, server)
        assert await tokens.access_token() == "access-0"
        server.clock.pass_(3600 - 91)
        assert await tokens.access_token() == "access-0"
        server.clock.pass_(2)
        assert await tokens.access_token() == "access-1"
        stored = place.load()
        assert stored is not None
        assert stored.refresh_token == "refresh-1"
        assert await tokens.access_token() == "access-1"
        assert server.calls == 1

    asyncio.run(run())


def test_a_short_lived_token_is_not_renewed_at_every_call(tmp_path: Path, clock: Clock) -> None:
    server = AuthServer(clock, lifetime=60)
    place = SessionInMemory()
    place.save(server.session())

    async def run() -> None:
        tokens = keeper(place, server)
        for _ in range(40):
            await tokens.access_token()
            clock.pass_(1)
        assert server.calls == 0
        clock.pass_(10)
        assert await tokens.access_token() == "access-1"

    asyncio.run(run())


TEN_YEARS = 3650 * 86400.0


@pytest.mark.parametrize("jump", [TEN_YEARS, -TEN_YEARS, 3600.0, -3600.0])
def test_jumps_of_the_clock_cost_at_most_one_renewal(
    place: SessionFile, server: AuthServer, jump: float
) -> None:
    async def run() -> None:
        tokens = keeper(place, server)
        await tokens.access_token()
        server.clock.wall += jump
        for _ in range(30):
            await tokens.access_token()
            server.clock.pass_(60)
        assert server.calls <= 1
        server.clock.pass_(3600)
        await tokens.access_token()
        assert 1 <= server.calls <= 2

    asyncio.run(run())


def test_a_clock_set_back_before_the_start_does_not_lengthen_a_session(
    place: SessionFile, server: AuthServer
) -> None:
    async def run() -> None:
        server.clock.wall -= TEN_YEARS
        tokens = keeper(place, server)
        assert await tokens.access_token() == "access-0"
        server.clock.pass_(3600)
        assert await tokens.access_token() == "access-1"

    asyncio.run(run())


def test_after_a_sleep_that_the_monotonic_clock_did_not_count_the_token_is_renewed(
    place: SessionFile, server: AuthServer
) -> None:
    async def run() -> None:
        tokens = keeper(place, server)
        await tokens.access_token()
        server.clock.wall += 4 * 3600
        assert await tokens.access_token() == "access-1"

    asyncio.run(run())


def test_many_tasks_need_one_renewal(place: SessionFile, server: AuthServer) -> None:
    async def run() -> None:
        tokens = [keeper(place, server) for _ in range(4)]
        server.clock.pass_(3600)
        got = await asyncio.gather(*(tokens[number % 4].access_token() for number in range(40)))
        assert set(got) == {"access-1"}
        assert server.calls == 1

    asyncio.run(run())


def test_many_threads_need_one_renewal(place: SessionFile, server: AuthServer) -> None:
    server.clock.pass_(3600)
    start = threading.Barrier(6)
    got: list[str] = []

    def work() -> None:
        start.wait()
        got.append(asyncio.run(keeper(place, server).access_token()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["access-1"] * 6
    assert server.calls == 1


def renew_in_process(folder: Path, calls: Path, start: "multiprocessing.synchronize.Barrier") -> None:
    """One of several processes that all hold the same expired session."""

    async def refresh(session: Session) -> Session:
        with calls.open("a") as file:
            file.write(f"{session.refresh_token}\n")
        return dataclasses.replace(session, access_token="new", refresh_token="refresh-1", expires_at=4e9)

    start.wait()
    token = asyncio.run(SessionKeeper(SessionFile(folder, ACCOUNT, KEY), refresh).access_token())
    assert token == "new"


def test_many_processes_need_one_renewal(place: SessionFile, server: AuthServer, tmp_path: Path) -> None:
    place.save(dataclasses.replace(server.session(), expires_at=0.0))
    calls = tmp_path / "calls"
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    processes = [
        context.Process(target=renew_in_process, args=(place.path.parent, calls, start)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert calls.read_text() == "refresh-0\n"


def test_a_refused_token_is_renewed_only_if_nobody_did_so_before(
    place: SessionFile, server: AuthServer
) -> None:
    async def run() -> None:
        one, other = keeper(place, server), keeper(place, server)
        assert await other.access_token() == "access-0"
        assert await one.renewed("access-0") == "access-1"
        assert await other.renewed("access-0") == "access-1"
        assert await other.access_token() == "access-1"
        assert server.calls == 1

    asyncio.run(run())


TEMPORARY = [
    Unreachable("No network: wait."),
    RetryLater("Busy: wait.", 5.0),
    SignInAgain("The server does not accept the login: sign in again."),
    Refused("The key is wrong: copy it again.", "bad_key"),
]


@pytest.mark.parametrize("error", TEMPORARY, ids=lambda error: type(error).__name__)
def test_no_other_failure_than_a_definitive_one_touches_the_session(
    place: SessionFile, server: AuthServer, error: SyncError
) -> None:
    before = place.path.read_bytes()

    async def run() -> None:
        tokens = keeper(place, server)
        server.clock.pass_(4000)
        for _ in range(20):
            server.errors = [error]
            with pytest.raises(type(error)):
                await tokens.access_token()
        assert place.path.read_bytes() == before
        assert await tokens.access_token() == "access-1"

    asyncio.run(run())


def test_a_failed_renewal_is_no_error_while_the_token_holds_and_is_not_repeated_at_once(
    place: SessionFile, server: AuthServer
) -> None:
    async def run() -> None:
        tokens = keeper(place, server)
        server.clock.pass_(3600 - 60)
        server.errors = [Unreachable("No network: wait.")]
        for _ in range(20):
            assert await tokens.access_token() == "access-0"
        assert server.calls == 1
        server.clock.pass_(11)
        assert await tokens.access_token() == "access-1"

    asyncio.run(run())


def test_a_definitive_end_erases_the_tokens_and_says_so_from_then_on(
    place: SessionFile, server: AuthServer
) -> None:
    async def run() -> None:
        tokens = keeper(place, server)
        server.clock.pass_(4000)
        server.errors = [SessionOver("The session is over: sign in again.")]
        with pytest.raises(SessionOver):
            await tokens.access_token()
        assert not place.path.exists()
        with pytest.raises(SignInAgain):
            await tokens.access_token()
        assert server.calls == 1
        await tokens.keep(server.session())
        assert await tokens.access_token() == "access-0"

    asyncio.run(run())


def test_a_renewal_for_another_user_is_refused_and_the_session_stays(
    place: SessionFile, server: AuthServer
) -> None:
    before = place.path.read_bytes()

    async def run() -> None:
        tokens = keeper(place, server)
        server.clock.pass_(4000)
        server.user = "u2"
        with pytest.raises(Refused) as caught:
            await tokens.access_token()
        assert caught.value.code == "other_user"

    asyncio.run(run())
    assert place.path.read_bytes() == before


def test_a_crash_between_the_answer_and_the_write_is_mended_by_the_servers_parent_rule(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(BaseException):
        pass

    def crash(*_: object) -> None:
        raise PowerCutError

    server.clock.pass_(4000)
    with monkeypatch.context() as patch:
        patch.setattr(SessionFile, "save", crash)
        with pytest.raises(PowerCutError):
            asyncio.run(keeper(place, server).access_token())
    assert server.generation == 1
    assert (
        asyncio.run(keeper(SessionFile(place.path.parent, ACCOUNT, KEY), server).access_token()) == "access-1"
    )
    assert server.calls == 2


def test_a_session_that_finds_no_room_is_not_used_and_not_asked_for_twice(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        tokens = keeper(place, server)
        server.clock.pass_(4000)
        with monkeypatch.context() as patch:
            patch.setattr("sync.login.session_file.write_private", no_room)
            for _ in range(3):
                with pytest.raises(RetryLater, match="disk"):
                    await tokens.access_token()
        assert await tokens.access_token() == "access-1"
        assert server.calls == 1
        stored = place.load()
        assert stored is not None
        assert stored.access_token == "access-1"

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    asyncio.run(run())


def test_a_session_that_found_no_room_does_not_overwrite_a_later_sign_in(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> None:
        tokens = keeper(place, server)
        server.clock.pass_(4000)
        with monkeypatch.context() as patch:
            patch.setattr("sync.login.session_file.write_private", no_room)
            with pytest.raises(RetryLater):
                await tokens.access_token()
        server.generation = 9
        await keeper(place, server).keep(server.session())
        assert await tokens.access_token() == "access-9"
        stored = place.load()
        assert stored is not None
        assert stored.refresh_token == "refresh-9"

    asyncio.run(run())


def test_cancelling_during_the_write_still_leaves_the_new_session_and_frees_the_lock(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    save = SessionFile.save

    def slow_save(self: SessionFile, session: Session) -> None:
        writing.set()
        assert go_on.wait(10)
        save(self, session)

    monkeypatch.setattr(SessionFile, "save", slow_save)

    async def run() -> None:
        server.clock.pass_(4000)
        task = asyncio.create_task(keeper(place, server).access_token())
        await asyncio.to_thread(writing.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        assert place.try_lock() is None
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        release = place.try_lock()
        assert release is not None
        release()
        assert await keeper(place, server).access_token() == "access-1"
        assert server.calls == 1

    asyncio.run(run())


def test_waiting_for_another_process_does_not_block_the_loop(place: SessionFile, server: AuthServer) -> None:
    async def run() -> None:
        release = place.try_lock()
        assert release is not None
        server.clock.pass_(4000)
        task = asyncio.create_task(keeper(place, server).access_token())
        turns = 0
        while turns < 100:
            await asyncio.sleep(0)
            turns += 1
        assert not task.done()
        release()
        assert await task == "access-1"

    asyncio.run(run())


def test_signing_out_erases_and_another_keeper_notices(place: SessionFile, server: AuthServer) -> None:
    async def run() -> None:
        one, other = keeper(place, server), keeper(place, server)
        await other.access_token()
        await one.forget()
        assert not place.path.exists()
        assert await one.session() is None
        with pytest.raises(SignInAgain):
            await one.access_token()
        with pytest.raises(SignInAgain):
            await other.renewed("access-0")

    asyncio.run(run())


def test_signing_in_without_room_is_told_and_keeps_what_was_there(
    place: SessionFile, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = place.load()
    server.generation = 7
    monkeypatch.setattr("sync.login.session_file.write_private", no_room)
    with pytest.raises(RetryLater, match="disk"):
        asyncio.run(keeper(place, server).keep(server.session()))
    assert place.load() == before


def test_each_account_has_a_file_of_its_own_and_memory_leaves_none(
    tmp_path: Path, server: AuthServer
) -> None:
    files = Sessions(tmp_path / "a", SessionStoreKind.FILE)
    files.of(AccountId("one")).save(server.session())
    assert files.of(AccountId("two")).load() is None
    assert Sessions(tmp_path / "a", SessionStoreKind.FILE).of(AccountId("one")).load() == server.session()
    memory = Sessions(tmp_path / "b", SessionStoreKind.MEMORY)
    memory.of(AccountId("one")).save(server.session())
    assert memory.of(AccountId("one")).load() == server.session()
    assert memory.of(AccountId("two")).load() is None
    assert not (tmp_path / "b").exists()
