"""Turns under contention, on a real PostgreSQL: one beginning, one end, one bill, no deadlock (I23, I24)."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest

from tests.fakes import turns
from tests.fakes.cluster import Caller, Database, User, text
from tests.fakes.turns import Answer, Turn, let_expire
from tests.fakes.waiting import wait_for

T = TypeVar("T")
DEVICES = 8
ROUNDS = 12


@pytest.fixture
def user(database: Database) -> User:
    return database.new_user()


@pytest.fixture
def chat(user: User) -> str:
    with user.signed_in() as caller:
        return caller.new_chat()


@pytest.fixture
def devices(user: User) -> Iterator[list[Caller]]:
    with ExitStack() as connections:
        yield [connections.enter_context(user.signed_in()) for _ in range(DEVICES)]


def at_once(*calls: Callable[[], T]) -> list[T]:
    """What the calls return, all of which start in the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        gate.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def statuses(answers: list[Answer]) -> Counter[str]:
    return Counter(answer["status"] for answer in answers)


def test_of_many_devices_one_begins_the_turn_and_the_others_see_it_run(
    chat: str, devices: list[Caller]
) -> None:
    for number in range(ROUNDS):
        same = [Turn(chat, f"turn {number}") for _ in devices]
        answers = at_once(*(partial(turn.begin, caller) for turn, caller in zip(same, devices, strict=True)))
        assert statuses(answers) == {"begun": 1, "running": DEVICES - 1}
        assert {answer["assistant"]["message_id"] for answer in answers} == {same[0].reply}
        winner = [answer["status"] for answer in answers].index("begun")
        assert same[winner - 1].finish(devices[0])["status"] == "lost"
        assert same[winner].finish(devices[0])["status"] == "finished"
    turns.assert_counters_are_right(devices[0])
    assert devices[0].count(chat) == 2 * ROUNDS


def test_a_beginning_whose_answers_are_lost_begins_once(chat: str, devices: list[Caller]) -> None:
    for number in range(ROUNDS):
        turn = Turn(chat, f"turn {number}")
        answers = at_once(*(partial(turn.begin, caller) for caller in devices))
        assert statuses(answers) == {"begun": DEVICES}
        assert Counter(answer["assistant"]["status"] for answer in answers)["inserted"] == 1
        assert {answer["user"]["sequence_num"] for answer in answers} == {2 * number + 1}
        turn.finish(devices[0])
    turns.assert_counters_are_right(devices[0])


def test_of_many_turns_one_gets_the_chat(chat: str, devices: list[Caller]) -> None:
    answers = at_once(
        *(partial(Turn(chat, f"turn {number}").begin, caller) for number, caller in enumerate(devices))
    )
    assert statuses(answers) == {"begun": 1, "busy": DEVICES - 1}
    assert len({answer["turn_id"] for answer in answers}) == 1
    assert devices[0].count(chat) == 2


@pytest.mark.parametrize("expired", [False, True])
def test_finishing_interrupting_and_telling_at_once_end_a_turn_once(
    database: Database, chat: str, devices: list[Caller], expired: bool
) -> None:
    for number in range(ROUNDS):
        turn = Turn(chat, f"turn {number}")
        turn.begin(devices[0])
        if expired:
            let_expire(database, chat)
        calls: list[Callable[[], Any]] = [
            partial(turn.finish, devices[0]),
            partial(turn.finish, devices[1]),
            partial(turn.finish, devices[2], "error", None),
            partial(turn.tell, devices[3], 1),
            partial(turn.beat, devices[4]),
            partial(devices[5].pull, None, 0),
            partial(devices[6].pull, None, 0),
            partial(devices[7].append, chat, [text()]),
        ]
        answers = at_once(*calls)
        ends = [answer["message_status"] for answer in answers[:3] if answer["status"] == "finished"]
        stored = devices[0].rows(
            "select status, revision, (select count(*) from public.message_usage as usage "
            "where usage.message_id = message.message_id) from public.messages as message where message_id = %s",
            turn.reply,
        )
        told = answers[3]["status"] == "stored"
        assert len(ends) <= 1 if expired else len(ends) == 1
        assert stored == [(ends[0] if ends else "interrupted", 2 + told, len(ends))]
    turns.assert_counters_are_right(devices[0])


