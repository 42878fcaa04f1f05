"""A remote over the simulator's model server, for real asyncio. It speaks faults: fail, hang, delay, accept then drop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from storage.exchange import ChangePage, Errand, ErrandVerdict, Head, HistoryPage, Parcel, Receipt
from storage.records import ChatId, Cursor, Hole, ProjectId
from storage.snapshots import Snapshot
from sync.errors import SyncError, UnknownFunction, Unreachable
from tests.simulation.server import ModelServer

if TYPE_CHECKING:
    from sync.login.session import AccessTokens

T = TypeVar("T")


@dataclass(frozen=True)
class Fail:
    """The server never sees the request."""

    error: SyncError


@dataclass(frozen=True)
class Hang:
    """No answer, ever. `stubborn` does not even hear a cancellation."""

    stubborn: bool = False


@dataclass(frozen=True)
class Delay:
    """The answer waits until the event is set."""

    until: asyncio.Event


@dataclass(frozen=True)
class AcceptThenDrop:
    """The request has its effect; the answer is lost."""


Fault: TypeAlias = Fail | Hang | Delay | AcceptThenDrop


class FakeRemote:
    """Any number of these may share one server. Faults are used up one per request, in order."""

    def __init__(self, server: ModelServer | None = None, faults: Sequence[Fault] = ()) -> None:
        self.server = server or ModelServer()
        self.faults: deque[Fault] = deque(faults)
        self.always: Fault | None = None
        self.requests: list[object] = []
        self.closed = False
        self.tokens: AccessTokens | None = None

    async def push(self, parcel: Parcel) -> Receipt:
        return await self._serve(parcel, lambda: self.server.push(parcel))

    async def pull_changes(self, cursor: Cursor, limit: int) -> ChangePage:
        return await self._serve(cursor, lambda: self.server.pull_changes(cursor, limit))

    async def pull_summary(self, cursor: Cursor, limit: int) -> ChangePage:
        return await self._serve(cursor, lambda: self.server.pull_summary(cursor, limit))

    async def pull_history(self, holes: Sequence[Hole], limit: int) -> HistoryPage:
        return await self._serve(tuple(holes), lambda: self.server.pull_history(holes, limit))

    async def pull_heads(self, after: ChatId | None, limit: int) -> tuple[Head, ...]:
        return await self._serve(after, lambda: self.server.pull_heads(after, limit))

    async def run_errand(self, errand: Errand) -> ErrandVerdict:
        raise UnknownFunction("This server runs no errands.")

    async def get_snapshot(self, project_id: ProjectId) -> Snapshot:
        raise UnknownFunction("This server has no files.")

    def hasten(self) -> None:
        """Nothing is on a wire here."""

    async def aclose(self) -> None:
        self.closed = True

    async def _serve(self, request: object, work: Callable[[], T]) -> T:
        self.requests.append(request)
        await asyncio.sleep(0)
        if self.tokens is not None:
            await self.tokens.access_token()
        match self.faults.popleft() if self.faults else self.always:
            case Fail(error):
                raise error
            case Hang(stubborn):
                await _for_ever(stubborn=stubborn)
            case Delay(until):
                await until.wait()
            case AcceptThenDrop():
                work()
                raise Unreachable("The connection broke; sync goes on by itself.")
            case None:
                pass
        return work()


async def _for_ever(*, stubborn: bool) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not stubborn:
                raise
