"""What a pull brings of each kind: every kind in one order, each row as it is last, its tombstone too, at a flat cost."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Cluster, Database, text

KINDS = ("chat", "project", "message", "snapshot", "context", "usage")
TABLES = ("chats", "projects", "messages", "project_snapshots", "chat_context", "message_usage")
MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Belongings:
    """One thing of each kind."""

    chat: str
    project: str
    reply: str
    begun: dict[str, Any]


def _furnish(caller: Caller) -> Belongings:
    project, chat, turn, reply = caller.new_project("Shop"), caller.new_chat("Trains"), "turn", "reply"
    caller.save_snapshot(project, {"files": {"a": "x" * 5000}})
    caller.pin(chat, {"source": "a", "kind": "document", "body": "text"})
    lease = str(uuid.uuid4())
    begun = caller.rows(
        "select begin_turn(%s, %s, %s, %s, %s)",
        *(chat, turn, lease, json.dumps(text("question")), json.dumps({"message_id": reply})),
    )
    caller.rows(
        "select finish_turn(%s, %s, %s, 'complete', %s, null, %s)",
        *(chat, turn, lease, json.dumps("Yes."), json.dumps({"prompt_tokens": 3, "completion_tokens": 4})),
    )
    return Belongings(chat, project, reply, begun[0][0])


def _rows(caller: Caller, cursor: int = 0) -> list[tuple[int, str, dict[str, Any]]]:
    epoch = caller.pull(None, 0, 1)["epoch"]
    changes = caller.pull(epoch, cursor, 5000)["changes"]
    return [(each["change"], each["kind"], each["row"]) for each in changes]


def _head(caller: Caller) -> int:
    return int(caller.pull(None, 0)["head"])


def test_one_cursor_goes_through_every_kind_in_the_order_of_the_changes(anna: Caller) -> None:
    things = _furnish(anna)
    rows = _rows(anna)
    numbers = [change for change, _, _ in rows]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == _head(anna)
    assert {kind for _, kind, _ in rows} == set(KINDS)
    epoch, cursor, paged = anna.pull(None, 0)["epoch"], 0, []
    while (answer := anna.pull(epoch, cursor, 1))["changes"]:
        assert answer["more"] is (answer["cursor"] < answer["head"])
        cursor = answer["cursor"]
        paged += [(each["change"], each["kind"], each["row"]) for each in answer["changes"]]
    assert paged == rows
    usage = next(row for _, kind, row in rows if kind == "usage")
    assert usage.pop("created_at").endswith("+00:00")
    assert usage == {
        "chat_id": things.chat, "message_id": things.reply, "prompt_tokens": 3, "completion_tokens": 4,
        "total_tokens": 7, "cost_micros": 0, "models": None, "truncated": False,
    }  # fmt: skip


def _change_each(caller: Caller, things: Belongings) -> dict[str, list[object]]:
    chat, project = things.chat, things.project
    return {
        "chat": caller.save({"chat_id": chat, "read_upto": 2}),
        "project": caller.save_projects({"project_id": project, "status": "published"}),
        "snapshot": [caller.save_snapshot(project, {"files": {"a": 2}})],
        "context": list(caller.pin(chat, {"source": "a", "kind": "skill", "body": "text"})),
        "message": caller.rows("select * from delete_messages(%s, %s)", chat, json.dumps(["question"])),
    }


def test_an_update_moves_a_row_to_the_end_and_leaves_it_nowhere_else(anna: Caller) -> None:
    things = _furnish(anna)
    before, count = _head(anna), len(_rows(anna))
    changed = list(_change_each(anna, things))
    assert [(change, kind) for change, kind, _ in _rows(anna, before)] == [
        (before + place, kind) for place, kind in enumerate(changed, 1)
    ]
    assert len(_rows(anna)) == count


def test_tombstones_of_every_kind_are_pulled(anna: Caller) -> None:
    things = _furnish(anna)
    before = _head(anna)
    anna.rows("select * from delete_messages(%s, %s)", things.chat, json.dumps([things.reply]))
    anna.unpin(things.chat, "a")
    anna.save({"chat_id": things.chat, "deleted": True})
    anna.save_projects({"project_id": things.project, "deleted": True})
    rows = _rows(anna, before)
    assert [kind for _, kind, _ in rows] == ["message", "context", "chat", "project"]
    message, context, chat, project = (row for _, _, row in rows)
    assert (message["content"], message["annotations"], message["sequence_num"]) == ([], None, 2)
    assert message["deleted_at"].endswith("+00:00")
    assert (context["deleted"], context["body"], chat["deleted"], project["deleted"]) == (
        True,
        "",
        True,
        True,
    )


def test_after_a_restore_everything_comes_again_in_the_new_epoch(cluster: Cluster) -> None:
    with cluster.database() as database, database.new_user().signed_in() as anna:
        _furnish(anna)
        before = anna.pull(None, 0)
        with database.connect() as admin:
            admin.execute("select homing.begin_epoch()")
        after = anna.pull(before["epoch"], before["cursor"])
        assert after["reset"] is True
        assert after["epoch"] != before["epoch"]
        assert after["changes"] == before["changes"]


def test_a_fork_says_where_it_and_its_messages_came_from(anna: Caller) -> None:
    things, fork = _furnish(anna), str(uuid.uuid4())
    before = _head(anna)
    anna.rows("select fork_chat(%s, %s)", things.chat, fork)
    chat, question, reply = (row for _, _, row in sorted(_rows(anna, before), key=lambda each: each[0]))
    assert (chat["chat_id"], chat["forked_from_chat_id"], chat["forked_from_sequence_num"]) == (
        fork,
        things.chat,
        2,
    )
    assert (question["copied_from"], reply["copied_from"]) == ("question", "reply")


def test_a_reply_whose_writer_is_gone_is_interrupted_for_whoever_pulls(
    database: Database, anna: Caller
) -> None:
    chat = anna.new_chat()
    anna.rows(
        "select begin_turn(%s, 'turn', %s, null, %s)",
        chat,
        str(uuid.uuid4()),
        json.dumps({"message_id": "reply"}),
    )
    assert _rows(anna)[-1][2]["status"] == "streaming"
    with database.connect() as admin:
        admin.execute(
            "update public.turn_leases set lease_until = now() - interval '1 second' where chat_id = %s",
            [chat],
        )
    assert [(row["message_id"], row["status"]) for _, _, row in _rows(anna, 2)] == [("reply", "interrupted")]


@pytest.mark.parametrize("kind", ["message", "context", "project", "chat"])
def test_no_kind_makes_an_answer_of_more_than_4_mib(anna: Caller, kind: str) -> None:
    """Bodies are such that JSON doubles them."""
    quotes = '"\n' * 32_000
    for _ in range(4):
        chat = anna.new_chat()
        if kind == "message":
            anna.append(chat, [text(words=quotes) for _ in range(20)])
        elif kind == "context":
            sources = [{"source": f"{n}", "kind": "document", "body": quotes} for n in range(30)]
            assert {row[2] for row in anna.pin(chat, *sources)} == {"ok"}
        elif kind == "project":
            for _ in range(5):
                anna.save_projects(
                    *({"project_id": str(uuid.uuid4()), "description": "é" * 10_000} for _ in range(100))
                )
        else:
            for _ in range(5):
                anna.save(*({"chat_id": str(uuid.uuid4()), "title": "é" * 1000} for _ in range(500)))
    cursor, epoch, sizes = 0, anna.pull(None, 0, 1)["epoch"], []
    while True:
        size, cursor, more = anna.rows(
            "select octet_length(answer::text), answer -> 'cursor', (answer -> 'more')::boolean "
            "from pull_changes(%s, %s, 5000) as answer",
            *(epoch, cursor),
        )[0]
        sizes.append(size)
        if not more:
            break
    assert max(sizes) <= 4.1 * MEBIBYTE
    assert min(sizes[:-1]) > 3.5 * MEBIBYTE


FILL = """
with fresh as (select gen_random_uuid() as chat_id, n from generate_series(1, {rows}) as n)
insert into public.chats (owner_id, chat_id, change) select '{owner}', chat_id, n from fresh;
insert into public.projects (owner_id, project_id, change)
select '{owner}', chat_id, {rows} + change from public.chats where owner_id = '{owner}';
insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, change)
select '{owner}', chat_id, 'm', 1, 'user', '[{{"type": "text", "text": "hello"}}]', 40, 2 * {rows} + change
from public.chats where owner_id = '{owner}';
insert into public.project_snapshots (owner_id, project_id, files, content_hash, octets, change)
select owner_id, project_id, '{{}}', '', 2, {rows} * 2 + change from public.projects where owner_id = '{owner}';
insert into public.chat_context (owner_id, chat_id, source, kind, content_hash, octets, change)
select '{owner}', chat_id, 'a', 'document', '', 0, 4 * {rows} + change from public.chats where owner_id = '{owner}';
insert into public.message_usage (owner_id, chat_id, message_id, prompt_tokens, completion_tokens, total_tokens,
  cost_micros, truncated, octets, change)
