"""Reading what was appended: pages at both ends of a long chat, and a device that catches up."""

from functools import partial

from benchmarks.direct import Person
from benchmarks.report import Report, quantile, timed

ROUNDS = 200
CHANGES = 10_000


def measure(report: Report, person: Person, chat: str, depth: int) -> None:
    """Measure list_messages and pull_changes on a chat of at least `depth` messages."""
    report.heading("list_messages and pull_changes, directly on PostgreSQL")
    _page(person, chat, depth)
    pages = {
        f"page of 50 at depth {place:,}": [timed(partial(_page, person, chat, before)) for _ in range(ROUNDS)]
        for place, before in ((1, None), (depth, 51))
    }
    for name, seconds in pages.items():
        report.times(name, seconds)
    newest, oldest = (quantile(seconds, 0.5) for seconds in pages.values())
    report.row("  the deeper one against the other", f"{oldest / newest:.2f} times")
    [(epoch, head)] = person.call(
        "select epoch::text, head from public.owner_heads where owner_id = %s", person.owner
    )
    report.times(
        f"pull of {CHANGES:,} changes",
        [timed(partial(_catch_up, person, epoch, head - CHANGES)) for _ in range(5)],
    )


def _page(person: Person, chat: str, before: int | None) -> None:
    person.call("select * from public.list_messages(%s, %s)", chat, before)


def _catch_up(person: Person, epoch: str, cursor: int) -> None:
    more = True
    while more:
        [(answer,)] = person.call("select public.pull_changes(%s, %s, 5000)", epoch, cursor)
        cursor, more = answer["cursor"], answer["more"]
