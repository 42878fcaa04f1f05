"""Four clients at work for minutes or hours, while their network lies and their server is killed again and again."""

import asyncio
import os
import signal
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage import accounts, messages
from storage.records import ChatId, Message, Position
from storage.standing import unsynced
from storage.store import Reader
from sync.backend import SupabaseBackend
from sync.login.vault import SessionStoreKind
from sync.verifying import Verification, verify
from tests.fakes.devices import Device, device
from tests.fakes.fault_proxy import HARMS, PORTAL, FaultProxy, Harm, fault_proxy
from tests.fakes.folders import open_folder
from tests.fakes.served import Served, serving
from tests.fakes.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux tells them"
)

SECONDS = 180.0
LONG_SECONDS = float(os.environ.get("HOMING_SOAK_SECONDS", "7200"))
"""Of the long run."""

CLIENTS = 4
DRAIN_SECONDS = 5.0
"""After the fault is over, until nothing waits any more."""

LEVEL_SECONDS = 30.0
FAULT_SECONDS = 2.0
CALM_SECONDS = 0.5
WEATHER: tuple[tuple[float, tuple[Harm, ...]] | None, ...] = (
    (0.7, HARMS),
    (1.0, (Harm.DROP_REQUEST,)),
    (0.5, (Harm.DROP_ANSWER, Harm.DOUBLE, Harm.CUT_ANSWER)),
    None,
    (1.0, PORTAL),
    (0.8, (Harm.RESET, Harm.BUSY_AFTER, Harm.DELAY)),
)
"""What each round suffers in turn: a share of the requests is harmed; None kills the server."""

WARM_UP = 2 * len(WEATHER)
"""Rounds after which everything was loaded, and every pool of threads and connections has grown."""

EXTRA_BYTES, EXTRA_FILES = 8 * 2**20, 4
"""What a process may hold more in the last third of a run than in the first."""


@dataclass(frozen=True)
class Sample:
    """What a process holds when nothing is under way."""

    resident: int
    files: int


@dataclass
class Server:
    """One `homing serve` on one port and one data directory, which dies and comes back."""

    folder: Path
    stack: ExitStack
    served: Served

    def revive(self) -> None:
        self.served.stop(signal.SIGKILL)
        self.stack.close()
        self.served = self.stack.enter_context(serving(self.folder, port=urlsplit(self.served.url).port))


@dataclass
class Soak:
    """The people at work, what they said, and what was seen of the processes."""

    server: Server
    proxy: FaultProxy
    devices: list[Device]
    shared: ChatId
    own: list[ChatId]
    said: dict[ChatId, list[list[str]]] = field(default_factory=dict)
    clients: list[Sample] = field(default_factory=list)
    servers: list[Sample] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> int:
        """Round after round until the time is over. How many."""
        deadline = time.monotonic() + seconds
        for number in count():
            if time.monotonic() > deadline:
                return number
            self._round(number)
        raise AssertionError

    def _round(self, number: int) -> None:
        weather = WEATHER[number % len(WEATHER)]
        if weather is None:
            talking = threading.Thread(target=self._talk, args=(number,))
            talking.start()
            self.server.revive()
            talking.join()
        else:
            self.proxy.hurt(*weather)
            self._talk(number)
            self.proxy.heal()
        self._drain()
        wait_for(self._level, LEVEL_SECONDS)
        _pass(CALM_SECONDS)
        self.clients.append(_sample(os.getpid()))
        self.servers.append(_sample(self.server.served.process.pid))

    def _talk(self, number: int) -> None:
        """Everybody writes all the time that the fault lasts."""
        for place, one in enumerate(self.devices):
            for chat in (self.shared, self.own[place]):
                said = self.said.setdefault(chat, [[] for _ in self.devices])[place]
                said.append(f"{place}: {number}")
                one.say(chat, said[-1])
            _pass(FAULT_SECONDS / CLIENTS)

    def _drain(self) -> None:
        """The computers hear that the network is well; a server that is back has to be noticed."""
        began = time.monotonic()
        for one in self.devices:
            one.service.network_changed(True)
        wait_for(lambda: not any(map(_pending, self.devices)), DRAIN_SECONDS)
        self.drained.append(time.monotonic() - began)

    def _level(self) -> bool:
        """Whether every device has all that was said in the shared chat."""
        total = sum(map(len, self.said[self.shared]))
        return all(
            one.store.read(partial(_last_number, chat_id=self.shared)) == total for one in self.devices
        )


