"""The calls of a turn, straight to PostgreSQL, beside bare INSERTs of the rows that it leaves."""

import json
import uuid
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.report import Report, quantile, timed
from server.postgres import schema
from server.postgres.supervisor import Postgres

TURNS: Final = 200
LONG: Final = 100_000
_WORDS: Final = "A sentence that a model could have told as a part of its reply. " * 16
_USAGE: Final = json.dumps({"prompt_tokens": 900, "completion_tokens": 300, "cost_micros": 4200})

_SETUP: Final = """
create table bare_messages (id text primary key, role text, content jsonb);
create table bare_usage (id text primary key, prompt_tokens bigint, completion_tokens bigint, cost_micros bigint);
"""
_FILL: Final = """
with filled as (
  insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, change)
  select owner_id, chat_id, 'old ' || n, last_sequence_num + n, 'user', '[{"type": "text", "text": "hello"}]', 40, head + n
  from public.chats join public.owner_heads using (owner_id), generate_series(1, %(rows)s) as n
  where chat_id = %(chat)s
), counted as (
  update public.chats set last_sequence_num = last_sequence_num + %(rows)s, message_count = message_count + %(rows)s
  where chat_id = %(chat)s
)
update public.owner_heads set head = head + %(rows)s
where owner_id = (select owner_id from public.chats where chat_id = %(chat)s)
"""


def measure(report: Report, folder: Path) -> None:
    """Measure begin_turn, checkpoint_turn and finish_turn in an empty chat and in a long one."""
    report.heading("a turn, directly on PostgreSQL")
    postgres = Postgres(folder)
    database = postgres.start()
    try:
        schema.apply(database)
        with psycopg.connect(database, autocommit=True) as connection:
            chat = _signed_in_chat(connection)
            _compare(report, connection, chat, "")
            connection.execute(_FILL, {"rows": LONG, "chat": chat})
            _compare(report, connection, chat, f" after {LONG:,} messages")
    finally:
        postgres.stop()


def _signed_in_chat(connection: psycopg.Connection[Any]) -> str:
    owner, chat = str(uuid.uuid4()), str(uuid.uuid4())
    connection.execute("insert into auth.users (id, email) values (%s, 'bench@example.org')", (owner,))
    connection.execute(_SETUP)
    claims = json.dumps({"sub": owner, "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
    connection.execute("select * from public.save_chats(%s)", (json.dumps([{"chat_id": chat}]),))
    return chat


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
