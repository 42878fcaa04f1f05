"""The append call: small and large, on short and long chats, alone and in a crowd, directly and through HTTP."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from supabase import AsyncClient, AsyncClientOptions, acreate_client

from benchmarks import pushing, reading
from benchmarks.direct import Direct, Person, batch, running
from benchmarks.report import Report, quantile, timed
from tests.flows.homing_process import PASSWORD, Server

SINGLES, BULKS = 200, 20
LONG = 1_000_000
CLIENTS, APPENDS = 16, 50


def measure_direct(report: Report, folder: Path) -> None:
    """Measure the functions over local connections."""
    with running(folder) as direct:
        direct.mislead_statistics()
        owner = direct.new_owner()
        with direct.signed_in(owner) as person:
            _beside_bare_inserts(report, person)
        _crowds(report, direct)
        report.heading(f"append_messages in a chat of {LONG:,} messages")
        with direct.signed_in(owner) as person:
            chat = person.new_chat()
        direct.fill(owner, chat, LONG)
        for statistics in ("stale", "fresh"):
            with direct.signed_in(owner) as person:
                _in_a_long_chat(report, person, chat, statistics)
                pushing.measure(report, person, chat, LONG, statistics)
            direct.run("analyze public.chats, public.messages, public.owner_heads")
        with direct.signed_in(owner) as person:
            reading.measure(report, person, chat, LONG)


def _beside_bare_inserts(report: Report, person: Person) -> None:
    report.heading("append_messages, directly on PostgreSQL")
    chat = person.new_chat()
    person.connection.execute("create table bare (id uuid primary key, role text, content jsonb)")
    for size, rounds in ((1, SINGLES), (500, BULKS)):
        appends, bare = [], []
        for document in _documents(size, rounds):
            appends.append(timed(partial(person.append, chat, document)))
            bare.append(timed(partial(_insert, person, document)))
        report.times(f"append of {size}", appends)
        report.row(
            f"  against a bare INSERT of the same {size}",
            f"{quantile(appends, 0.5) / quantile(bare, 0.5):.1f} times",
        )
    known = next(_documents(500, 1))
    person.append(chat, known)
    report.times("the same 500 again", [timed(partial(person.append, chat, known)) for _ in range(BULKS)])


def _in_a_long_chat(report: Report, person: Person, chat: str, statistics: str) -> None:
    known, short = next(_documents(500, 1)), person.new_chat()
    person.append(chat, known)
    person.append(short, known)
    sends = {
        "append of 1": _documents(1, SINGLES),
        "append of 500": _documents(500, BULKS),
        "the same 500 again": repeat(known, BULKS),
    }
    for name, documents in sends.items():
        here, there = [], []
        for document in documents:
            here.append(timed(partial(person.append, chat, document)))
            there.append(timed(partial(person.append, short, document)))
        report.times(f"{name}, statistics {statistics}", here)
        report.row("  against a short chat", f"{quantile(here, 0.5) / quantile(there, 0.5):.2f} times")


def _crowds(report: Report, direct: Direct) -> None:
    report.heading(f"append_messages, {CLIENTS} clients of one account at once, one message a call")
    owner = direct.new_owner()
    with direct.signed_in(owner) as person:
        chats = [person.new_chat() for _ in range(CLIENTS)]
    for name, where in (("one chat", chats[:1] * CLIENTS), (f"{CLIENTS} chats", chats)):
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            times = list(clients.map(partial(_write, direct, owner), where))
        lasted = time.perf_counter() - started
        report.times(f"on {name}", list(chain(*times)))
        report.row(f"  on {name}, all together", f"{CLIENTS * APPENDS / lasted:,.0f} appends/s")


def _write(direct: Direct, owner: str, chat: str) -> list[float]:
    with direct.signed_in(owner) as person:
        return [timed(partial(person.append, chat, each)) for each in _documents(1, APPENDS)]


def _documents(size: int, rounds: int) -> Iterator[str]:
    return (json.dumps(batch(size)) for _ in range(rounds))


def _insert(person: Person, document: str) -> None:
    person.connection.execute(
        "insert into bare select (m->>'message_id')::uuid, m->>'role', m->'content'"
        " from jsonb_array_elements(%s::jsonb) m",
        (document,),
    )


def measure_http(report: Report, server: Server) -> None:
    """Measure append_messages and push_changes through the gateway with the official async client."""
    report.heading("append_messages and push_changes through HTTP, official async client")
    for name, seconds in asyncio.run(_through_http(server)).items():
        report.times(name, seconds)


async def _through_http(server: Server) -> dict[str, Sequence[float]]:
    client = await acreate_client(server.url, server.key, AsyncClientOptions(auto_refresh_token=False))
    await client.auth.sign_up({"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD})
    chat = str(uuid.uuid4())
    await client.rpc("save_chats", {"p_chats": [{"chat_id": chat, "title": "B"}]}).execute()
    figures: dict[str, Sequence[float]] = {}
    for size, rounds in ((1, SINGLES), (500, BULKS)):
        appends = [{"p_chat_id": chat, "p_messages": batch(size)} for _ in range(rounds)]
        figures[f"append of {size}"] = await _call(client, "append_messages", appends)
    pushes = [_parcel() for _ in range(BULKS)]
    figures["push of 1,000 over 100 new chats"] = await _call(client, "push_changes", pushes)
    await client.auth.sign_out()
    return figures


def _parcel() -> dict[str, Any]:
    chats = [str(uuid.uuid4()) for _ in range(100)]
    return {
        "p_projects": [],
        "p_chats": [{"chat_id": each, "title": "B"} for each in chats],
        "p_batches": [{"chat_id": each, "messages": batch(10)} for each in chats],
    }


async def _call(client: AsyncClient, name: str, requests: Sequence[dict[str, Any]]) -> list[float]:
    seconds = []
    for request in requests:
        started = time.perf_counter()
        await client.rpc(name, request).execute()
        seconds.append(time.perf_counter() - started)
    return seconds