@contextmanager
def _soaking(folder: Path) -> Iterator[Soak]:
    email = f"{uuid.uuid4().hex}@example.test"
    with open_folder() as data, ExitStack() as running, ExitStack() as stack:
        served = running.enter_context(serving(data))
        served.sign_up(email)
        proxy = stack.enter_context(fault_proxy(served.url, seed=1))
        devices = [
            stack.enter_context(
                device(folder / str(place), _Address(proxy.url, served.key), email, realtime=True)
            )
            for place in range(CLIENTS)
        ]
        made = [ChatId(one.new_chat("own")) for one in devices]
        shared = ChatId(devices[0].new_chat("shared"))
        for one in (*devices, *devices):
            one.sync()
        yield Soak(Server(data, running, served), proxy, devices, shared, made)


@dataclass(frozen=True)
class _Address:
    url: str
    key: str


@pytest.mark.parametrize("seconds", [SECONDS, pytest.param(LONG_SECONDS, marks=pytest.mark.long)])
@pytest.mark.timeout(LONG_SECONDS + 600)
def test_pending_messages_drain_in_seconds_and_nothing_is_lost_or_leaks(
    tmp_path: Path, seconds: float
) -> None:
    with _soaking(tmp_path) as soak:
        rounds = soak.run(seconds)
        for one in soak.devices:
            one.sync()
        assert rounds > 2 * WARM_UP
        for place, one in enumerate(soak.devices):
            found = asyncio.run(_verified(one, tmp_path / str(place)))
            assert (found.chats, found.differences) == (CLIENTS + 1, [])
            for chat, said in soak.said.items():
                _assert_said_once_in_order(one.store.read(partial(_all, chat_id=chat)), said)
        assert max(soak.drained) < DRAIN_SECONDS
        _assert_flat(soak.clients[WARM_UP:])
        _assert_flat(soak.servers[WARM_UP:])


async def _verified(one: Device, folder: Path) -> Verification:
    backend = SupabaseBackend(folder, SessionStoreKind.FILE)
    await asyncio.to_thread(backend.open_sessions)
    account = one.store.read(accounts.active)
    assert account is not None
    remote = backend.remote(account, backend.keeper(account))
    try:
        return await verify(one.store, one.account, remote)
    finally:
        await remote.aclose()


def _assert_said_once_in_order(shown: list[Message], said: list[list[str]]) -> None:
    assert [each.sequence_num for each in shown] == list(range(1, len(shown) + 1))
    texts = [each.content[0]["text"] for each in shown]
    assert len(texts) == sum(map(len, said))
    for place, own in enumerate(said):
        assert [each for each in texts if each.startswith(f"{place}:")] == own


def _assert_flat(samples: list[Sample]) -> None:
    third = len(samples) // 3
    for what, extra in (("resident", EXTRA_BYTES), ("files", EXTRA_FILES)):
        first, last = (
            statistics.median(getattr(each, what) for each in part)
            for part in (samples[:third], samples[-third:])
        )
        assert last <= first + extra, (what, [getattr(each, what) for each in samples])


def _sample(pid: int) -> Sample:
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text().split()[1])
    return Sample(pages * os.sysconf("SC_PAGE_SIZE"), sum(1 for _ in (process / "fd").iterdir()))


def _pending(one: Device) -> int:
    return one.store.read(lambda db: unsynced.counts(db, [one.account]).pending)


def _last_number(db: Reader, chat_id: ChatId) -> int:
    newest = messages.page(db, chat_id, limit=1).messages
    return (newest[0].sequence_num or 0) if newest else 0


def _all(db: Reader, chat_id: ChatId) -> list[Message]:
    found: list[Message] = []
    before: Position | None = None
    while not found or before is not None:
        page = messages.page(db, chat_id, before, 500)
        assert page.gap is None
        found += page.messages
        before = page.older
    return found[::-1]


def _pass(seconds: float) -> None:
    threading.Event().wait(seconds)
