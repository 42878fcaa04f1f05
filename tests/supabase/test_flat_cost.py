"""No function reads a table from end to end, even with plans that were made while it was empty."""

from collections.abc import Iterator

import pytest

from tests.fakes.cluster import Caller, Cluster, Database, text

ROWS = 30_000

FILL = """
insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, change)
select owner_id, chat_id, 'm' || n, n, 'user', '[{{"type": "text", "text": "hello"}}]', 40, head + n
from public.chats join public.owner_heads using (owner_id), generate_series(1, {rows}) as n where chat_id = '{chat}';
insert into public.chats (owner_id, chat_id, change)
select owner_id, gen_random_uuid(), head + {rows} + n from public.owner_heads, generate_series(1, {rows}) as n
where owner_id = (select owner_id from public.chats where chat_id = '{chat}');
update public.chats set last_sequence_num = {rows}, message_count = {rows} where chat_id = '{chat}';
update public.owner_heads set head = head + 2 * {rows}
where owner_id = (select owner_id from public.chats where chat_id = '{chat}');
"""


@pytest.fixture
def stale(cluster: Cluster) -> Iterator[Database]:
    """A database whose statistics never learn how large its tables become."""
    with cluster.database() as database:
        with database.connect() as admin:
            for table in ("chats", "messages", "owner_heads"):
                admin.execute(f"alter table public.{table} set (autovacuum_enabled = off)".encode())
        yield database


def _use_everything(caller: Caller, chat: str) -> None:
    answer = caller.append(chat, [text(), text("m1"), text()])
    caller.save({"chat_id": chat, "title": str(answer[0][0])})
    caller.history(chat)
    caller.history(chat, before=7)
    caller.count(chat)
    pulled = caller.pull(None, 0, 10)
    caller.pull(pulled["epoch"], pulled["head"] - 2)


def test_plans_made_on_empty_tables_stay_good_on_large_ones(stale: Database) -> None:
    with stale.new_user().signed_in() as caller:
        chat = caller.new_chat()
        with stale.connect() as admin:
            admin.execute("analyze public.chats, public.messages, public.owner_heads")
        for _ in range(8):
            _use_everything(caller, chat)
        caller.rows("select 1")
        with stale.connect() as admin:
            admin.execute("delete from public.messages")
            admin.execute("update public.chats set last_sequence_num = 0")
            admin.execute(FILL.format(rows=ROWS, chat=chat).encode())
        with caller.connection.transaction():
            _use_everything(caller, chat)
            read = dict(
                caller.rows(
                    "select relname, seq_tup_read from pg_stat_xact_user_tables where schemaname = 'public'"
                )
            )
    assert max(read["messages"], read["chats"]) < ROWS / 100
