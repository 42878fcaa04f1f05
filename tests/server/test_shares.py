"""One person's crowd of calls, and what the others notice of it: nothing."""

import asyncio
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from server.shares import NoRoom, Shares
from tests.fakes.served import Person, Served
from tests.fakes.waiting import wait_for

CROWD = 24
_WAITING = "select count(*) from pg_stat_activity where wait_event = 'advisory' and application_name = 'homing gateway'"
_HOLD = "select pg_advisory_lock(hashtextextended(%s, hashtextextended(%s, 0)))"


def append(person: Person, chat: str) -> httpx.Response:
    message = {"message_id": str(uuid.uuid4()), "role": "user", "content": "hello"}
    return person.rpc("append_messages", p_chat_id=chat, p_messages=[message])


def test_a_crowd_of_slow_calls_of_one_person_stops_nobody_else(served: Served) -> None:
    anna, bert, chat, other = served.sign_up(), served.sign_up(), str(uuid.uuid4()), str(uuid.uuid4())
    for person, each in ((anna, chat), (bert, other)):
        person.rpc("save_chats", p_chats=[{"chat_id": each, "title": "mine"}]).raise_for_status()
    with ThreadPoolExecutor(CROWD) as threads, served.database() as holder, served.database() as watcher:
        holder.execute(_HOLD, [chat, anna.user_id])
        crowd: list[Future[httpx.Response]] = [threads.submit(append, anna, chat) for _ in range(CROWD)]

        def waiting() -> int:
            row = watcher.execute(_WAITING).fetchone()
            return int(row[0]) if row else 0

        wait_for(lambda: waiting() >= 4)
        assert append(bert, other).status_code == 200
        assert waiting() == 4
        assert not any(call.done() for call in crowd)
        holder.execute("select pg_advisory_unlock_all()")
        assert {call.result().status_code for call in crowd} == {200}


def test_who_holds_a_whole_share_waits_and_is_told_and_the_others_are_not_concerned() -> None:
    async def story() -> None:
        shares = Shares(2, patience=0.01)
        async with shares.one_of("anna"), shares.one_of("anna"):
            with pytest.raises(NoRoom):
                async with shares.one_of("anna"):
                    pass
            async with shares.one_of("bert"), shares.one_of(None):
                pass
        async with shares.one_of("anna"), shares.one_of("anna"):
            pass

    asyncio.run(story())


def test_a_call_that_is_cancelled_or_fails_gives_its_place_back() -> None:
    async def story() -> None:
        shares = Shares(1)
        with pytest.raises(ZeroDivisionError):
            async with shares.one_of("anna"):
                _ = 1 // 0
        async with shares.one_of("anna"):
            waiting = asyncio.create_task(shares.one_of("anna").__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        async with asyncio.timeout(1), shares.one_of("anna"):
            pass

    asyncio.run(story())
