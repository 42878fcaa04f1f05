"""Topics, members and the bound on what waits for a slow reader."""

import asyncio
import json
import uuid

from server.hub import SESSION_ENDED, SLOW, Hub, Member, Version


def test_a_slow_reader_is_closed_and_the_others_hear_on() -> None:
    async def story() -> None:
        hub, slow, quick = Hub(), Member(Version.V1), Member(Version.V2)
        heard: list[object] = []
        for member in (slow, quick):
            hub.enter(member)
            hub.join(member, "t", None)
        for number in range(1_000):
            hub.publish("t", "changed", {"head": number})
            heard.append(json.loads(quick.frames.get_nowait())[4]["payload"]["head"])
        assert slow.closing.result() is SLOW
        assert slow.frames.qsize() <= 64
        assert heard == list(range(1_000))

    asyncio.run(story())


def test_a_member_that_left_hears_nothing() -> None:
    async def story() -> None:
        hub, member = Hub(), Member(Version.V1)
        hub.enter(member)
        hub.join(member, "a", None)
        hub.join(member, "b", None)
        hub.part(member, "a")
        hub.publish("a", "e", {})
        assert member.frames.empty()
        hub.leave(member)
        hub.publish("b", "e", {})
        assert member.frames.empty()

    asyncio.run(story())


def test_only_the_sockets_of_an_ended_session_close() -> None:
    async def story() -> None:
        hub, ended, other = Hub(), uuid.uuid4(), uuid.uuid4()
        members = {session: Member(Version.V1) for session in (ended, other)}
        for session, member in members.items():
            hub.enter(member)
            hub.join(member, "t", session)
        hub.end_sessions([ended])
        assert members[ended].closing.result() is SESSION_ENDED
        assert not members[other].closing.done()

    asyncio.run(story())
