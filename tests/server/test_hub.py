"""Topics, members, and what waits for a slow reader."""

import asyncio
import json
import uuid
from typing import Any

from server.realtime.frames import Frame, Version
from server.realtime.hub import SESSION_ENDED, SLOW, Hub, Member


def joined(hub: Hub, version: Version, *topics: str, session: uuid.UUID | None = None) -> Member:
    member = Member(version)
    hub.enter(member)
    for topic in topics:
        hub.join(member, topic, session)
    return member


async def waiting(member: Member) -> list[Any]:
    """All that the member would be sent now."""
    texts: list[Any] = []
    while True:
        try:
            async with asyncio.timeout(0):
                texts.append(json.loads(await member.next()))
        except TimeoutError:
            return texts


def test_only_the_newest_poke_of_a_topic_waits_for_a_slow_reader() -> None:
    async def story() -> None:
        hub = Hub()
        slow, quick = joined(hub, Version.V1, "t", "u"), joined(hub, Version.V2, "t")
        heard: list[int] = []
        for number in range(1_000):
            hub.publish("t", "changed", {"head": number})
            hub.publish("u", "changed", {"head": -number})
            heard.append(json.loads(await quick.next())[4]["payload"]["head"])
        assert heard == list(range(1_000))
        assert [frame["payload"]["payload"]["head"] for frame in await waiting(slow)] == [999, -999]
        assert not slow.closing.done()

    asyncio.run(story())


def test_a_socket_that_asks_and_does_not_read_is_closed() -> None:
    async def story() -> None:
        member = joined(Hub(), Version.V1)
        for number in range(1_000):
            member.offer(Frame("phoenix", "phx_reply", {}, str(number)))
        assert member.closing.result() is SLOW
        assert len(await waiting(member)) <= 128

    asyncio.run(story())


def test_answers_keep_their_order_and_come_before_later_pokes() -> None:
    async def story() -> None:
        hub = Hub()
        member = joined(hub, Version.V1, "t")
        hub.publish("t", "changed", 1)
        member.offer(Frame("t", "phx_reply", {}, "1"))
        member.offer(Frame("t", "phx_reply", {}, "2"))
        hub.publish("t", "other", 2)
        assert [frame["ref"] for frame in await waiting(member)] == [None, "1", "2", None]

    asyncio.run(story())


def test_a_member_that_left_hears_nothing_not_even_what_waited() -> None:
    async def story() -> None:
        hub = Hub()
        member = joined(hub, Version.V1, "a", "b")
        hub.publish("a", "e", {})
        hub.part(member, "a")
        hub.publish("a", "e", {})
        assert await waiting(member) == []
        hub.leave(member)
        hub.publish("b", "e", {})
        assert await waiting(member) == []

    asyncio.run(story())


def test_only_the_sockets_of_an_ended_session_close() -> None:
    async def story() -> None:
        hub, ended, other = Hub(), uuid.uuid4(), uuid.uuid4()
        members = {session: joined(hub, Version.V1, "t", session=session) for session in (ended, other)}
        hub.end_sessions([ended])
        assert members[ended].closing.result() is SESSION_ENDED
        assert not members[other].closing.done()

    asyncio.run(story())
