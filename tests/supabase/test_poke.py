"""Pokes: one a transaction, to the owner's private topic, and never in the way of the change itself (I13)."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, User, text


@pytest.fixture
def user(database: Database) -> User:
    return database.new_user()


@pytest.fixture
def caller(user: User) -> Iterator[Caller]:
    with user.signed_in() as caller:
        yield caller


@pytest.fixture
def listener(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect() as connection:
        connection.execute("listen homing_realtime")
        yield connection


def _heard(listener: psycopg.Connection) -> list[dict[str, Any]]:
    """All that was notified up to now: our own mark comes last."""
    mark = uuid.uuid4().hex
    listener.execute("select pg_notify('homing_realtime', %s)", [mark])
    heard = []
    for notice in listener.notifies(timeout=10):
        if notice.payload == mark:
            break
        heard.append(json.loads(notice.payload))
    return heard


def _poke(user: User, head: int) -> dict[str, Any]:
    return {"topic": f"user:{user.user_id}", "event": "changed", "payload": {"head": head}, "private": True}


def test_a_change_pokes_its_owner_once_however_many_rows(
    user: User, caller: Caller, listener: psycopg.Connection
) -> None:
    chat = caller.new_chat()
    assert _heard(listener) == [_poke(user, 1)]
    caller.append(chat, [text() for _ in range(20)])
    assert _heard(listener) == [_poke(user, 21)]


def test_several_calls_in_one_transaction_poke_once_and_the_next_pokes_again(
    user: User, caller: Caller, listener: psycopg.Connection
) -> None:
    with caller.connection.transaction():
        chat = caller.new_chat()
        caller.append(chat, [text()])
        caller.append(chat, [text()])
    assert _heard(listener) == [_poke(user, 1)]
    caller.append(chat, [text()])
    assert _heard(listener) == [_poke(user, 4)]


def test_a_push_of_everything_is_one_poke(user: User, caller: Caller, listener: psycopg.Connection) -> None:
    chats = [str(uuid.uuid4()) for _ in range(3)]
    sent = [{"chat_id": each} for each in chats], {each: [text(f"of {each}")] for each in chats}
    caller.push(*sent, [{"project_id": chats[0]}])
    assert _heard(listener) == [_poke(user, 7)]
    caller.push(*sent)
    assert _heard(listener) == []


def test_what_changes_nothing_pokes_nobody(caller: Caller, listener: psycopg.Connection) -> None:
    chat = caller.new_chat()
    caller.append(chat, [text("a")])
    _heard(listener)
    caller.append(chat, [text("a")])
    caller.save({"chat_id": chat})
    caller.pull(None, 0)
    with caller.connection.transaction(force_rollback=True):
        caller.append(chat, [text("b")])
    assert _heard(listener) == []


def test_a_poke_that_cannot_be_sent_fails_nothing(database: Database, listener: psycopg.Connection) -> None:
    with database.connect() as admin:
        admin.execute("select realtime.send(to_jsonb(repeat('x', 9000)), 'changed', 'user:x', true)")
    assert _heard(listener) == []


@pytest.mark.parametrize(
    ("topic", "may"), [("user:{me}", True), ("user:{other}", False), ("user:", False), ("x", False)]
)
def test_only_ones_own_topic_may_be_joined(
    database: Database, user: User, caller: Caller, topic: str, may: bool
) -> None:
    named = topic.format(me=user.user_id, other=uuid.uuid4())
    with database.connect() as admin, admin.transaction(force_rollback=True):
        admin.execute("insert into realtime.messages (topic, extension) values (%s, 'broadcast')", [named])
        admin.execute(
            "select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": user.user_id})]
        )
        admin.execute("select set_config('realtime.topic', %s, true)", [named])
        admin.execute("set local role authenticated")
        assert admin.execute("select count(*) from realtime.messages").fetchone() == (int(may),)


def test_nobody_may_send_on_a_topic(database: Database, user: User, caller: Caller) -> None:
    caller.connection.execute("select set_config('realtime.topic', %s, false)", [f"user:{user.user_id}"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        caller.connection.execute(
            "insert into realtime.messages (topic, extension) values (%s, 'broadcast')",
            [f"user:{user.user_id}"],
        )
