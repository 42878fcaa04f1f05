"""The restore runbook with real dumps and real devices: nothing lost, nothing doubled, nothing back from the dead (I12)."""

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from server.postgres import schema
from server.upkeep import dumps
from tests.fakes import turns
from tests.fakes.cluster import Caller, Cluster, Database, User
from tests.fakes.devices import Device, device
from tests.fakes.folders import open_folder
from tests.fakes.served import Person, Served, serving
from tests.fakes.turns import Turn, let_expire

PLAIN_OWNER = """
create role plain_owner nologin;
grant usage on schema auth, public to plain_owner;
alter table public.owner_heads owner to plain_owner;
alter policy "Functions write the head of the caller only" on public.owner_heads to plain_owner;
"""


def begin_epoch(connection: psycopg.Connection) -> int:
    row = connection.execute("select homing.begin_epoch()").fetchone()
    assert row is not None
    return int(row[0])


def test_an_epoch_begins_for_every_owner_and_tells_how_many(database: Database) -> None:
    users = [database.new_user() for _ in range(3)]
    before = {}
    for user in users:
        with user.signed_in() as caller:
            caller.new_chat()
            before[user.user_id] = caller.pull(None, 0)["epoch"]
    with database.connect() as admin:
        heads = admin.execute("select count(*) from public.owner_heads").fetchone()
        assert (begin_epoch(admin),) == heads
    for user in users:
        with user.signed_in() as caller:
            answer = caller.pull(before[user.user_id], 1)
            assert (answer["reset"], len(answer["changes"])) == (True, 1)
            assert answer["epoch"] != before[user.user_id]


def test_an_owner_of_the_tables_whom_row_level_security_binds_moves_everybody_too(cluster: Cluster) -> None:
    with cluster.database() as database:
        users = [database.new_user() for _ in range(3)]
        for user in users:
            with user.signed_in() as caller:
                caller.pull(None, 0)
        with database.connect() as admin:
            admin.execute(PLAIN_OWNER)
            admin.execute("grant plain_owner to current_user; grant usage on schema homing to plain_owner")
            admin.execute("grant execute on function homing.begin_epoch() to plain_owner")
            try:
                admin.execute("set role plain_owner")
                assert admin.execute("select count(*) from public.owner_heads").fetchone() == (0,)
                assert begin_epoch(admin) == len(users)
                assert begin_epoch(admin) == len(users)
                admin.execute("reset role")
                forced = "select relforcerowsecurity from pg_class where oid = 'public.owner_heads'::regclass"
                assert admin.execute(forced).fetchone() == (True,)
                assert admin.execute("select count(distinct epoch) from public.owner_heads").fetchone() == (
                    3,
                )
            finally:
                admin.execute("reset role; drop owned by plain_owner cascade; drop role plain_owner")


def test_nobody_but_the_owner_of_the_tables_may_begin_an_epoch(anna: Caller) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        anna.rows("select homing.begin_epoch()")


def test_a_turn_that_ran_during_the_dump_is_interrupted_where_it_is_restored(
    cluster: Cluster, tmp_path: Path
) -> None:
    with cluster.database() as first, cluster.empty_database() as second:
        user = first.new_user()
        with user.signed_in() as caller:
            turn = Turn(caller.new_chat())
            turn.begin(caller)
            turn.tell(caller, 1, "half")
        let_expire(first, turn.chat)
        copy(first, second, tmp_path / "dump")
        with User(second, user.user_id).signed_in() as caller:
            answer = caller.pull(None, 0)
            shell = next(
                each["row"] for each in answer["changes"] if each["row"].get("message_id") == turn.reply
            )
            assert (shell["status"], turns.words_of(shell["content"])) == ("interrupted", "half")
            assert turn.finish(caller)["status"] == "lost"
            turns.assert_counters_are_right(caller)


def copy(first: Database, second: Database, file: Path) -> None:
    """Dumps a database and restores it into an empty one."""
    major = _major(first)
    dumps.dump(first.conninfo, major, file)
    dumps.restore(second.conninfo, major, file)


def _major(database: Database) -> int:
    with database.connect() as admin:
        return admin.info.server_version // 10_000


def on_the_server(database: Database, user_id: str) -> dict[str, list[tuple[int, str]]]:
    """Chats and live messages of a person, in the shape of `Device.shown`."""
    with database.connect() as admin:
        rows = admin.execute(
            "select chat.chat_id, sequence_num, content from public.chats as chat left join public.messages as message "
            "on message.owner_id = chat.owner_id and message.chat_id = chat.chat_id and message.deleted_at is null "
            "where chat.owner_id = %s and not chat.deleted order by sequence_num",
            [user_id],
        ).fetchall()
    held: dict[str, list[tuple[int, str]]] = {str(row[0]): [] for row in rows}
    for chat, number, content in rows:
        if number is not None:
            held[str(chat)].append((number, turns.words_of(content)))
    return held


