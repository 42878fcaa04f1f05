"""Many clients that push at once: nothing lost, doubled or missed, spans that hold, and no deadlock (I5 to I10)."""

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.fakes.cluster import Caller, Cluster, Database, text
from tests.fakes.findings import Findings
from tests.fakes.push_storm import PushStorm
from tests.fakes.storm import Weather

STORM = Weather(clients=16, messages=40, largest_batch=6)
FEW = Weather(clients=8, messages=40, largest_batch=3, others=False)
WORKERS, CALLS = 8, 25


def test_16_clients_that_push_lose_double_and_miss_nothing(database: Database) -> None:
    """A fifth of the answers is lost, and others delete, clear and reply."""
    assert PushStorm(database.new_user(), STORM).run() == Findings()


def test_devices_that_skip_their_own_changes_by_spans_miss_nothing(database: Database) -> None:
    storm = PushStorm(database.new_user(), FEW)
    assert storm.run() == Findings()
    assert sum(each.spans for each in storm.devices) >= 5


HEAD_READ_TOO_EARLY = """
alter function public.push_changes(jsonb, jsonb, jsonb) rename to push_in_truth;
create function public.push_changes(p_projects jsonb, p_chats jsonb, p_batches jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_before bigint := (select head from public.owner_heads where owner_id = auth.uid());
begin
  perform pg_catalog.pg_sleep(0.002);
  return public.push_in_truth(p_projects, p_chats, p_batches) || jsonb_build_object('before', v_before);
end $$;
"""


def test_the_storm_would_show_a_span_that_begins_before_the_head_is_held(cluster: Cluster) -> None:
    """What others changed while the call waited would be skipped."""
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(HEAD_READ_TOO_EARLY)
        assert PushStorm(database.new_user(), FEW).run().missed > 0


def _some_call(chance: random.Random, chats: list[str], projects: list[str]) -> Callable[[Caller], Any]:
    """A call that locks some of the same chats and projects, in any order of their ids."""
    some = chance.sample(chats, k=6)
    title = str(chance.random())
    calls: list[Callable[[Caller], Any]] = [
        lambda caller: caller.push(
            [{"chat_id": each, "title": title} for each in some[:4]],
            {each: [text()] for each in some[2:]},
            [{"project_id": each, "name": title} for each in chance.sample(projects, k=3)],
        ),
        lambda caller: caller.push(
            [{"chat_id": str(uuid.uuid4())}, {"chat_id": some[0], "title": title}], {some[1]: [text()]}
        ),
        lambda caller: caller.save(*({"chat_id": each, "title": title} for each in some)),
        lambda caller: caller.append(some[0], [text()]),
        lambda caller: caller.clear(some[0], 1),
        lambda caller: caller.fork(some[0], some[1]),
        lambda caller: caller.save_projects(
            *({"project_id": each, "name": title} for each in chance.sample(projects, k=3))
        ),
        lambda caller: caller.summary(None, 0, 10),
    ]
    return chance.choices(calls, weights=[4, 2, 2, 2, 1, 2, 1, 1])[0]


def test_pushes_beside_every_other_writer_never_deadlock(database: Database) -> None:
    person = database.new_user()
    chats, projects = ([str(uuid.uuid4()) for _ in range(8)] for _ in range(2))
    with person.signed_in() as caller:
        caller.push(
            [{"chat_id": each} for each in chats], projects=[{"project_id": each} for each in projects]
        )

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with person.signed_in() as caller:
            for _ in range(CALLS):
                _some_call(chance, chats, projects)(caller)

    with ThreadPoolExecutor(WORKERS) as clients:
        list(clients.map(work, range(WORKERS)))
    with person.signed_in() as caller:
        assert caller.rows("select from public.count_mismatches") == []


def test_two_people_who_make_chats_of_one_id_do_not_wait_for_each_other(database: Database) -> None:
    chat = str(uuid.uuid4())
    with (
        database.new_user().signed_in() as anna,
        database.new_user().signed_in() as bert,
        anna.connection.transaction(),
    ):
        anna.push([{"chat_id": chat}], {chat: [text("a")]})
        assert bert.push([{"chat_id": chat}], {chat: [text("b")]})["head"] == 2


def test_a_new_account_whose_first_push_arrives_four_times_at_once_has_it_once(database: Database) -> None:
    """Without a head yet, everybody waits for the first, and nobody for each other."""
    person = database.new_user()
    chats = [str(uuid.uuid4()) for _ in range(5)]
    batches = {each: [text(f"of {each}")] for each in chats}

    def push(place: int) -> Any:
        with person.signed_in() as caller:
            order = sorted(chats, reverse=bool(place % 2))
            return caller.push([{"chat_id": each} for each in order], batches)["head"]

    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(push, range(4))) == {10}