def test_no_device_sees_a_turn_stream_again_once_it_ended(
    database: Database, user: User, chat: str, devices: list[Caller]
) -> None:
    over = threading.Event()
    seen: list[dict[str, str]] = []

    def watch() -> None:
        with user.signed_in() as caller:
            cursor, epoch, last = 0, None, False
            while not last:
                last = over.is_set()
                answer = caller.pull(epoch, cursor)
                epoch, cursor = answer["epoch"], answer["cursor"]
                seen.extend(each["row"] for each in answer["changes"] if each["kind"] == "message")

    with ThreadPoolExecutor(1) as one:
        watching = one.submit(watch)
        try:
            for number in range(ROUNDS):
                turn = Turn(chat, f"turn {number}")
                turn.begin(devices[0])
                calls: list[Callable[[], Any]] = [
                    partial(turn.tell, caller, place) for place, caller in enumerate(devices[:4], start=1)
                ]
                at_once(*calls, partial(let_expire, database, chat), partial(turn.finish, devices[5]))
        finally:
            over.set()
        watching.result(60)
    ended = set[str]()
    for row in seen:
        assert row["status"] != "streaming" or row["message_id"] not in ended
        if row["status"] != "streaming":
            ended.add(row["message_id"])
    assert {f"reply of turn {number}" for number in range(ROUNDS)} <= ended


LOCKS = {
    "the chat's lock": "select homing.lock_chat(%(owner)s, %(chat)s)",
    "the chat": "select from public.chats where owner_id = %(owner)s and chat_id = %(chat)s for update",
    "the lease": "select from public.turn_leases where owner_id = %(owner)s and chat_id = %(chat)s for update",
    "the head": "select %(chat)s from public.owner_heads where owner_id = %(owner)s for update",
}


@contextmanager
def locked(database: Database, user: User, chat: str, lock: str) -> Iterator[None]:
    """Somebody else's transaction holds a lock until the end of the block."""
    with database.connect() as other, other.transaction(force_rollback=True):
        other.execute(LOCKS[lock].encode(), {"owner": user.user_id, "chat": chat})
        yield


@pytest.mark.parametrize("lock", LOCKS)
def test_a_pull_waits_for_nobody_to_interrupt_a_turn(
    database: Database, user: User, chat: str, devices: list[Caller], lock: str
) -> None:
    turn = Turn(chat)
    turn.begin(devices[0])
    let_expire(database, chat)
    status = "select status from public.messages where message_id = %s"
    with locked(database, user, chat, lock):
        answer = devices[0].pull(None, 0)
        assert answer["changes"]
        assert devices[0].rows(status, turn.reply) == [("streaming",)]
    devices[0].pull(None, 0)
    assert devices[0].rows(status, turn.reply) == [("interrupted",)]


def _waits(database: Database, caller: Caller) -> bool:
    with database.connect() as admin:
        row = admin.execute(
            "select cardinality(pg_blocking_pids(%s)) > 0", [caller.connection.info.backend_pid]
        ).fetchone()
    return row == (True,)


@pytest.mark.parametrize(
    ("lock", "call", "expected"),
    [
        ("the chat's lock", Turn.finish, ("finished", "interrupted")),
        ("the lease", Turn.finish, ("finished", "interrupted")),
        ("the chat's lock", partial(Turn.tell, number=1), ("lost", "streaming")),
        ("the lease", partial(Turn.tell, number=1), ("lost", "streaming")),
        ("the lease", Turn.beat, ("lost", "streaming")),
    ],
)
def test_a_lease_that_runs_out_while_its_holder_waits_for_a_lock_has_run_out(
    database: Database,
    user: User,
    chat: str,
    devices: list[Caller],
    lock: str,
    call: Callable[[Turn, Caller], Answer],
    expected: tuple[str, str],
) -> None:
    """The holder's transaction began while the lease lived: its start must not be the clock."""
    turn = Turn(chat)
    turn.begin(devices[0], seconds=1)
    expiry = "select lease_until < clock_timestamp() from public.turn_leases where owner_id = %s"
    with ThreadPoolExecutor(1) as one:
        with locked(database, user, chat, lock):
            answer = one.submit(call, turn, devices[1])
            wait_for(lambda: _waits(database, devices[1]))
            wait_for(lambda: devices[2].rows(expiry, user.user_id) == [(True,)])
        told = answer.result(30)
    assert (told["status"], told["message_status"]) == expected


