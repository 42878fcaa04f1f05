"""Many clients at once on a real PostgreSQL: nothing doubled, missed or deadlocked (I5 to I10), and tests with teeth."""

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from server.postgres.supervisor import Postgres
from tests.fakes.cluster import Cluster, Database, User, text
from tests.fakes.findings import Findings
from tests.fakes.folders import open_folder
from tests.fakes.postgres_versions import versions
from tests.fakes.push_storm import PushStorm
from tests.fakes.storm import Storm, Weather

WRITERS = 8


@pytest.fixture
def user(database: Database) -> User:
    return database.new_user()


PLAIN = Weather(clients=8, messages=60, largest_batch=3, chats=1, lost_answers=0, others=False)
"""Nothing goes wrong but what the design itself does wrong."""


@pytest.fixture
def own_cluster(cluster: Cluster) -> Iterator[tuple[Database, Postgres]]:
    """A PostgreSQL of the same version for this test alone, which may be killed."""
    with cluster.database() as sibling, sibling.connect() as admin:
        major = admin.info.server_version // 10_000
    [binaries] = [each for each in versions() if each.major == major]
    with (
        open_folder() as root,
        Postgres(root, binaries=binaries) as postgres,
        Cluster(postgres.start()).database() as database,
    ):
        yield database, postgres


@pytest.mark.parametrize(
    "kind", [Storm, pytest.param(PushStorm, marks=pytest.mark.long)], ids=["that append", "that push"]
)
def test_16_clients_in_a_storm_lose_double_and_miss_nothing(
    own_cluster: tuple[Database, Postgres], kind: type[Storm]
) -> None:
    """A fifth of the answers lost, connections killed, PostgreSQL stopped dead three times, and others deleting."""
    database, postgres = own_cluster
    storm = kind(database.new_user(), Weather(kills=True, crashes=3), postgres)
    assert storm.run() == Findings()
    assert storm.crashes == 3
    assert storm.kills >= 10
    assert storm.pulls >= 50
    assert storm.told.finished
    assert len(storm.told.deleted) >= 50


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


SEQUENCE_CURSOR = """
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

ONE_STATEMENT = """
drop index public.messages_by_sequence;
create or replace function public.append_messages(p_chat_id uuid, p_messages jsonb)
returns table (message_id text, sequence_num bigint, status text, reason text)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_last bigint;
  v_head bigint;
begin
  select coalesce(max(number), 0) into v_last from (
    select null::void as held, 0 as number
    union all select pg_advisory_xact_lock(hashtextextended(p_chat_id::text, 0)), 0
    union all select null, sequence_num from public.messages where owner_id = v_owner and chat_id = p_chat_id
  ) as locked_and_read;
  v_head := homing.lock_head(v_owner);
  update public.owner_heads set head = v_head + jsonb_array_length(p_messages) where owner_id = v_owner;
  return query
    insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, change)
    select v_owner, p_chat_id, item ->> 'message_id', v_last + place, 'user', '[]', 2, v_head + place
    from jsonb_array_elements(p_messages) with ordinality as sent (item, place)
    returning message_id, sequence_num, 'inserted', null::text;
end $$;
"""

NO_WAIT_FOR_THE_DISK = (
    "alter system set synchronous_commit = off",
    "alter system set wal_writer_delay = '10s'",
    "alter system set wal_writer_flush_after = '1GB'",
    "select pg_reload_conf()",
)


def test_the_storm_would_show_a_cursor_from_a_sequence(cluster: Cluster) -> None:
    """A later number commits first, and a device's cursor moves past both."""
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(SEQUENCE_CURSOR)
        weather = replace(PLAIN, messages=150, largest_batch=1, chats=8)
        assert Storm(database.new_user(), weather).run().missed > 0


def test_the_storm_would_show_a_lock_and_a_maximum_in_one_statement(cluster: Cluster) -> None:
    """The statement's snapshot is older than its lock, so two callers read the same maximum."""
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(ONE_STATEMENT)
        assert Storm(database.new_user(), PLAIN).run().doubled > 0


def test_the_storm_would_show_commits_that_do_not_wait_for_the_disk(
    own_cluster: tuple[Database, Postgres],
) -> None:
    database, postgres = own_cluster
    with database.connect() as admin:
        for statement in NO_WAIT_FOR_THE_DISK:
            admin.execute(statement.encode())
    storm = Storm(database.new_user(), replace(PLAIN, crashes=1), postgres)
    assert storm.run().lost > 0


def test_the_storm_finds_nothing_where_only_the_design_is_at_fault_in_the_others(database: Database) -> None:
    assert Storm(database.new_user(), PLAIN).run() == Findings()


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
