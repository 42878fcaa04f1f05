"""Pokes over a realtime server that breaks in every way: the supervisor comes back and leaves nothing behind."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from sync.errors import SignInAgain
from sync.wire.realtime import Pokes, pause_seconds
from sync.wire.transport import TALKATIVE
from tests.fakes.tokens import ListedTokens
from tests.fakes.topics import Topics, topic_server

KEY = "sb_publishable_canary"
USER = "6a5c9a6e-0000-4000-8000-000000000001"


class Heard:
    """What the callbacks told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.heads: list[int | None] = []
        self.changed = asyncio.Condition()
        self.tasks: set[asyncio.Task[None]] = set()

    def poke(self, head: int | None) -> None:
        self.heads.append(head)
        self._note("poke")

    def link(self, up: bool) -> None:
        self._note("up" if up else "down")

    async def until(self, *told: str) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: self.told == list(told))

    async def until_count(self, word: str, count: int) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: self.told.count(word) >= count)

    def _note(self, word: str) -> None:
        self.told.append(word)
        task = asyncio.ensure_future(self._notify())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def listening(
    url: str, tokens: ListedTokens | None = None, *, pause: float = 0.0, heartbeat: float = 25.0
) -> AsyncIterator[tuple[Heard, Pokes]]:
    heard = Heard()
    pokes = Pokes(
        url,
        KEY,
        tokens or ListedTokens("token-canary"),
        USER,
        heard.poke,
        heard.link,
        pause=lambda _: pause,
        heartbeat=heartbeat,
    )
    task = asyncio.create_task(pokes.run())
    try:
        yield heard, pokes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(act: Callable[[Topics], Awaitable[None]]) -> None:
    """Run against a server; afterwards no task of ours or of the official client may be left."""

    async def scene() -> None:
        async with topic_server() as topics:
            before = asyncio.all_tasks()
            await act(topics)
            await asyncio.sleep(0)
            ours = [
                task for task in asyncio.all_tasks() - before if "websockets" not in repr(task.get_coro())
            ]
            assert ours == []

    asyncio.run(scene())
    gc.collect()


def test_it_joins_the_users_private_topic_and_passes_pokes_on() -> None:
    async def act(topics: Topics) -> None:
        async with listening(topics.url) as (heard, _):
            await heard.until("up")
            (join,) = topics.of("phx_join")
            assert join["topic"] == f"realtime:user:{USER}"
            assert join["payload"]["config"]["private"] is True
            assert join["payload"]["access_token"] == "token-canary"
            assert "token-canary" not in topics.paths[0]
            await topics.poke()
            await heard.until("up", "poke")
            await topics.poke("something-else")
            await topics.say("no json")
            await topics.say('{"event": "hologram", "topic": "realtime:x", "payload": {}, "ref": null}')
            await topics.poke()
            await heard.until("up", "poke", "poke")
        assert heard.told == ["up", "poke", "poke", "down"]

    run(act)


async def cut(topics: Topics) -> None:
    topics.sockets[-1].transport.abort()


async def close_well(topics: Topics) -> None:
    await topics.sockets[-1].close(1000)


async def close_badly(topics: Topics) -> None:
    await topics.sockets[-1].close(1011, "secret reason")


async def end_channel(topics: Topics) -> None:
    await topics.say(f'{{"event": "phx_close", "topic": "{topics.topic}", "payload": {{}}, "ref": null}}')


async def fail_channel(topics: Topics) -> None:
    await topics.say(f'{{"event": "phx_error", "topic": "{topics.topic}", "payload": {{}}, "ref": null}}')


async def expire(topics: Topics) -> None:
    payload = '{"channel": "c", "extension": "system", "message": "Token has expired", "status": "error"}'
    await topics.say(f'{{"event": "system", "topic": "{topics.topic}", "payload": {payload}, "ref": null}}')


@pytest.mark.parametrize("end", [cut, close_well, close_badly, end_channel, fail_channel, expire])
def test_a_lost_link_is_told_and_made_anew(end: Callable[[Topics], Awaitable[None]]) -> None:
    async def act(topics: Topics) -> None:
        async with listening(topics.url) as (heard, _):
            await heard.until("up")
            await end(topics)
            await heard.until("up", "down", "up")
            assert len(topics.sockets) == 2
            await topics.poke()
            await heard.until("up", "down", "up", "poke")

    run(act)


def test_more_losses_than_the_official_client_bears_are_no_end() -> None:
    async def act(topics: Topics) -> None:
        async with listening(topics.url) as (heard, _):
            for times in range(1, 13):
                await heard.until_count("up", times)
                await cut(topics)
            await heard.until_count("up", 13)

    run(act)


def test_a_refused_join_is_no_link_and_is_tried_again() -> None:
    async def act(topics: Topics) -> None:
        topics.joins = "error"
        async with listening(topics.url) as (heard, _):
            await topics.until(3, "phx_join")
            assert heard.told == []
            topics.joins = "ok"
            await heard.until("up")

    run(act)


@pytest.mark.parametrize(
    "status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY, HTTPStatus.OK]
)
def test_a_refused_handshake_is_tried_again(status: HTTPStatus) -> None:
    async def act(topics: Topics) -> None:
        topics.handshake = status
        async with listening(topics.url) as (heard, _):
            await topics.until_greeted(3)
            assert heard.told == []
            topics.handshake = None
            await heard.until("up")

    run(act)


def test_an_unanswered_join_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.wire.poke_link.ANSWER_SECONDS", 1)

    async def act(topics: Topics) -> None:
        topics.joins = ""
        async with listening(topics.url) as (heard, _):
            await topics.until(2, "phx_join")
            assert heard.told == []

    run(act)


