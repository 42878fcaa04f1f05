"""The push of everything at once, and what a new device reads: directly on PostgreSQL, beside a long chat."""

import json
import uuid
from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.direct import Person, batch
from benchmarks.report import Report, quantile, timed

ROUNDS = 15
MESSAGES = 1_000
CHATS = 100

Documents = tuple[str, str]
"""The chats and the batches of one push, as JSON."""


def measure(report: Report, person: Person, chat: str, depth: int, statistics: str) -> None:
    """Measure push_changes, pull_history and pull_summary for the owner of a chat of at least `depth` messages."""
    short = person.new_chat()
    report.heading(f"push_changes, pull_history and pull_summary, statistics {statistics}")
    here = _pushes(
        report, person, f"push of {MESSAGES:,} in a long chat", [_one(chat) for _ in range(ROUNDS)]
    )
    there = _pushes(report, person, "  in a short one", [_one(short) for _ in range(ROUNDS)])
    report.row(
        "  the long chat against the short one", f"{quantile(here, 0.5) / quantile(there, 0.5):.2f} times"
    )
    _pushes(report, person, f"push of {MESSAGES:,} over {CHATS} new chats", [_many() for _ in range(ROUNDS)])
    again = _many()
    _push(person, again)
    _pushes(report, person, "  the same again", [again] * ROUNDS)
    _pushes(report, person, "push of 1", [_one(chat, 1) for _ in range(10 * ROUNDS)])
    for name, holes in _holes(chat, depth).items():
        fill = partial(person.call, "select public.pull_history(%s)::text", json.dumps(holes))
        report.times(f"history of {MESSAGES:,} {name}", [timed(fill) for _ in range(ROUNDS)])
    summary = partial(person.call, "select public.pull_summary(null, 0, 1000)::text")
    report.times("summary of 1,000 chats", [timed(summary) for _ in range(ROUNDS)])


def _holes(chat: str, depth: int) -> dict[str, list[dict[str, object]]]:
    return {
        "from one hole": [{"chat_id": chat, "first": 1, "last": depth // 2}],
        "from 200 holes": [
            {"chat_id": chat, "first": first, "last": first + 4} for first in range(1, depth, depth // 200)
        ],
    }


def _pushes(report: Report, person: Person, name: str, documents: Sequence[Documents]) -> list[float]:
    seconds = [timed(partial(_push, person, each)) for each in documents]
    report.times(name, seconds)
    return seconds


def _push(person: Person, documents: Documents) -> None:
    person.call("select public.push_changes('[]', %s, %s)::text", *documents)


def _one(chat: str, messages: int = MESSAGES) -> Documents:
    return "[]", json.dumps([{"chat_id": chat, "messages": batch(messages)}])


def _many() -> Documents:
    chats = list(_ids(CHATS))
    return (
        json.dumps([{"chat_id": each, "title": "B"} for each in chats]),
        json.dumps([{"chat_id": each, "messages": batch(MESSAGES // CHATS)} for each in chats]),
    )


def _ids(count: int) -> Iterator[str]:
    return (str(uuid.uuid4()) for _ in range(count))
