"""Whether a person's devices hear of changes at once, and of nobody else's."""

import time
from typing import Final
from uuid import uuid4

from sync.doctor import trip
from sync.doctor.findings import Finding, fail, ok
from sync.doctor.person import Examined
from sync.wire.poke_link import PokeLink

POKE_SECONDS: Final = 10.0

ATTEMPTS: Final = 2
"""A hosted project that was idle starts its realtime at the first join, and may be too late for that one."""

_DEAF: Final = (
    "The person's own topic cannot be joined, so changes are found by asking at intervals: "
    "enable Realtime, and see realtime_policy."
)


async def heard(examined: Examined) -> list[Finding]:
    """Joins the own topic, makes a change, waits for the poke, then tries a stranger's topic."""
    for _ in range(ATTEMPTS):
        link = PokeLink(examined.server, examined.login.user_id)
        try:
            if await _joins(link, examined):
                return [await _poked(link, examined), await _refused(examined)]
        finally:
            await link.close()
    return [fail("realtime", _DEAF)]


async def _poked(link: PokeLink, examined: Examined) -> Finding:
    began = time.perf_counter()
    try:
        await trip.touch(examined)
        if await link.wait(POKE_SECONDS):
            return ok(
                "realtime", f"a change was heard of after {(time.perf_counter() - began) * 1000:.0f} ms"
            )
    except trip.TripFailed as error:
        return fail("realtime", f"{error}: apply the migrations anew, or ask who runs the server.")
    return fail("realtime", f"No poke within {POKE_SECONDS:.0f} s of a change: see poke_trigger.")


async def _refused(examined: Examined) -> Finding:
    foreign = PokeLink(examined.server, str(uuid4()))
    try:
        if await _joins(foreign, examined):
            return fail(
                "foreign_topic",
                "Somebody else's topic can be joined: drop every policy on realtime.messages that lets it.",
            )
    finally:
        await foreign.close()
    return ok("foreign_topic", "somebody else's topic is refused")


async def _joins(link: PokeLink, examined: Examined) -> bool:
    try:
        await link.open(await examined.login.tokens.access_token())
    except Exception:  # noqa: BLE001 - the official client raises bare Exception when a join is refused
        return False
    return True
