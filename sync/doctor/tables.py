"""Whether the tables refuse writes and show a person nothing but rows of his own, really tried where tables have an API."""

from typing import Final

from sync.doctor.contract import NOWHERE, TABLES
from sync.doctor.findings import Finding, fail, ok
from sync.doctor.line import Answer
from sync.doctor.person import Examined

_REFUSALS: Final = frozenset({401, 403, 404, 405})


async def unwritable(examined: Examined) -> Finding:
    """Tries to insert, update and delete, in ways that could not touch a row even if they were let."""
    token = await examined.login.tokens.access_token()
    nobodys = {"owner_id": f"eq.{NOWHERE}"}
    open_ = []
    for name in TABLES:
        tries = {
            # PostgreSQL asks for the privilege before it reads the values, and these are none.
            "insert": await examined.line.table("POST", name, token, where={}, body={"owner_id": "nobody"}),
            "update": await examined.line.table(
                "PATCH", name, token, where=nobodys, body={"owner_id": NOWHERE}
            ),
            "delete": await examined.line.table("DELETE", name, token, where=nobodys),
        }
        open_ += [f"{verb} on {name}" for verb, answer in tries.items() if answer.status not in _REFUSALS]
    if open_:
        return fail(
            "table_writes",
            f"Signed-in people may {', '.join(open_)}: revoke it; only the functions may write.",
        )
    return ok("table_writes", f"refused on all {len(TABLES)} tables")


async def own_rows(examined: Examined) -> Finding:
    """Asks each table for rows of anybody else, as the person and as nobody."""
    token = await examined.login.tokens.access_token()
    others = {"select": "owner_id", "owner_id": f"neq.{examined.login.user_id}", "limit": "1"}
    anybody = {"select": "owner_id", "limit": "1"}
    leaks, asked = [], 0
    for name in TABLES:
        seen = await examined.line.table("GET", name, token, where=others)
        seen_by_nobody = await examined.line.table("GET", name, None, where=anybody)
        asked += seen.fault is None
        leaks += [f"{name} to signed-in people"] if _shows_rows(seen) else []
        leaks += [f"{name} to everybody"] if _shows_rows(seen_by_nobody) else []
    if leaks:
        return fail(
            "own_rows",
            f"Other people's rows are shown: {', '.join(leaks)}. "
            "Enable and force row level security on these tables at once.",
        )
    if not asked:
        return ok("own_rows", "the server has no API for tables: lint speaks for them")
    return ok("own_rows", f"nobody else's rows are shown by {asked} tables")


def _shows_rows(answer: Answer) -> bool:
    return answer.fault is None and bool(answer.data)