select '{owner}', chat_id, 'm', 1, 1, 2, 0, false, 0, 5 * {rows} + change from public.chats where owner_id = '{owner}';
update public.owner_heads set head = 6 * {rows} where owner_id = '{owner}';
"""


def _read(caller: Caller) -> tuple[int, int]:
    """Rows that this transaction, and perhaps some before, read from our tables without an index, and with one."""
    scanned, fetched = caller.rows(
        "select coalesce(sum(seq_tup_read), 0)::bigint, coalesce(sum(idx_tup_fetch), 0)::bigint "
        "from pg_stat_xact_user_tables where schemaname = 'public'"
    )[0]
    return scanned, fetched


@pytest.mark.parametrize("rows", [30_000, pytest.param(100_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("statistics", ["fresh", "stale"])
def test_a_pull_reads_no_more_than_it_brings_from_very_many_rows_of_each_kind(
    cluster: Cluster, statistics: str, rows: int
) -> None:
    limit = 10
    with cluster.database() as database, database.new_user().signed_in() as anna, database.connect() as admin:
        epoch = anna.pull(None, 0)["epoch"]
        admin.execute(
            "".join(f"alter table public.{each} set (autovacuum_enabled = off);" for each in TABLES).encode()
        )
        owner = anna.rows("select auth.uid()")[0][0]
        if statistics == "stale":
            admin.execute("analyze")
        admin.execute(FILL.format(rows=rows, owner=owner).encode())
        if statistics == "fresh":
            admin.execute("analyze")
        with anna.connection.transaction():
            for cursor in range(0, len(KINDS) * rows, rows // 2):
                before = _read(anna)
                answer = anna.pull(epoch, cursor, limit)
                assert {each["kind"] for each in answer["changes"]} == {KINDS[cursor // rows]}
                scanned, fetched = (new - old for new, old in zip(_read(anna), before, strict=True))
                assert scanned == 0
                # Of each kind, what may come and whether more does; then what comes.
                assert fetched <= (limit + 1) * (len(KINDS) + 1)
