"""Pokes over the websocket, with the official client and with frames written by hand."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import jwt
import pytest
from realtime import RealtimeSubscribeStates
from supabase import AsyncClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from server.database import LISTENER
from tests.fakes.served import PASSWORD, Person, Served, official_client

PATIENCE = 10


@asynccontextmanager
async def socket(
    served: Served, version: str = "1.0.0", key: str | None = None
) -> AsyncIterator[ClientConnection]:
    url = f"{served.url.replace('http', 'ws', 1)}/realtime/v1/websocket?apikey={key or served.key}&vsn={version}"
    async with connect(url) as opened:
        yield opened


async def say(
    opened: ClientConnection, event: str, topic: str, payload: object, ref: str | None = "1"
) -> None:
    await opened.send(
        json.dumps({"event": event, "topic": topic, "payload": payload, "ref": ref, "join_ref": "1"})
    )


async def hear(opened: ClientConnection) -> Any:
    async with asyncio.timeout(PATIENCE):
        return json.loads(await opened.recv())


async def join(opened: ClientConnection, topic: str, token: str | None, *, private: object = True) -> Any:
    config = {"broadcast": {"ack": False, "self": False}, "private": private}
    await say(opened, "phx_join", f"realtime:{topic}", {"config": config, "access_token": token})
    return await hear(opened)


async def answer(client: AsyncClient, name: str, **arguments: object) -> Any:
    return (await client.rpc(name, arguments).execute()).data


async def close_of(opened: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionClosedError):
            async for _ in opened:
                pass
    assert opened.close_code is not None
    return opened.close_code, opened.close_reason or ""


def poke(person: Person, **payload: object) -> None:
    assert person.rpc("test_poke", p_payload=payload).status_code == 204


def test_an_append_pokes_the_official_client_on_the_owners_other_device(served: Served, anna: Person) -> None:
    async def story() -> None:
        states: list[RealtimeSubscribeStates] = []
        pokes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        chat = str(uuid.uuid4())
        async with official_client(served) as writer, official_client(served) as reader:
            for client in (writer, reader):
                await client.auth.sign_in_with_password({"email": anna.email, "password": PASSWORD})
            session = await reader.auth.get_session()
            assert session is not None
            await reader.realtime.set_auth(session.access_token)
            channel = reader.channel(
                f"user:{anna.user_id}",
                {"config": {"private": True, "broadcast": None, "presence": {"key": "", "enabled": False}}},
            )
            channel.on_broadcast("changed", lambda message: pokes.put_nowait(dict(message)))
            await channel.subscribe(lambda state, _: states.append(state))
            assert states == [RealtimeSubscribeStates.SUBSCRIBED]

            await answer(writer, "save_chats", p_chats=[{"chat_id": chat, "title": "Home"}])
            messages = [
                {"message_id": str(uuid.uuid4()), "role": "user", "content": [{"type": "text", "text": text}]}
                for text in ("one", "two")
            ]
            appended = await answer(writer, "append_messages", p_chat_id=chat, p_messages=messages)
            assert [row["sequence_num"] for row in appended] == [1, 2]
            async with asyncio.timeout(PATIENCE):
                heads = [(await pokes.get())["payload"]["head"] for _ in range(2)]
            pulled = await answer(reader, "pull_changes", p_epoch=None, p_cursor=0)
            assert heads[-1] == pulled["head"]
            listed = await answer(reader, "list_messages", p_chat_id=chat)
            assert [row["message_id"] for row in listed] == [
                message["message_id"] for message in reversed(messages)
            ]

    asyncio.run(story())


def test_every_frame_names_its_ref_and_a_poke_has_none(served: Served, anna: Person) -> None:
    async def story() -> None:
        async with socket(served) as opened:
            assert await join(opened, f"user:{anna.user_id}", anna.access_token) == {
                "event": "phx_reply",
                "topic": f"realtime:user:{anna.user_id}",
                "payload": {"status": "ok", "response": {"postgres_changes": []}},
                "ref": "1",
                "join_ref": "1",
            }
            await say(opened, "heartbeat", "phoenix", {}, ref=None)
            beat = await hear(opened)
            assert (beat["event"], beat["topic"], beat["ref"]) == ("phx_reply", "phoenix", None)
            await asyncio.to_thread(poke, anna, head=7)
            assert await hear(opened) == {
                "event": "broadcast",
                "topic": f"realtime:user:{anna.user_id}",
                "payload": {"event": "changed", "type": "broadcast", "payload": {"head": 7}},
                "ref": None,
                "join_ref": None,
            }

    asyncio.run(story())


def test_version_two_speaks_in_arrays(served: Served, anna: Person) -> None:
    topic = f"realtime:user:{anna.user_id}"

    async def story() -> None:
        async with socket(served, "2.0.0") as opened:
            given = {"config": {"private": True}, "access_token": anna.access_token}
            await opened.send(json.dumps(["3", "4", topic, "phx_join", given]))
            joined = {"status": "ok", "response": {"postgres_changes": []}}
            assert await hear(opened) == ["3", "4", topic, "phx_reply", joined]
            await asyncio.to_thread(poke, anna, head=8)
            broadcast = {"event": "changed", "type": "broadcast", "payload": {"head": 8}}
            assert await hear(opened) == [None, None, topic, "broadcast", broadcast]

    asyncio.run(story())


@pytest.mark.parametrize(
    "topic", ["user:{other}", "user:", "user:%", "other", "user:{own}x", "", "user:{own}\0", "user:\ud800"]
)
def test_nobody_joins_a_topic_that_is_not_theirs(served: Served, anna: Person, topic: str) -> None:
    other = served.sign_up()
    wanted = topic.format(other=other.user_id, own=anna.user_id)

    async def story() -> None:
        async with socket(served) as opened:
            reply = await join(opened, wanted, anna.access_token)
            assert reply["payload"]["status"] == "error"
            assert reply["payload"]["response"]["reason"].startswith("Unauthorized")
            await join(opened, f"user:{anna.user_id}", anna.access_token)
            await asyncio.to_thread(poke, other, head=1)
            await asyncio.to_thread(poke, anna, head=2)
            assert (await hear(opened))["payload"]["payload"] == {"head": 2}

    asyncio.run(story())


def test_a_join_needs_a_private_channel_and_a_users_token(served: Served, anna: Person) -> None:
    secret = (served.data_dir / "server" / "jwt-secret").read_text()
    claims = jwt.decode(anna.access_token, options={"verify_signature": False})
    expired = jwt.encode({**claims, "exp": 1_000_000_000}, secret, "HS256")
    topic = f"user:{anna.user_id}"

    async def story() -> None:
        async with socket(served) as opened:
            for token, private, reason in (
                (anna.access_token, False, "PrivateOnly"),
                (anna.access_token, None, "PrivateOnly"),
                (None, True, "Unauthorized"),
                (served.key, True, "Unauthorized"),
                ("a.b.c", True, "InvalidJWTToken"),
                (expired, True, "InvalidJWTToken: Token has expired"),
            ):
                reply = await join(opened, topic, token, private=private)
                assert reply["payload"]["response"]["reason"].startswith(reason)

    asyncio.run(story())


def test_leaving_a_topic_ends_its_pokes(served: Served, anna: Person) -> None:
    topic = f"user:{anna.user_id}"

    async def story() -> None:
        async with socket(served) as opened:
            await join(opened, topic, anna.access_token)
            await say(opened, "phx_leave", f"realtime:{topic}", {}, ref="9")
            assert (await hear(opened))["payload"]["status"] == "ok"
            await asyncio.to_thread(poke, anna, head=1)
            await say(opened, "heartbeat", "phoenix", {}, ref="10")
            assert (await hear(opened))["ref"] == "10"

    asyncio.run(story())


def test_a_socket_is_closed_when_its_token_expires_unless_it_is_renewed(served: Served, anna: Person) -> None:
    secret = (served.data_dir / "server" / "jwt-secret").read_text()
    claims = jwt.decode(anna.access_token, options={"verify_signature": False})
    topic = f"user:{anna.user_id}"

    async def story() -> None:
        async with socket(served) as left, socket(served) as renewed:
            soon = jwt.encode({**claims, "exp": claims["iat"] + 3}, secret, "HS256")
            for opened in (left, renewed):
                assert (await join(opened, topic, soon))["payload"]["status"] == "ok"
            await say(
                renewed, "access_token", f"realtime:{topic}", {"access_token": anna.access_token}, ref=None
            )
            assert await close_of(left) == (1008, "access token expired")
            await asyncio.to_thread(poke, anna, head=1)
            assert (await hear(renewed))["event"] == "broadcast"

    asyncio.run(story())


def test_a_bad_token_in_a_renewal_closes_the_socket(served: Served, anna: Person) -> None:
    topic = f"user:{anna.user_id}"

    async def story() -> None:
        async with socket(served) as opened:
            await join(opened, topic, anna.access_token)
            await say(opened, "access_token", f"realtime:{topic}", {"access_token": "a.b.c"}, ref=None)
            assert (await close_of(opened))[0] == 1008

    asyncio.run(story())


def test_signing_out_closes_the_sessions_sockets(served: Served, anna: Person) -> None:
    async def story() -> None:
        async with socket(served) as opened:
            await join(opened, f"user:{anna.user_id}", anna.access_token)
            await asyncio.to_thread(
                httpx.post, f"{served.url}/auth/v1/logout", headers=served.headers(anna.access_token)
            )
            assert await close_of(opened) == (1008, "session ended")

    asyncio.run(story())


def test_lost_notifications_make_clients_join_again(served: Served, anna: Person) -> None:
    def cut() -> None:
        with served.database() as db:
            cut = db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
                (LISTENER,),
            )
            assert cut.fetchall() == [(True,)]

    async def story() -> None:
        async with socket(served) as opened:
            await join(opened, f"user:{anna.user_id}", anna.access_token)
            await asyncio.to_thread(cut)
            assert (await close_of(opened))[0] == 1012
        async with socket(served) as opened:
            await join(opened, f"user:{anna.user_id}", anna.access_token)
            await asyncio.to_thread(poke, anna, head=3)
            assert (await hear(opened))["payload"]["payload"] == {"head": 3}

    asyncio.run(story())


@pytest.mark.parametrize(("key", "version", "status"), [("wrong", "1.0.0", 401), (None, "3.0.0", 400)])
def test_a_handshake_without_key_or_version_is_refused(
    served: Served, key: str | None, version: str, status: int
) -> None:
    async def story() -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with socket(served, version, key):
                pass
        assert caught.value.response.status_code == status

    asyncio.run(story())


@pytest.mark.parametrize(
    "frame",
    ["", "[]", "null", "{", "[" * 50_000, '{"topic": 1, "event": "x"}', '{"event": "phx_join"}', b"\x00\x01"],
)
def test_what_is_no_frame_closes_the_socket(served: Served, frame: str | bytes) -> None:
    async def story() -> None:
        async with socket(served) as opened:
            await opened.send(frame)
            assert (await close_of(opened))[0] == 1003

    asyncio.run(story())


def test_an_oversized_frame_closes_the_socket(served: Served) -> None:
    async def story() -> None:
        async with socket(served) as opened:
            await opened.send("x" * 70_000)
            assert (await close_of(opened))[0] == 1009

    asyncio.run(story())


def test_clients_cannot_broadcast(served: Served, anna: Person) -> None:
    topic = f"realtime:user:{anna.user_id}"

    async def story() -> None:
        async with socket(served) as opened:
            await join(opened, f"user:{anna.user_id}", anna.access_token)
            await say(opened, "broadcast", topic, {"event": "changed", "payload": {"head": 99}}, ref="5")
            reply = await hear(opened)
            assert (reply["ref"], reply["payload"]["status"]) == ("5", "error")

    asyncio.run(story())


def test_a_client_that_keeps_knocking_is_closed(served: Served, anna: Person) -> None:
    async def story() -> None:
        async with socket(served) as opened:
            for _ in range(30):
                await say(opened, "phx_join", "realtime:other", {"config": {"private": True}})
            assert await close_of(opened) == (1008, "too many refused joins")

    asyncio.run(story())


def test_a_client_that_reads_late_hears_the_newest_poke_and_the_others_hear_on(
    served: Served, anna: Person
) -> None:
    bursts = [range(first, first + 50) for first in range(1, 3001, 50)]

    def flood(numbers: range) -> None:
        with served.database() as db:
            db.execute(
                "select realtime.send(jsonb_build_object('head', n, 'pad', repeat('x', 7000)), 'changed', %s, true)"
                " from generate_series(%s::int, %s::int) as n",
                (f"user:{anna.user_id}", numbers.start, numbers.stop - 1),
            )

    async def heads(opened: ClientConnection, last: int) -> list[int]:
        heard = [0]
        while heard[-1] < last:
            heard.append((await hear(opened))["payload"]["payload"]["head"])
        return heard

    async def story() -> None:
        async with socket(served) as late, socket(served) as quick:
            for opened in (late, quick):
                await join(opened, f"user:{anna.user_id}", anna.access_token)
            for numbers in bursts:
                await asyncio.to_thread(flood, numbers)
                heard = await heads(quick, numbers[-1])
                assert heard == sorted(heard)
            heard = await heads(late, 3000)
            assert heard == sorted(heard)
            assert len(heard) < 3000

    asyncio.run(story())


def test_a_client_that_asks_and_never_reads_is_dropped(served: Served, anna: Person) -> None:
    topic = f"realtime:user:{anna.user_id}"

    async def story() -> None:
        async with socket(served) as opened:
            await join(opened, f"user:{anna.user_id}", anna.access_token)
            with suppress(ConnectionClosedError):
                for number in range(20_000):
                    await say(opened, "nonsense", topic, {}, ref="r" * 1_000 + str(number))
            assert (await close_of(opened))[0] in (1006, 1013)

    asyncio.run(story())


def test_version_two_refuses_a_binary_broadcast_and_stays_open(served: Served, anna: Person) -> None:
    topic = f"realtime:user:{anna.user_id}"

    async def story() -> None:
        async with socket(served, "2.0.0") as opened:
            given = {"config": {"private": True}, "access_token": anna.access_token}
            await opened.send(json.dumps(["1", "1", topic, "phx_join", given]))
            await hear(opened)
            await opened.send(
                bytes([3, 1, 1, len(topic), 7, 0, 1]) + f"12{topic}changed".encode() + b'{"head": 9}'
            )
            join_ref, ref, name, event, payload = await hear(opened)
            assert (join_ref, ref, name, event, payload["status"]) == ("1", "2", topic, "phx_reply", "error")
            await opened.send(json.dumps([None, "3", "phoenix", "heartbeat", {}]))
            assert await hear(opened) == [None, "3", "phoenix", "phx_reply", {"status": "ok", "response": {}}]

    asyncio.run(story())