def rpc(person: Person, name: str, **arguments: object) -> Any:
    return person.rpc(name, **arguments).raise_for_status().json()


def delete(person: Person, chat: str, message_id: str) -> None:
    assert (
        rpc(person, "delete_messages", p_chat_id=chat, p_message_ids=[message_id])[0]["status"] == "deleted"
    )


def reply(person: Person, chat: str, words: str) -> None:
    turn = {"p_chat_id": chat, "p_turn_id": str(uuid.uuid4()), "p_lease_id": str(uuid.uuid4())}
    begun = rpc(person, "begin_turn", **turn, p_user=None, p_assistant={"message_id": str(uuid.uuid4())})
    assert begun["status"] == "begun"
    ended = rpc(person, "finish_turn", **turn, p_status="complete", p_content=words)
    assert ended["status"] == "finished"


@dataclass(frozen=True)
class Story:
    """What happened before the restore, for a look at what is left of it."""

    kept: str
    lost: str
    thrown_away: str
    erased: str
    erased_later: str
    user_id: str


def live_through(
    served: Served, open_device: Callable[[str, Served, str], Device], dump: Callable[[], None]
) -> tuple[Story, Device, Device]:
    """Two devices write before and after a dump, one of them keeps something unsent."""
    person = served.sign_up()
    laptop, phone = (open_device(name, served, person.email) for name in ("laptop", "phone"))
    kept, thrown_away = laptop.new_chat("Kept"), laptop.new_chat("Thrown away")
    laptop.say(kept, "one")
    erased = laptop.say(kept, "erased")
    laptop.say(thrown_away, "nothing")
    laptop.sync()
    delete(person, kept, erased)
    rpc(person, "save_chats", p_chats=[{"chat_id": thrown_away, "deleted": True}])
    phone.sync()
    laptop.sync()
    dump()
    laptop.say(kept, "two")
    phone.say(kept, "three")
    lost = phone.new_chat("Lost")
    phone.say(lost, "four")
    erased_later = phone.say(lost, "erased later")
    for each in (laptop, phone):
        each.sync()
    reply(person, kept, "a reply")
    delete(person, lost, erased_later)
    for each in (laptop, phone):
        each.sync()
    phone.say(kept, "unsent")
    laptop.say(lost, "unsent too")
    return (
        Story(kept, lost, thrown_away, erased, erased_later, person.user_id),
        laptop,
        phone,
    )


def test_devices_bring_a_restored_server_back_to_where_they_were(cluster: Cluster, tmp_path: Path) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        first, second = (stack.enter_context(cluster.empty_database()) for _ in range(2))
        file = tmp_path / "dump"

        def open_device(name: str, served: Served, email: str) -> Device:
            return stack.enter_context(device(tmp_path / name, served, email))

        with serving(folder, database_url=first.conninfo) as served:
            dump = partial(dumps.dump, first.conninfo, _major(first), file)
            story, laptop, phone = live_through(served, open_device, dump)

        dumps.restore(second.conninfo, _major(second), file)
        with second.connect() as admin:
            assert begin_epoch(admin) == 1
        assert story.lost not in on_the_server(second, story.user_id)

        port = urlsplit(served.url).port
        with serving(folder, port=port, database_url=second.conninfo):
            for each in (phone, laptop, phone, laptop):
                each.sync()
            after = on_the_server(second, story.user_id)
            assert laptop.shown() == phone.shown() == after

        words = {chat: sorted(said for _, said in rows) for chat, rows in after.items()}
        assert words == {
            story.kept: ["a reply", "one", "three", "two", "unsent"],
            story.lost: ["four", "unsent too"],
        }
        with User(second, story.user_id).signed_in() as caller:
            turns.assert_counters_are_right(caller)
        for each in (laptop, phone):
            assert not each.knows(story.kept, story.erased)
            assert not each.knows(story.lost, story.erased_later)


def test_a_dump_brings_back_what_the_migrations_made(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as first, cluster.empty_database() as second:
        copy(first, second, tmp_path / "dump")
        with second.connect() as admin:
            assert admin.execute("select * from homing.lint()").fetchall() == []
        assert schema.apply(second.conninfo) == ()
