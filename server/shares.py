"""How much of the server one person may hold at once, so that nobody's crowd of calls stops the others."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

_CALLS_AT_ONCE: Final = 4
_SECONDS: Final = 5.0


class NoRoom(Exception):
    """Too much is going on at once, and none of it ended in time."""


class Shares:
    """So many places for each; whoever has them all waits behind their own calls, not before everybody's."""

    def __init__(self, each: int = _CALLS_AT_ONCE, patience: float = _SECONDS) -> None:
        self._each = each
        self._patience = patience
        self._places: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def one_of(self, who: Hashable) -> AsyncIterator[None]:
        """One of their places until the block ends. Raises NoRoom."""
        places = self._places.setdefault(who, asyncio.Semaphore(self._each))
        async with held(places, self._patience):
            yield


@asynccontextmanager
async def held(places: asyncio.Semaphore, patience: float) -> AsyncIterator[None]:
    """A place until the block ends. Raises NoRoom when none came free in so many seconds."""
    try:
        async with asyncio.timeout(patience):
            await places.acquire()
    except TimeoutError:
        raise NoRoom from None
    try:
        yield
    finally:
        places.release()