def test_a_server_that_stops_answering_heartbeats_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.wire.poke_link.ANSWER_SECONDS", 1)

    async def act(topics: Topics) -> None:
        async with listening(topics.url, heartbeat=0.1) as (heard, _):
            await heard.until("up")
            await topics.until(5, "heartbeat")
            assert heard.told == ["up"]
            topics.heartbeats = False
            await heard.until_count("down", 1)
            topics.heartbeats = True
            await heard.until_count("up", 2)

    run(act)


def test_the_token_goes_to_the_users_server_only() -> None:
    async def act(stranger: Topics) -> None:
        async with topic_server() as topics:
            topics.handshake = HTTPStatus.TEMPORARY_REDIRECT
            topics.location = f"{stranger.url.replace('http', 'ws')}/realtime/v1/websocket?vsn=1.0.0"
            async with listening(topics.url) as (heard, _):
                await stranger.until_greeted(2)
                assert heard.told == []
            assert stranger.of("phx_join") == []
            assert "canary" not in "".join(stranger.paths)

    run(act)


def test_a_renewed_token_is_told_on_the_socket_before_the_old_one_ends() -> None:
    async def act(topics: Topics) -> None:
        tokens = ListedTokens("first", "second")
        async with listening(topics.url, tokens, heartbeat=0.05) as (heard, _):
            await heard.until("up")
            await tokens.renewed("first")
            (frame,) = await topics.until(1, "access_token")
            assert frame["payload"] == {"access_token": "second"}
            await topics.until(len(topics.of("heartbeat")) + 3, "heartbeat")
            assert len(topics.of("access_token")) == 1
            assert heard.told == ["up"]

    run(act)


def test_a_login_that_is_over_ends_the_link_and_a_new_one_brings_it_back() -> None:
    class Gone(ListedTokens):
        gone = False

        async def access_token(self) -> str:
            if self.gone:
                raise SignInAgain("The login is over: sign in again.")
            return await super().access_token()

    async def act(topics: Topics) -> None:
        tokens = Gone("token")
        async with listening(topics.url, tokens, heartbeat=0.05) as (heard, _):
            await heard.until("up")
            tokens.gone = True
            await heard.until("up", "down")
            tokens.gone = False
            await heard.until("up", "down", "up")

    run(act)


def test_a_nudge_cuts_the_pause_short() -> None:
    async def act(topics: Topics) -> None:
        async with listening(topics.url, pause=3600) as (heard, pokes):
            await heard.until("up")
            await cut(topics)
            await heard.until("up", "down")
            pokes.nudge()
            await heard.until_count("up", 2)

    run(act)


def test_a_server_on_this_computer_is_joined_past_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def act(topics: Topics) -> None:
        async with listening(topics.url) as (heard, _):
            await heard.until("up")
            await topics.poke()
            await heard.until("up", "poke")

    run(act)


def test_after_a_sleep_the_link_is_made_anew_at_once_though_it_looks_alive() -> None:
    async def act(topics: Topics) -> None:
        async with listening(topics.url, pause=3600) as (heard, pokes):
            await heard.until("up")
            pokes.rejoin()
            await heard.until("up", "down", "up")
            await topics.poke()
            await heard.until("up", "down", "up", "poke")

    run(act)


@pytest.mark.parametrize(
    ("payload", "head"),
    [
        ({"head": 7}, 7),
        ({}, None),
        ({"head": "7"}, None),
        ({"head": True}, None),
        ({"head": -1}, None),
    ],
)
def test_a_poke_says_the_servers_counter_when_it_makes_sense(payload: object, head: int | None) -> None:
    async def act(topics: Topics) -> None:
        async with listening(topics.url) as (heard, _):
            await heard.until("up")
            told = {"event": "changed", "type": "broadcast", "payload": payload}
            await topics.say(
                json.dumps({"event": "broadcast", "topic": topics.topic, "payload": told, "ref": None})
            )
            await heard.until("up", "poke")
            assert heard.heads == [head]

    run(act)


@pytest.mark.parametrize("joins", ["ok", ""])
def test_cancelling_at_any_moment_leaves_nothing_behind(joins: str) -> None:
    async def act(topics: Topics) -> None:
        topics.joins = joins
        for turns in range(0, 60, 4):
            async with listening(topics.url):
                for _ in range(turns):
                    await asyncio.sleep(0)

    run(act)


def test_nobody_listening_is_borne_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene() -> None:
        async with topic_server() as topics:
            url = topics.url
        enough = asyncio.Event()

        def pause(failures: int) -> float:
            if failures == 8:
                enough.set()
            return 0.0

        heard = Heard()
        pokes = Pokes(url, KEY, ListedTokens("token-canary"), USER, heard.poke, heard.link, pause=pause)
        task = asyncio.create_task(pokes.run())
        async with asyncio.timeout(20):
            await enough.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert heard.told == []

    asyncio.run(scene())
    assert "canary" not in caplog.text


def test_no_token_or_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", *TALKATIVE):
        caplog.set_level(logging.DEBUG, logger=name)

    async def act(topics: Topics) -> None:
        async with listening(topics.url) as (heard, _):
            await heard.until("up")
            await topics.poke()
            await close_badly(topics)
            await heard.until_count("up", 2)

    run(act)
    assert "canary" not in caplog.text
    assert "secret reason" not in caplog.text


def test_pauses_double_up_to_a_minute_and_are_spread() -> None:
    for failures in range(1, 40):
        longest = min(60.0, 2.0**failures)
        pauses = [pause_seconds(failures) for _ in range(50)]
        assert all(max(1.0, longest / 2) <= pause <= longest for pause in pauses)
    assert len({pause_seconds(8) for _ in range(50)}) > 40
