"""Many clients at once on a real PostgreSQL: nothing doubled, missed or deadlocked (I5 to I10), and tests with teeth."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from tests.fakes.cluster import Cluster, Database, User, text

WRITERS = 8


@pytest.fixture
def user(database: Database) -> User:
    return database.new_user()


def _append_with_lost_answers(user: User, chat: str, seed: int, count: int) -> list[int]:
    """What a client learns that retries every message until it hears of it; a fifth of the answers is lost."""
    chance = random.Random(seed)
    numbers = []
    with user.signed_in() as caller:
        for _ in range(count):
            message = text()
            answer = caller.append(chat, [message])
            while chance.random() < 0.2:
                answer = caller.append(chat, [message])
            numbers.append(int(answer[0][1]))
    return numbers


def test_16_clients_with_lost_answers_get_exactly_the_numbers_one_to_n(user: User) -> None:
    with user.signed_in() as caller:
        chat = caller.new_chat()
    with ThreadPoolExecutor(16) as clients:
        learned = list(clients.map(lambda seed: _append_with_lost_answers(user, chat, seed, 200), range(16)))
    assert sorted(number for numbers in learned for number in numbers) == list(range(1, 3201))
    assert all(numbers == sorted(numbers) for numbers in learned)
    with user.signed_in() as caller:
        assert caller.rows("select count(*), max(sequence_num) from public.messages") == [(3200, 3200)]
        assert caller.count(chat) == 3200


def test_killed_clients_leave_whole_batches_or_nothing(database: Database, user: User) -> None:
    with user.signed_in() as caller:
        chat = caller.new_chat()
    batches = [[text(f"{batch}-{n}") for n in range(50)] for batch in range(30)]

    def append(batch: list[dict[str, object]]) -> None:
        with user.signed_in() as caller:
            pid = caller.connection.info.backend_pid
            killer = threading.Timer(random.uniform(0, 0.004), _kill, [database, pid])
            killer.start()
            try:
                caller.append(chat, batch)
            except psycopg.OperationalError:
                pass
            finally:
                killer.join()

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(append, batches))
    with user.signed_in() as caller:
        stored = caller.rows(
            "select split_part(message_id, '-', 1), count(*) from public.messages group by 1"
        )
        assert {count for _, count in stored} <= {50}
        for batch in batches:
            caller.append(chat, batch)
        numbers = caller.rows("select sequence_num from public.messages order by 1")
        assert [row[0] for row in numbers] == list(range(1, 1501))


def _kill(database: Database, pid: int) -> None:
    with database.connect() as admin:
        admin.execute("select pg_terminate_backend(%s)", [pid])


def test_calls_that_name_chats_in_opposite_orders_never_deadlock(user: User) -> None:
    chats = [str(uuid.uuid4()) for _ in range(20)]

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with user.signed_in() as caller:
            for turn in range(40):
                order = sorted(chats, reverse=bool((seed + turn) % 2))
                saved = caller.save(*({"chat_id": chat, "title": f"{seed} {turn}"} for chat in order))
                assert {row[1] for row in saved} == {"saved"}
                caller.append(chance.choice(chats), [text() for _ in range(3)])
                caller.pull(None, 0, 10)

    with ThreadPoolExecutor(WRITERS) as clients:
        list(clients.map(work, range(WRITERS)))
    with user.signed_in() as caller:
        assert caller.rows("select sum(last_sequence_num) from public.chats") == [(WRITERS * 40 * 3,)]


def test_a_poller_beside_8_writers_misses_no_change(user: User) -> None:
    missed, seen = _missed_by_a_poller(user, per_writer=150)
    assert seen == WRITERS * 150
    assert missed == 0


def test_the_poller_would_see_the_fault_of_a_counter_that_does_not_wait(cluster: Cluster) -> None:
    """The negative control: with a plain sequence a later number commits first and a cursor moves past both."""
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(UNSAFE)
        missed, _ = _missed_by_a_poller(database.new_user(), per_writer=150)
    assert missed > 0


UNSAFE = """
create sequence public.unsafe_change;
create or replace function homing.lock_head(p_owner uuid) returns bigint
language plpgsql volatile set search_path = '' as $$
begin
  -- A number before commit and no lock; the wait stands for the commits of a busy disk.
  return nextval('public.unsafe_change') * 1000;
end $$;
create function public.linger() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_sleep(random() * 0.004);
  return null;
end $$;
create trigger linger after insert on public.messages for each statement execute function public.linger();
create function public.head_of_all() returns trigger language plpgsql set search_path = '' as $$
begin
  new.head := greatest(new.head, old.head, nextval('public.unsafe_change') * 1000);
  return new;
end $$;
create trigger head_of_all before update on public.owner_heads for each row execute function public.head_of_all();
"""


def _missed_by_a_poller(user: User, per_writer: int) -> tuple[int, int]:
    """How many messages a device that only ever pulls after its cursor lacks at the end, and how many it has."""
    with user.signed_in() as caller:
        chats = [caller.new_chat() for _ in range(WRITERS)]
    writing = threading.Event()
    writing.set()
    seen = set[tuple[str, str]]()

    def poll() -> None:
        with user.signed_in() as caller:
            epoch, cursor = None, 0
            while True:
                last_round = not writing.is_set()
                answer = caller.pull(epoch, cursor)
                epoch, cursor = answer["epoch"], answer["cursor"]
                rows = [each["row"] for each in answer["changes"] if each["kind"] == "message"]
                seen.update((row["chat_id"], row["message_id"]) for row in rows)
                if last_round and not answer["more"]:
                    return

    def write(chat: str) -> None:
        with user.signed_in() as caller:
            for _ in range(per_writer):
                caller.append(chat, [text()])

    with _thread(poll), ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, chats))
        writing.clear()
    with user.signed_in() as caller:
        stored = {
            (str(chat), message)
            for chat, message in caller.rows("select chat_id, message_id from public.messages")
        }
    return len(stored - seen), len(seen)


@contextmanager
def _thread(target: Callable[[], None]) -> Iterator[None]:
    with ThreadPoolExecutor(1) as one:
        running = one.submit(target)
        yield
        running.result(60)


def test_a_write_that_waits_too_long_for_a_lock_gives_up_and_may_be_retried(
    database: Database, user: User
) -> None:
    with user.signed_in() as caller:
        chat = caller.new_chat()
        with database.connect() as other, other.transaction(force_rollback=True):
            other.execute("select from public.owner_heads where owner_id = %s for update", [user.user_id])
            with pytest.raises(psycopg.errors.LockNotAvailable):
                caller.append(chat, [text("a")])
        assert caller.append(chat, [text("a")]) == [("a", 1, "inserted", None)]
