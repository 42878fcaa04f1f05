"""The whole examination of a server: the checks in order, and where it makes no sense to go on."""

import statistics
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from sync.doctor import functions, inside, listening, tables, trip
from sync.doctor.contract import NOWHERE
from sync.doctor.findings import Finding, fail, ok, warn
from sync.doctor.line import Line, open_line
from sync.doctor.person import Examined, SignIn, sign_out
from sync.errors import Refused, SyncError
from sync.wire.endpoint import BAD_KEY, Endpoint, endpoint

CALLS: Final = 15
SLOW_SECONDS: Final = 0.5


async def examine(url: str, key: str, sign_in: SignIn) -> AsyncIterator[Finding]:
    """Every finding as soon as it is known. An answer that does not come ends it; nothing is raised for that."""
    try:
        server = endpoint(url, key)
    except Refused as error:
        yield fail("key" if error.code == BAD_KEY else "address", str(error))
        return
    try:
        async with open_line(server) as line:
            async for finding in _all(server, line, sign_in):
                yield finding
    except SyncError as error:
        yield fail("connection", f"The examination ended early. {error}")


async def _all(server: Endpoint, line: Line, sign_in: SignIn) -> AsyncIterator[Finding]:
    reached = await _reached(server, line)
    for finding in reached:
        yield finding
    if len(reached) < 2 or reached[-1].level == "fail":
        return
    try:
        login = await sign_in(server)
        await login.tokens.access_token()
    except SyncError as error:
        yield fail("sign_in", str(error))
        return
    yield ok("sign_in", "the login is accepted")
    try:
        async for finding in _signed_in(Examined(server, line, login)):
            yield finding
    finally:
        with suppress(SyncError):
            await sign_out(server, login)


async def _reached(server: Endpoint, line: Line) -> list[Finding]:
    """The address and the key; the second one is missing when nobody answers."""
    try:
        answer = await line.settings()
    except SyncError as error:
        return [fail("address", str(error))]
    wrong_key = isinstance(answer.fault, Refused) and answer.fault.code == BAD_KEY
    if answer.fault is not None and not wrong_key:
        return [fail("address", str(answer.fault))]
    secure = urlsplit(server.url).scheme == "https"
    words = "with a trusted certificate" if secure else "on this computer, without encryption"
    address = ok("address", f"{server.url} answers, {words}")
    if wrong_key:
        return [address, fail("key", str(answer.fault))]
    return [address, _key(server.key)]


def _key(key: str) -> Finding:
    if key.startswith("eyJ"):
        return warn("key", "This is a legacy anon key, which Supabase retires: create a publishable key.")
    return ok("key", "the publishable key is accepted")


async def _signed_in(examined: Examined) -> AsyncIterator[Finding]:
    offered = await functions.offered(examined)
    yield offered
    yield await functions.shut(examined)
    yield await tables.unwritable(examined)
    yield await tables.own_rows(examined)
    for finding in await inside.reported(examined):
        yield finding
    yield await trip.made(examined)
    for finding in await listening.heard(examined):
        yield finding
    yield await _renewed(examined)
    yield await _quick(examined)


async def _renewed(examined: Examined) -> Finding:
    try:
        await examined.login.tokens.renewed(await examined.login.tokens.access_token())
    except SyncError as error:
        return fail("refresh", f"The login cannot be renewed. {error}")
    answer = await examined.call("count_messages", p_chat_id=NOWHERE)
    if answer.fault is not None:
        return fail("refresh", f"The renewed login is not accepted. {answer.fault}")
    return ok("refresh", "the login was renewed and is accepted")


async def _quick(examined: Examined) -> Finding:
    times = [(await examined.call("count_messages", p_chat_id=NOWHERE)).seconds for _ in range(CALLS)]
    median = statistics.median(times)
    words = f"{median * 1000:.1f} ms a call at p50"
    if median > SLOW_SECONDS:
        return warn("latency", f"{words}: choose a nearer region, or check the network.")
    return ok("latency", words)
