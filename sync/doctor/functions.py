"""Whether every function of the contract is there, open to the signed-in, shut to everybody else."""

from typing import Final

from sync.doctor.contract import PROBES, Probe, shape
from sync.doctor.findings import Finding, fail, ok
from sync.doctor.line import Answer
from sync.doctor.person import Examined

UPDATE: Final = "run `supabase db push --remote`, or start `homing serve` of this version"

_ABSENT: Final = frozenset({"PGRST202", "PGRST203", "42883"})
_SHUT: Final = frozenset({"42501", "PGRST301", "PGRST302", *_ABSENT})


async def offered(examined: Examined) -> Finding:
    """Calls each function as the person, in a way that changes nothing."""
    faults = {probe.function: _fault(probe, await _ask(examined, probe)) for probe in PROBES}
    missing = [name for name, fault in faults.items() if fault == "missing"]
    if len(missing) == len(PROBES):
        return fail("functions", f"The database has none of Homing's functions: {UPDATE}.")
    if missing:
        return fail("functions", f"The server is older and lacks {', '.join(missing)}: {UPDATE}.")
    if odd := [f"{name} {fault}" for name, fault in faults.items() if fault]:
        return fail("functions", f"{'; '.join(odd)}: apply the migrations to a database of their own.")
    return ok("functions", f"all {len(PROBES)} answer as agreed")


async def shut(examined: Examined) -> Finding:
    """Calls each function as somebody who is not signed in. What runs at all is open."""
    reached = []
    for probe in PROBES:
        answer = await examined.line.call(probe.function, probe.arguments, None)
        if answer.code not in _SHUT:
            reached.append(probe.function)
    if reached:
        return fail(
            "strangers",
            f"People who are not signed in may call {', '.join(reached)}: "
            "revoke execute on these functions from anon and public.",
        )
    return ok("strangers", "people who are not signed in may call nothing")


async def _ask(examined: Examined, probe: Probe) -> Answer:
    return await examined.call(probe.function, **probe.arguments)


def _fault(probe: Probe, answer: Answer) -> str | None:
    if answer.code in _ABSENT:
        return "missing"
    if answer.code == "42501":
        return "is closed to signed-in people"
    found = answer.code or (shape(answer.data) if answer.fault is None else f"status {answer.status}")
    return None if found.startswith(probe.answer) else f"answers {found} instead of {probe.answer}"
