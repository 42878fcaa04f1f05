"""No function reads a table, an owner or a chat from end to end, whatever the statistics say and however old its plans are."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.fakes.cluster import Caller, Cluster, Database, text
from tests.fakes.turns import begin, checkpoint, finish, lease, question

ROWS = 30_000

EMPTY = ""
ONE_ROW_EACH = """
insert into auth.users (id, email) select gen_random_uuid(), n || '@example.test' from generate_series(1, 3000) as n;
insert into public.owner_heads (owner_id, head) select id, 2 from auth.users on conflict do nothing;
insert into public.chats (owner_id, chat_id, change) select id, gen_random_uuid(), 1 from auth.users;
insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, turn_id, change)
select owner_id, chat_id, gen_random_uuid(), 1, 'user', '[]', 2, gen_random_uuid(), 2 from public.chats where change = 1;
"""

FILL = """
insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, turn_id, change)
select owner_id, chat_id, 'filled' || n, last_sequence_num + n, 'user', '[{{"type": "text", "text": "hello"}}]', 40,
  case when n % 2 = 0 then 'turn' || n end, head + n
from public.chats join public.owner_heads using (owner_id), generate_series(1, {rows}) as n where chat_id = '{chat}';
insert into public.chats (owner_id, chat_id, change)
select owner_id, gen_random_uuid(), head + {rows} + n from public.owner_heads, generate_series(1, {rows}) as n
where owner_id = (select owner_id from public.chats where chat_id = '{chat}');
insert into public.projects (owner_id, project_id, url_id, change)
select owner_id, gen_random_uuid(), 'filled' || n, head + 2 * {rows} + n
from public.chats join public.owner_heads using (owner_id), generate_series(1, {rows}) as n where chat_id = '{chat}';
insert into public.project_snapshots (owner_id, project_id, files, content_hash, octets, change)
select owner_id, project_id, '{{}}', '', 2, change + {rows} from public.projects where url_id like 'filled%';
insert into public.chat_context (owner_id, chat_id, source, kind, content_hash, octets, change)
select chat.owner_id, chat.chat_id, 'a', 'document', '', 0, chat.change + 3 * {rows}
from public.chats as chat join public.owner_heads using (owner_id)
where chat.change > head + {rows} and owner_id = (select owner_id from public.chats where chat_id = '{chat}');
insert into public.message_usage (owner_id, chat_id, message_id, prompt_tokens, completion_tokens, total_tokens,
  cost_micros, truncated, octets, change)
select owner_id, chat_id, message_id, 1, 1, 2, 0, false, 0, change + 5 * {rows}
from public.messages where chat_id = '{chat}' and message_id like 'filled%';
insert into public.turn_leases (owner_id, chat_id, turn_id, lease_id, message_id, lease_seconds, lease_until, ended_at)
select owner_id, chat_id, 'ended' || message_id, gen_random_uuid(), message_id, 60, now() - interval '1 hour', now()
from public.messages where chat_id = '{chat}' and message_id like 'filled%';
update public.chats set last_sequence_num = last_sequence_num + {rows}, message_count = message_count + {rows}
where chat_id = '{chat}';
update public.owner_heads set head = head + 6 * {rows}
where owner_id = (select owner_id from public.chats where chat_id = '{chat}');
"""


@pytest.fixture(params=[EMPTY, ONE_ROW_EACH], ids=["of empty tables", "of one row a chat"])
def stale(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database whose statistics never learn how large a chat and an owner become."""
    with cluster.database() as database, database.connect() as admin:
        for (table,) in admin.execute(
            "select oid::regclass::text from pg_class where relkind = 'r' and "
            "relnamespace = 'public'::regnamespace"
        ).fetchall():
            admin.execute(f"alter table {table} set (autovacuum_enabled = off)".encode())
        admin.execute(request.param.encode())
        admin.execute("analyze public.chats, public.messages, public.owner_heads")
        yield database


