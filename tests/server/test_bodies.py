"""Request bodies: how large, how slow, and how many large ones at once."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from server import answers, bodies
from server.answers import Passed
from server.bodies import BodyTooLarge, BodyTooSlow, Room, read_body
from server.callers import Door
from server.rest.rpc import Rpc
from server.shares import NoRoom, Shares
from server.tokens import Caller, Tokens
from sync.protocol import REQUEST_MAX_BYTES
from tests.fakes.served import Person, Served

LIMIT = 3 * REQUEST_MAX_BYTES
CHUNK = b"x" * 1_000_000
LARGE = [CHUNK] * 10


def request(chunks: Iterable[bytes], *, ends: bool = True, read: list[int] | None = None) -> Request:
    """A request whose body comes in these chunks; `read` grows as they are taken."""
    left = iter(chunks)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        chunk = next(left, None)
        if chunk is None:
            await asyncio.Event().wait() if not ends else None
            return {"type": "http.request", "body": b"", "more_body": False}
        if read is not None:
            read.append(len(chunk))
        return {"type": "http.request", "body": chunk, "more_body": True}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_a_body_at_its_limit_is_whole_and_one_byte_more_is_too_large() -> None:
    assert asyncio.run(read_body(request([b"ab", b"c"]), 3)) == b"abc"
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(request([b"ab", b"cd"]), 3))


def test_what_is_too_much_is_read_and_dropped_but_not_for_ever() -> None:
    read: list[int] = []
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(request([CHUNK] * 1_000, read=read), 10))
    assert 32_000_000 < sum(read) < 40_000_000


def test_a_body_that_stops_coming_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_SECONDS", 0.05)
    with pytest.raises(BodyTooSlow):
        asyncio.run(read_body(request([b"a"], ends=False), 10))


def test_only_so_many_large_bodies_are_read_at_once_and_small_ones_never_wait() -> None:
    async def story() -> None:
        room, done = Room(places=2), asyncio.Event()
        entered: asyncio.Queue[int] = asyncio.Queue()
        third: list[int] = []

        async def send(who: str, read: list[int] | None = None) -> None:
            async with room.body(request(LARGE, read=read), LIMIT, who) as body:
                entered.put_nowait(len(body))
                await done.wait()

        first_two = [asyncio.create_task(send(who)) for who in ("anna", "bert")]
        assert [await entered.get() for _ in first_two] == [10_000_000] * 2
        last = asyncio.create_task(send("carl", third))
        async with room.body(request([b" "] * 100), LIMIT, "anna") as body:
            assert len(body) == 100
        assert sum(third) == 9_000_000
        assert entered.empty()
        done.set()
        assert await entered.get() == 10_000_000
        await asyncio.gather(*first_two, last)

    asyncio.run(story())


def test_a_large_body_that_finds_no_place_is_turned_away_and_the_places_come_free_again() -> None:
    async def story() -> None:
        room = Room(places=1, patience=0.01)
        async with room.body(request(LARGE), LIMIT, "anna"):
            with pytest.raises(NoRoom):
                async with room.body(request(LARGE), LIMIT, "bert"):
                    pass
            with pytest.raises(NoRoom):
                async with room.place("carl"):
                    pass
        with pytest.raises(BodyTooLarge):
            async with room.body(request([CHUNK] * 40), LIMIT, "bert"):
                pass
        async with asyncio.timeout(1), room.body(request(LARGE), LIMIT, "carl") as body:
            assert len(body) == len(LARGE) * len(CHUNK)

    asyncio.run(story())


def test_one_person_never_takes_every_place_for_large_bodies() -> None:
    async def story() -> None:
        room = Room(places=2, patience=0.01)
        async with room.body(request(LARGE), LIMIT, "anna"):
            with pytest.raises(NoRoom):
                async with room.place("anna"):
                    pass
            async with room.place("bert"):
                pass

    asyncio.run(story())


class Snapshots(Rpc):
    """Calls of functions that answer at once, without a database, with one place for large answers."""

    def __init__(self) -> None:
        door = Door("key", Tokens(b"s" * 64, "http://localhost/auth/v1"))
        nothing: Any = None
        super().__init__(door, nothing, nothing, Shares())
        self._room = Room(places=1, patience=0.01)

    async def _call(self, name: str, caller: Caller, body: object, *, read_only: bool) -> Response:
        return Passed(b"{}")

    async def get(self, method: str) -> Response:
        scope = {"type": "http", "method": method, "headers": [(b"apikey", b"key")], "query_string": b""}
        asked = Request({**scope, "path_params": {"name": "get_snapshot"}}, request([]).receive)
        return await self.endpoint(asked)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_large_answer_keeps_its_place_until_it_was_read(method: str) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def story() -> None:
        snapshots = Snapshots()
        first = await snapshots.get(method)
        assert (await snapshots.get(method)).status_code == 503
        await first({}, request([]).receive, send)
        assert sent[-1] == {"type": "http.response.body", "body": b""}
        assert (await snapshots.get(method)).status_code == 200

    asyncio.run(story())


def test_who_does_not_read_an_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_READ_SECONDS", 0.05)
    let_go: list[bool] = []

    async def never(_: Message) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        answer = Passed(b"{}")
        answer.held = AsyncExitStack()
        answer.held.callback(let_go.append, True)
        await answer({}, request([]).receive, never)

    asyncio.run(story())
    assert let_go == [True]


def test_a_route_of_small_bodies_takes_no_place() -> None:
    async def story() -> None:
        room = Room(places=0)
        async with room.body(request([CHUNK]), REQUEST_MAX_BYTES, "anna") as body:
            assert len(body) == len(CHUNK)
        with pytest.raises(BodyTooLarge):
            async with room.body(request(LARGE), REQUEST_MAX_BYTES, "anna"):
                pass

    asyncio.run(story())


def snapshot(served: Served, person: Person | None, project: str, octets: int) -> httpx.Response:
    files = {"large.txt": {"content": "x" * octets}}
    return httpx.post(
        f"{served.url}/rest/v1/rpc/save_snapshot",
        headers=served.headers(person.access_token if person else None),
        json={"p_project_id": project, "p_snapshot": {"files": files}},
        timeout=60,
    )


def test_a_large_snapshot_goes_in_and_comes_back(served: Served) -> None:
    person, project = served.sign_up(), str(uuid.uuid4())
    person.rpc("save_projects", p_projects=[{"project_id": project, "name": "large"}])
    assert snapshot(served, person, project, 20_000_000).json()["status"] == "saved"
    back = person.rpc("get_snapshot", p_project_id=project)
    assert len(back.json()["files"]["large.txt"]["content"]) == 20_000_000


def test_only_snapshots_of_the_signed_in_may_be_large(served: Served) -> None:
    person = served.sign_up()
    assert snapshot(served, None, str(uuid.uuid4()), 9_000_000).status_code == 413
    assert snapshot(served, person, str(uuid.uuid4()), 9_000_000).json()["code"] == "PT404"
    chat = {"chat_id": str(uuid.uuid4()), "title": "x" * 9_000_000}
    assert person.rpc("save_chats", p_chats=[chat]).status_code == 413
    assert snapshot(served, person, str(uuid.uuid4()), 68_000_000).status_code == 413


def test_a_body_without_a_declared_length_is_counted_as_it_comes(served: Served) -> None:
    person = served.sign_up()

    async def story() -> int:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"p_chats": ['
            for _ in range(9):
                yield b" " * 1_000_000
            yield b"]}"

        async with httpx.AsyncClient(timeout=30) as http:
            answer = await http.post(
                f"{served.url}/rest/v1/rpc/save_chats",
                headers={**served.headers(person.access_token), "Content-Type": "application/json"},
                content=pieces(),
            )
            return answer.status_code

    assert asyncio.run(story()) == 413
    assert json.loads(person.rpc("save_chats", p_chats=[]).text) == []
