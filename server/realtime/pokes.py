"""One dedicated connection that hears what SQL broadcasts, and passes it to the hub for ever."""

import asyncio
import json
import logging
import random
from typing import Final

import psycopg

from server.database import LISTENER
from server.realtime.hub import MISSED_POKES, Hub

CHANNEL: Final = "homing_realtime"

_FIRST_DELAY_SECONDS: Final = 0.1
_LONGEST_DELAY_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


class Pokes:
    """LISTENs, and listens again whenever the connection is lost. `heard` counts what came."""

    def __init__(self, conninfo: str, hub: Hub) -> None:
        self._conninfo = conninfo
        self._hub = hub
        self.listening = asyncio.Event()
        self.heard = 0

    async def run(self) -> None:
        """Never returns; cancel it to end it."""
        delay = _FIRST_DELAY_SECONDS
        heard_before = False
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, application_name=LISTENER
                ) as db:
                    await db.execute(f"listen {CHANNEL}")
                    if heard_before:
                        self._hub.close_all(MISSED_POKES)
                    heard_before = True
                    delay = _FIRST_DELAY_SECONDS
                    self.listening.set()
                    await self._pass_on(db)
            except psycopg.Error as error:
                _log.warning("Lost the connection for pokes (%s), connecting again.", type(error).__name__)
            self.listening.clear()
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
        except (ValueError, KeyError, TypeError):
            _log.warning("Dropped a broadcast that is not of the agreed form.")
