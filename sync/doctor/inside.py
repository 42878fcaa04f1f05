"""What the server's database says of itself: versions, its own lint, realtime, durability, the clock."""

import time
from datetime import datetime
from typing import Final

from sync.doctor.contract import SCHEMA_VERSION
from sync.doctor.findings import Finding, fail, ok, warn
from sync.doctor.functions import UPDATE
from sync.doctor.person import Examined

SKEW_SECONDS: Final = 60.0

_REMEDIES: Final = {
    "server_version": "Move to PostgreSQL 15 or newer.",
    "lint": "Undo what was changed by hand, or ask who did it.",
    "realtime_policy": "docs/hosted.md tells how.",
    "poke_trigger": "Enable realtime and the trigger.",
    "synchronous_commit": "Switch it on.",
    "isolation": "Set default_transaction_isolation to read committed.",
}


async def reported(examined: Examined) -> list[Finding]:
    """One finding for each row of `server_check`, in its order."""
    began = time.time()
    answer = await examined.call("server_check")
    midway = (began + time.time()) / 2
    if answer.fault is not None or not isinstance(answer.data, list):
        return [fail("schema_version", f"The server does not tell its version: {UPDATE}.")]
    return [_finding(row, midway) for row in answer.data if isinstance(row, dict)]


def _finding(row: dict[str, object], now: float) -> Finding:
    check, detail = str(row.get("check_name")), str(row.get("detail"))
    if check == "schema_version":
        return _version(detail)
    if check == "clock":
        return _clock(detail, now)
    if row.get("ok") is True:
        return ok(check, detail)
    remedy = _REMEDIES.get(check, "Ask who runs the server.")
    return fail(check, f"{detail.rstrip('.')}. {remedy}")


def _version(found: str) -> Finding:
    if found == SCHEMA_VERSION:
        return ok("schema_version", found)
    if found > SCHEMA_VERSION:
        return ok(
            "schema_version", f"{found}, newer than this Homing's {SCHEMA_VERSION}, which works with it"
        )
    return fail("schema_version", f"{found} is older than this Homing's {SCHEMA_VERSION}: {UPDATE}.")


def _clock(found: str, now: float) -> Finding:
    try:
        skew = datetime.fromisoformat(found).timestamp() - now
    except ValueError:
        return warn("clock", "The server's clock cannot be read: update Homing.")
    if abs(skew) <= SKEW_SECONDS:
        return ok("clock", f"{abs(skew):.1f} s apart")
    side = "behind" if skew > 0 else "ahead of"
    return warn("clock", f"This computer is {abs(skew):.0f} s {side} the server: set the clock of either.")
