"""One dedicated connection that hears what SQL broadcasts, and passes it to the hub for ever."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import psycopg

from server.database import LISTENER, named
from server.realtime.hub import MISSED_POKES, Hub

CHANNEL: Final = "homing_realtime"

_FIRST_DELAY_SECONDS: Final = 0.1
_LONGEST_DELAY_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 30.0
_START_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


class Pokes:
    """LISTENs, and listens again whenever the connection is lost. `heard` counts what came."""

    def __init__(self, conninfo: str, hub: Hub) -> None:
        self._conninfo = conninfo
        self._hub = hub
        self._listening = asyncio.Event()
        self.heard = 0

    @asynccontextmanager
    async def passed_on(self) -> AsyncIterator[None]:
        """Hears and passes on until the block ends, which begins once it listens. Raises TimeoutError."""
        running = asyncio.create_task(self._run(), name="pokes")
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._listening.wait()
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def _run(self) -> None:
        delay = _FIRST_DELAY_SECONDS
        heard_before = False
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    named(self._conninfo, LISTENER), autocommit=True
                ) as db:
                    await db.execute(f"listen {CHANNEL}")
                    if heard_before:
                        self._hub.close_all(MISSED_POKES)
                    heard_before = True
                    delay = _FIRST_DELAY_SECONDS
                    self._listening.set()
                    await self._pass_on(db)
            except psycopg.Error as error:
                _log.warning("Lost the connection for pokes (%s), connecting again.", type(error).__name__)
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311  # jitter, not a secret
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    async def _pass_on(self, db: psycopg.AsyncConnection) -> None:
        while True:
            async for notice in db.notifies(timeout=_PROBE_SECONDS):
                self.heard += 1
                self._publish(notice.payload)
            await db.execute("select")

    def _publish(self, text: str) -> None:
        try:
            sent = json.loads(text)
            self._hub.publish(sent["topic"], sent["event"], sent["payload"])
        except (ValueError, KeyError, TypeError, RecursionError):
            _log.warning("Dropped a broadcast that is not of the agreed form.")
