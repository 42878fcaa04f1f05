"""What an operator watches: every append counted, no content, and counters that do not fit their rows."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.fakes.cluster import Caller, Cluster, Database, text

COUNTERS = (
    "calls, messages, inserted, duplicates, conflicts, rejected, largest_batch, "
    "batches_upto_1, batches_upto_10, batches_upto_100"
)


def _counted(caller: Caller) -> tuple[object, ...]:
    [row] = caller.rows(f"select {COUNTERS} from public.append_metrics")
    return row


def test_every_append_is_counted_by_what_became_of_its_messages(anna: Caller) -> None:
    chat = anna.new_chat()
    anna.append(chat, [text("a")])
    anna.append(chat, [text("a"), text("a", "other"), text(""), text("b"), text("c")])
    anna.append(chat, [text() for _ in range(50)])
    anna.append(chat, [text() for _ in range(200)])
    anna.append(chat, [])
    assert _counted(anna) == (5, 256, 253, 1, 1, 1, 200, 2, 3, 4)


def test_a_refused_call_is_not_counted(anna: Caller) -> None:
    anna.append(anna.new_chat(), [text()])
    before = _counted(anna)
    with pytest.raises(Exception, match="too large"):
        anna.append(anna.new_chat(), [text() for _ in range(501)])
    assert _counted(anna) == before


def test_waiting_for_another_device_shows_as_waiting(database: Database) -> None:
    person = database.new_user()
    with person.signed_in() as first, person.signed_in() as second, database.connect() as admin:
        chat = first.new_chat()
        with first.connection.transaction():
            first.append(chat, [text()])
            waiting = threading.Thread(target=second.append, args=(chat, [text()]))
            waiting.start()
            _wait_until(admin, "select pg_blocking_pids(%s) <> '{}'", second.connection.info.backend_pid)
            since = admin.execute("select clock_timestamp() + interval '50 ms'").fetchone()
            _wait_until(admin, "select clock_timestamp() > %s", *(since or ()))
        waiting.join()
        [(waited, longest, lasted, longest_of_all)] = first.rows(
            "select lock_wait_seconds, longest_lock_wait_seconds, duration_seconds, longest_duration_seconds "
            "from public.append_metrics"
        )
    assert 0.05 < longest <= waited < 3
    assert longest <= longest_of_all <= lasted < 6


def _wait_until(admin: psycopg.Connection, condition: str, *parameters: object) -> None:
    while admin.execute(condition.encode(), parameters).fetchone() != (True,):
        pass


def test_people_see_their_own_figures_only(anna: Caller, bert: Caller, database: Database) -> None:
    anna.append(anna.new_chat(), [text()])
    bert.append(bert.new_chat(), [text(), text()])
    assert anna.rows("select messages from public.append_metrics") == [(1,)]
    assert bert.rows("select messages from public.append_metrics") == [(2,)]
    with database.connect() as admin:
        everybody = admin.execute("select count(*) from public.append_metrics").fetchone()
    assert everybody is not None
    assert everybody[0] >= 2


def test_the_views_have_no_words_in_them(database: Database) -> None:
    with database.connect() as admin:
        kinds = admin.execute(
            "select distinct data_type from information_schema.columns "
            "where table_schema = 'public' and table_name in ('append_metrics', 'count_mismatches')"
        ).fetchall()
    assert {row[0] for row in kinds} == {"uuid", "bigint", "numeric"}


@pytest.fixture
def spoilt(cluster: Cluster) -> Iterator[tuple[Database, Caller, str]]:
    """A database of one test, with a chat of three messages, one of them deleted."""
    with cluster.database() as database, database.new_user().signed_in() as caller:
        chat = caller.new_chat()
        caller.append(chat, [text("a"), text("b"), text("c")])
        caller.delete(chat, ["b"])
        yield database, caller, chat


@pytest.mark.parametrize(
    "spoil",
    [
        "update public.chats set message_count = 3",
        "update public.chats set last_sequence_num = 4",
        "update public.chats set digest = digest # 1",
        "delete from public.messages where message_id = 'a'",
        "update public.messages set revision = 9 where message_id = 'a'",
        "update public.messages set deleted_at = null",
    ],
)
def test_counters_that_do_not_fit_are_found(spoilt: tuple[Database, Caller, str], spoil: str) -> None:
    database, caller, chat = spoilt
    assert caller.rows("select from public.count_mismatches") == []
    with database.connect() as admin:
        admin.execute(spoil.encode())
    assert caller.rows("select chat_id::text from public.count_mismatches") == [(chat,)]
