"""Pokes from the server, for ever: a hint that there is something to pull, never the truth."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Final

from sync.errors import RetryLater, Unreachable
from sync.login.session import AccessTokens
from sync.wire.endpoint import endpoint
from sync.wire.poke_link import PokeLink
from sync.wire.transport import hush_libraries

HEARTBEAT_SECONDS: Final = 25.0
LONGEST_PAUSE_SECONDS: Final = 60.0

STEADY_SECONDS: Final = 30.0
"""A link that held this long starts the pauses anew; one that breaks at once goes on backing off."""

_log = logging.getLogger(__name__)


def pause_seconds(failures: int) -> float:
    """Between 1 and 60 seconds, doubling with each failure, spread so that devices do not come back together."""
    longest = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(failures, 10))
    return max(1.0, longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing


class Pokes:
    """Supervises one private channel of one account. All callbacks come on the loop that `run` runs on."""

    def __init__(
        self,
        url: str,
        key: str,
        tokens: AccessTokens,
        user_id: str,
        on_poke: Callable[[int | None], None],
        on_link: Callable[[bool], None],
        *,
        pause: Callable[[int], float] = pause_seconds,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._server = endpoint(url, key)
        self._tokens = tokens
        self._user_id = user_id
        self._on_poke = on_poke
        self._on_link = on_link
        self._pause = pause
        self._heartbeat = heartbeat
        self._nudged = asyncio.Event()
        self._link: PokeLink | None = None

    async def run(self) -> None:
        """Connect, listen and connect again, until cancelled."""
        hush_libraries()
        failures = 0
        while True:
            self._nudged.clear()
            began = time.monotonic()
            await self._attempt()
            failures = 1 if time.monotonic() - began >= STEADY_SECONDS else failures + 1
            await self._rest(self._pause(failures))

    def nudge(self) -> None:
        """The network is back: do not wait out the pause. From the loop's thread."""
        self._nudged.set()

    def rejoin(self) -> None:
        """The computer was asleep or changed its network: the link is made anew at once. From the loop's thread."""
        if self._link is not None:
            self._link.lose()
        self.nudge()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudged.wait()

    async def _attempt(self) -> None:
        link = self._link = PokeLink(self._server, self._user_id)
        up = False
        try:
            await link.open(await self._tokens.access_token())
            up = True
            self._on_link(True)
            await self._listen(link)
        except Exception as error:  # noqa: BLE001 - the official client raises bare Exception; the supervisor outlives it
            _log.info("Realtime is down: %s.", type(error).__name__)
        finally:
            self._link = None
            await link.close()
            if up:
                self._on_link(False)

    async def _listen(self, link: PokeLink) -> None:
        next_beat = 0.0
        while True:
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._heartbeat
                await self._renew_token(link)
                await link.beat()
            poke = await link.wait(max(0.0, next_beat - time.monotonic()))
            if poke is not None:
                self._on_poke(poke.head)

    async def _renew_token(self, link: PokeLink) -> None:
        # A renewal that fails for now says nothing about the link: the server ends it when the token does.
        with contextlib.suppress(Unreachable, RetryLater):
            await link.set_token(await self._tokens.access_token())