def test_a_beginning_that_waited_gives_the_whole_lease(
    database: Database, user: User, chat: str, devices: list[Caller]
) -> None:
    with ThreadPoolExecutor(1) as one:
        with locked(database, user, chat, "the chat's lock"):
            answer = one.submit(Turn(chat).begin, devices[0], seconds=1)
            wait_for(lambda: _waits(database, devices[0]))
            ((second_later,),) = devices[1].rows("select clock_timestamp() + interval '1 second'")
            wait_for(lambda: devices[1].rows("select clock_timestamp() > %s", second_later) == [(True,)])
        assert answer.result(30)["status"] == "begun"
    lasted = devices[1].rows(
        "select lease_until > %s + interval '1 second' from public.turn_leases", second_later
    )
    assert lasted == [(True,)]


@pytest.mark.parametrize("killed", [Turn.begin, Turn.finish], ids=["begin", "finish"])
def test_a_killed_call_did_everything_or_nothing(
    database: Database, user: User, chat: str, devices: list[Caller], killed: Callable[..., Answer]
) -> None:
    chance = random.Random(7)
    for number in range(2 * ROUNDS):
        turn = Turn(chat, f"turn {number}")
        if killed is Turn.finish:
            turn.begin(devices[0])
        with user.signed_in() as victim:
            pid = victim.connection.info.backend_pid
            killer = threading.Timer(chance.uniform(0, 0.003), _kill, [database, pid])
            killer.start()
            try:
                killed(turn, victim)
            except psycopg.OperationalError:
                pass
            finally:
                killer.join()
        turns.assert_counters_are_right(devices[0])
        assert killed(turn, devices[0])["status"] in {"begun", "finished", "duplicate"}
        turn.finish(devices[0])
    ((billed,),) = devices[0].rows("select count(*) from public.message_usage")
    assert (devices[0].count(chat), billed) == (4 * ROUNDS, 2 * ROUNDS)
    turns.assert_counters_are_right(devices[0])


def _kill(database: Database, pid: int) -> None:
    with database.connect() as admin:
        admin.execute("select pg_terminate_backend(%s)", [pid])


def _take_turns(database: Database, user: User, chats: list[str], seed: int) -> None:
    chance = random.Random(seed)
    with user.signed_in() as caller:
        for number in range(25):
            turn = Turn(chance.choice(chats), f"turn {seed} {number}")
            if turn.begin(caller)["status"] == "begun":
                turn.tell(caller, 1)
                turn.beat(caller)
                if chance.random() < 0.5:
                    let_expire(database, turn.chat)
                if chance.random() < 0.7:
                    turn.finish(caller)


def _write_otherwise(user: User, chats: list[str], seed: int) -> None:
    chance = random.Random(seed)
    with user.signed_in() as caller:
        for number in range(25):
            order = sorted(chats, reverse=bool((seed // 2 + number) % 2))
            caller.save(*({"chat_id": chat, "title": f"{seed} {number}"} for chat in order))
            chat = chance.choice(chats)
            caller.append(chat, [text() for _ in range(3)])
            caller.pull(None, 0, 50)
            shells = "select message_id from public.messages where chat_id = %s and status = 'streaming'"
            for row in caller.rows(shells, chat):
                caller.rows("select * from delete_messages(%s, %s)", chat, f'["{row[0]}"]')


def test_turns_deadlock_with_nothing_else_that_writes(database: Database, user: User) -> None:
    chats = [str(uuid.uuid4()) for _ in range(4)]
    with user.signed_in() as caller:
        caller.save(*({"chat_id": chat} for chat in chats))
    with ThreadPoolExecutor(DEVICES) as threads:
        running = [
            threads.submit(_take_turns, database, user, chats, seed)
            if seed % 2
            else threads.submit(_write_otherwise, user, chats, seed)
            for seed in range(DEVICES)
        ]
        for each in running:
            each.result(120)
    with user.signed_in() as caller:
        for chat in chats:
            let_expire(database, chat)
        caller.pull(None, 0)
        assert caller.rows("select count(*) from public.messages where status = 'streaming'") == [(0,)]
        assert caller.rows("select count(*) from public.turn_leases where ended_at is null") == [(0,)]
        turns.assert_counters_are_right(caller)