def _use_everything(caller: Caller, chat: str) -> None:
    new = text(turn_id=str(uuid.uuid4()))
    first = caller.append(chat, [text(), new, text()])
    again = caller.append(chat, [new, text("m1"), text(), text(turn_id=str(new["turn_id"]))])
    assert [row[2] for row in again] == ["duplicate", again[1][2], "inserted", "rejected"]
    caller.save({"chat_id": chat, "title": str(first[0][0])})
    caller.history(chat)
    caller.history(chat, before=7)
    caller.count(chat)
    caller.rows("select * from chat_heads(null, 5)")
    caller.delete(chat, [first[0][0], "filled2", "unknown"])
    caller.clear(chat, 3)
    assert caller.fork(chat, str(uuid.uuid4()), 5)["status"] == "forked"
    _take_a_turn(caller, chat)
    _keep_context_and_files(caller, chat)
    _push_and_fill(caller, chat)
    pulled = caller.pull(None, 0, 10)
    caller.pull(pulled["epoch"], pulled["head"] - 2)


def _take_a_turn(caller: Caller, chat: str) -> None:
    turn, holder, asked, reply = lease(), lease(), lease(), lease()
    assert begin(caller, chat, turn, holder, question(asked), reply)["status"] == "begun"
    checkpoint(caller, chat, turn, holder, 1, "so far")
    assert finish(caller, chat, turn, holder, usage={"total_tokens": 1})["status"] == "finished"


def _push_and_fill(caller: Caller, chat: str) -> None:
    new, project = str(uuid.uuid4()), str(uuid.uuid4())
    sent = [text(), text(turn_id=str(uuid.uuid4()))]
    for _ in range(2):
        pushed = caller.push(
            [{"chat_id": new}, {"chat_id": chat, "title": new}],
            {chat: sent, new: [text(f"of {new}")]},
            [{"project_id": project, "url_id": f"pushed-{project}"}],
        )
        assert [each["fault"] for each in pushed["batches"]] == [None, None]
    caller.fill((chat, 2, 9), (new, 1, 1), limit=5)
    summary = caller.summary(None, 0, 10)
    caller.summary(summary["epoch"], summary["head"] - 2)


def _keep_context_and_files(caller: Caller, chat: str) -> None:
    document = {"source": str(uuid.uuid4()), "kind": "document", "body": "words"}
    assert caller.pin(chat, document)[0][1] == "pinned"
    assert caller.unpin(chat, document["source"])[0][1] == "unpinned"
    project, address = str(uuid.uuid4()), f"address-{uuid.uuid4()}"
    assert caller.save_projects({"project_id": project, "url_id": address})[0][1] == "saved"
    assert caller.save_snapshot(project, {"files": {"a": document["source"]}})["status"] == "saved"
    assert caller.get_snapshot(project)["octets"]


def _rows_read(caller: Caller, chat: str) -> dict[str, int]:
    with caller.connection.transaction():
        _use_everything(caller, chat)
        return dict(
            caller.rows(
                "select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables "
                "where schemaname = 'public'"
            )
        )


def test_a_large_chat_of_an_owner_of_many_costs_what_a_small_one_costs(stale: Database) -> None:
    person = stale.new_user()
    with person.signed_in() as caller, person.signed_in() as newcomer:
        chat = caller.new_chat()
        for _ in range(8):
            _use_everything(caller, chat)
        with stale.connect() as admin:
            admin.execute(FILL.format(rows=ROWS, chat=chat).encode())
        for each in (caller, newcomer):
            read = _rows_read(each, chat)
            assert max(read.values()) < ROWS / 20, read
        with stale.connect() as admin:
            admin.execute("analyze")
        with person.signed_in() as informed:
            for each in (caller, informed):
                read = _rows_read(each, chat)
                assert max(read.values()) < ROWS / 20, read


def test_every_index_beside_a_key_that_begins_as_it_does_is_partial(database: Database) -> None:
    """Else PostgreSQL may take it for a look-up by that key (20261121100900)."""
    with database.connect() as admin:
        assert _rivals(admin) == []
        admin.execute("create index rival on public.messages (owner_id, created_at)")
        assert _rivals(admin) == [("rival",)]


def _rivals(admin: psycopg.Connection) -> list[tuple[str]]:
    return admin.execute(
        "select other.indexrelid::regclass::text from pg_index as key join pg_index as other using (indrelid) "
        "join pg_class as relation on relation.oid = indrelid "
        "where relnamespace = 'public'::regnamespace and key.indisprimary and not other.indisprimary "
        "and key.indkey[0] = other.indkey[0] and other.indpred is null order by 1"
    ).fetchall()
