"""The calls of a turn, straight to PostgreSQL, beside bare INSERTs of the rows that it leaves."""

import json
import uuid
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.direct import running
from benchmarks.report import Report, quantile, timed

TURNS: Final = 200
LONG: Final = 100_000
_WORDS: Final = "A sentence that a model could have told as a part of its reply. " * 16
_USAGE: Final = json.dumps({"prompt_tokens": 900, "completion_tokens": 300, "cost_micros": 4200})

_SETUP: Final = """
create table bare_messages (id text primary key, role text, content jsonb);
create table bare_usage (id text primary key, prompt_tokens bigint, completion_tokens bigint, cost_micros bigint);
"""


def measure(report: Report, folder: Path) -> None:
    """Measure begin_turn, checkpoint_turn and finish_turn in an empty chat and in a long one."""
    report.heading("a turn, directly on PostgreSQL")
    with running(folder) as direct:
        direct.run(_SETUP)
        owner = direct.new_owner()
        with direct.signed_in(owner) as person:
            chat = person.new_chat()
            _compare(report, person.connection, chat, "")
            direct.fill(owner, chat, LONG)
            _compare(report, person.connection, chat, f" after {LONG:,} messages")


def _compare(report: Report, connection: psycopg.Connection[Any], chat: str, where: str) -> None:
    steps = {"begin_turn": _begin, "heartbeat": _beat, "checkpoint_turn": _tell, "finish_turn": _finish}
    bare = {"begin_turn": _insert_both, "finish_turn": _insert_told}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    beside: dict[str, list[float]] = {name: [] for name in bare}
    for turn in (str(uuid.uuid4()) for _ in range(TURNS)):
        for name, step in steps.items():
            seconds[name].append(timed(partial(step, connection, chat, turn)))
        for name, insert in bare.items():
            beside[name].append(timed(partial(insert, connection, turn)))
    for name, taken in seconds.items():
        report.times(name + where, taken)
        if name in bare:
            ratio = quantile(taken, 0.5) / quantile(beside[name], 0.5)
            report.row("  against a bare INSERT of the same rows", f"{ratio:.1f} times")


def _begin(connection: psycopg.Connection[Any], chat: str, turn: str) -> None:
    question = json.dumps({"message_id": f"q {turn}", "role": "user", "content": _WORDS})
    _call(connection, "begin_turn(%s, %s, %s, %s, %s)", chat, turn, question, f'{{"message_id": "r {turn}"}}')


def _beat(connection: psycopg.Connection[Any], chat: str, turn: str) -> None:
    _call(connection, "checkpoint_turn(%s, %s, %s, null)", chat, turn)


def _tell(connection: psycopg.Connection[Any], chat: str, turn: str) -> None:
    _call(connection, "checkpoint_turn(%s, %s, %s, 1, %s)", chat, turn, json.dumps(_WORDS))


def _finish(connection: psycopg.Connection[Any], chat: str, turn: str) -> None:
    reply = json.dumps(_WORDS)
    _call(connection, "finish_turn(%s, %s, %s, 'complete', %s, null, %s)", chat, turn, reply, _USAGE)


def _call(connection: psycopg.Connection[Any], call: str, chat: str, turn: str, *rest: str) -> None:
    # The turn's own id serves as its lease: both are UUIDs.
    connection.execute(f"select public.{call}".encode(), (chat, turn, turn, *rest)).fetchall()


def _insert_both(connection: psycopg.Connection[Any], turn: str) -> None:
    connection.execute(
        "insert into bare_messages values (%s, 'user', to_jsonb(%s::text)), (%s, 'assistant', '[]')",
        (f"q {turn}", _WORDS, f"r {turn}"),
    )


def _insert_told(connection: psycopg.Connection[Any], turn: str) -> None:
    connection.execute(
        "with told as (insert into bare_messages values (%s, 'assistant', to_jsonb(%s::text)))"
        " insert into bare_usage values (%s, 900, 300, 4200)",
        (f"told {turn}", _WORDS, turn),
    )
