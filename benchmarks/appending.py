"""The append call: one message and five hundred, straight to PostgreSQL and through HTTP with the official client."""

import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from supabase import AsyncClientOptions, acreate_client

from benchmarks.report import Report, quantile, timed
from server import schema
from server.postgres import Postgres
from tests.flows.homing_process import PASSWORD, Server

SINGLES, BULKS = 200, 20


def _batch(size: int) -> list[dict[str, Any]]:
    text = "A sentence that a person could have typed into the composer. " * 4
    return [
        {"message_id": str(uuid.uuid4()), "role": "user", "content": [{"type": "text", "text": text}]}
        for _ in range(size)
    ]


def measure_direct(report: Report, folder: Path) -> None:
    """Measure append_messages over a local connection, beside a bare INSERT of the same rows."""
    report.heading("append_messages, directly on PostgreSQL")
    postgres = Postgres(folder)
    database = postgres.start()
    try:
        schema.apply(database)
        with psycopg.connect(database, autocommit=True) as connection:
            _compare(report, connection)
    finally:
        postgres.stop()


def _compare(report: Report, connection: psycopg.Connection[Any]) -> None:
    owner, chat = str(uuid.uuid4()), str(uuid.uuid4())
    connection.execute("insert into auth.users (id, email) values (%s, 'bench@example.org')", (owner,))
    connection.execute("create table bare (id uuid primary key, role text, content jsonb)")
    claims = json.dumps({"sub": owner, "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
    connection.execute(
        "select * from public.save_chats(%s)", (json.dumps([{"chat_id": chat, "title": "B"}]),)
    )
    for size, rounds in ((1, SINGLES), (500, BULKS)):
        batches = [json.dumps(_batch(size)) for _ in range(rounds)]
        appends = [timed(partial(_append, connection, chat, one)) for one in batches]
        bare = [timed(partial(_insert, connection, one)) for one in batches]
        report.times(f"append of {size}", appends)
        report.row(
            f"  against a bare INSERT of the same {size}",
            f"{quantile(appends, 0.5) / quantile(bare, 0.5):.1f} times",
        )


def _append(connection: psycopg.Connection[Any], chat: str, batch: str) -> None:
    connection.execute("select * from public.append_messages(%s, %s)", (chat, batch)).fetchall()


def _insert(connection: psycopg.Connection[Any], batch: str) -> None:
    connection.execute(
        "insert into bare select (m->>'message_id')::uuid, m->>'role', m->'content'"
        " from jsonb_array_elements(%s::jsonb) m",
        (batch,),
    )


def measure_http(report: Report, server: Server) -> None:
    """Measure append_messages through the gateway with the official async client."""
    report.heading("append_messages through HTTP, official async client")
    for size, seconds in asyncio.run(_through_http(server)).items():
        report.times(f"append of {size}", seconds)


async def _through_http(server: Server) -> dict[int, Sequence[float]]:
    client = await acreate_client(server.url, server.key, AsyncClientOptions(auto_refresh_token=False))
    await client.auth.sign_up({"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD})
    chat = str(uuid.uuid4())
    await client.rpc("save_chats", {"p_chats": [{"chat_id": chat, "title": "B"}]}).execute()
    figures: dict[int, Sequence[float]] = {}
    for size, rounds in ((1, SINGLES), (500, BULKS)):
        seconds = []
        for _ in range(rounds):
            batch = _batch(size)
            started = time.perf_counter()
            await client.rpc("append_messages", {"p_chat_id": chat, "p_messages": batch}).execute()
            seconds.append(time.perf_counter() - started)
        figures[size] = seconds
    await client.auth.sign_out()
    return figures
