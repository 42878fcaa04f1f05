"""Nobody reads, writes, counts or learns of what somebody else owns (I18)."""

import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, text

TABLES = ("chats", "messages", "owner_heads")
PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
FUNCTIONS = {
    "append_messages": "append_messages(%(chat)s, %(messages)s)",
    "list_messages": "list_messages(%(chat)s)",
    "count_messages": "count_messages(%(chat)s)",
    "save_chats": "save_chats(%(chats)s)",
    "pull_changes": "pull_changes(null, 0)",
    "chat_heads": "chat_heads()",
}


@pytest.fixture
def secret(anna: Caller) -> str:
    chat = anna.new_chat("Secret")
    anna.append(chat, [text("a", words="nobody else's business")])
    return chat


@pytest.fixture
def anonymous(database: Database) -> Iterator[Caller]:
    with database.as_user(None, "anon") as caller:
        yield caller


def _answer(caller: Caller, call: str, **arguments: object) -> object:
    """What the caller learns: the rows, or the whole error."""
    try:
        return caller.connection.execute(f"select * from {call}".encode(), arguments).fetchall()
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary, error.diag.message_detail, error.diag.message_hint


@pytest.mark.parametrize("function", ["append_messages", "list_messages", "count_messages"])
def test_a_strangers_chat_and_one_that_is_not_there_answer_the_same(
    bert: Caller, secret: str, function: str
) -> None:
    messages = '[{"message_id": "a", "role": "user", "content": "x"}]'
    call = FUNCTIONS[function]
    assert _answer(bert, call, chat=secret, messages=messages) == _answer(
        bert, call, chat=str(uuid.uuid4()), messages=messages
    )


@pytest.mark.parametrize("table", TABLES)
def test_tables_show_a_stranger_nothing(bert: Caller, secret: str, table: str) -> None:
    assert bert.rows(f"select * from public.{table}") == []
    assert bert.rows(f"select count(*) from public.{table}") == [(0,)]


def test_pull_and_heads_show_a_stranger_nothing(bert: Caller, secret: str) -> None:
    assert bert.pull(None, 0)["changes"] == []
    assert bert.rows("select * from chat_heads()") == []


def test_a_stranger_who_knows_an_id_makes_his_own_chat_and_touches_nothing(
    anna: Caller, bert: Caller, secret: str
) -> None:
    before = anna.pull(None, 0), anna.rows("select * from chat_heads()")
    assert bert.save({"chat_id": secret, "title": "Mine", "deleted": True})[0][1] == "saved"
    bert.save({"chat_id": secret, "deleted": False})
    assert bert.append(secret, [text("a", words="mine")]) == [("a", 1, "inserted", None)]
    assert (anna.pull(None, 0), anna.rows("select * from chat_heads()")) == before
    assert bert.rows("select title from public.chats") == [("Mine",)]


def test_a_stranger_with_the_same_id_cannot_hold_up_the_owner(
    anna: Caller, bert: Caller, secret: str
) -> None:
    bert.save({"chat_id": secret})
    with bert.connection.transaction():
        bert.append(secret, [text()])
        done = threading.Thread(target=anna.append, args=(secret, [text("in time")]))
        done.start()
        done.join(2)
        assert not done.is_alive()
    assert anna.history(secret)[0] == (2, "in time")


@pytest.mark.parametrize("role", ["authenticated", "anon", "service_role"])
@pytest.mark.parametrize("table", TABLES)
def test_no_role_may_write_a_table_and_only_the_signed_in_may_read(
    database: Database, role: str, table: str
) -> None:
    with database.connect() as admin:
        held = {
            privilege
            for privilege in PRIVILEGES
            if admin.execute(
                "select has_table_privilege(%s, %s, %s)", [role, f"public.{table}", privilege]
            ).fetchone()
            == (True,)
        }
    assert held == ({"select"} if role == "authenticated" else set())


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.chats (owner_id, chat_id) values (auth.uid(), gen_random_uuid())",
        "update public.chats set title = 'x'",
        "delete from public.messages",
        "truncate public.messages",
        "update public.owner_heads set head = 0",
        "select homing.begin_epoch()",
        "select homing.lock_head(auth.uid())",
        "select * from auth.users",
        "select * from auth.sessions",
        "select realtime.send('{}', 'changed', 'user:x', true)",
    ],
)
def test_the_signed_in_are_denied_what_is_behind_the_functions(anna: Caller, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        anna.connection.execute(statement.encode())


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_anonymous_may_call_nothing(anonymous: Caller, function: str) -> None:
    answer = _answer(anonymous, function, chat=str(uuid.uuid4()), messages="[]", chats="[]")
    assert isinstance(answer, tuple)
    assert answer[0] == "42501"


@pytest.mark.parametrize("table", TABLES)
def test_the_anonymous_may_read_nothing(anonymous: Caller, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        anonymous.rows(f"select * from public.{table}")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_token_without_a_user_is_told_to_sign_in(database: Database, function: str) -> None:
    with database.as_user(None) as nobody:
        answer = _answer(nobody, function, chat=str(uuid.uuid4()), messages="[]", chats="[]")
    assert answer == ("PT401", "You are not signed in.", None, "Sign in and try again.")


@pytest.mark.parametrize(
    "call", ["pull_changes(null, 0)", "save_chats(%(chats)s)", "save_projects(%(projects)s)"]
)
def test_somebody_whose_account_is_gone_is_told_to_sign_in(database: Database, call: str) -> None:
    given = {
        "chats": f'[{{"chat_id": "{uuid.uuid4()}"}}]',
        "projects": f'[{{"project_id": "{uuid.uuid4()}"}}]',
    }
    with database.as_user(str(uuid.uuid4())) as gone:
        answer = _answer(gone, call, **given)
    hint = "Sign in again, or sign up anew."
    assert answer == ("PT401", "This account is not on the server any more.", None, hint)


def test_deleting_an_account_deletes_its_rows_and_no_others(database: Database, bert: Caller) -> None:
    leaver = database.new_user()
    with leaver.signed_in() as caller:
        caller.append(caller.new_chat(), [text()])
    bert.append(bert.new_chat(), [text()])
    with database.connect() as admin:
        admin.execute("delete from auth.users where id = %s", [leaver.user_id])
        for table in TABLES:
            left = admin.execute(
                f"select count(*) from public.{table} where owner_id = %s".encode(), [leaver.user_id]
            ).fetchone()
            assert left == (0,)
    assert bert.rows("select count(*) from public.messages") == [(1,)]


def test_a_policy_stops_even_a_function_that_forgets_the_owner(
    database: Database, anna: Caller, bert: Caller
) -> None:
    chat = anna.new_chat("Mine")
    with database.connect() as admin:
        # Superusers pass by every policy, so the function gets an owner that is none, as on a hosted project.
        admin.execute("""
            create role forgetful nologin; grant forgetful to current_user;
            alter table public.chats owner to forgetful;
            create policy "The owner too" on public.chats for all to forgetful using (owner_id = auth.uid());
            grant usage on schema auth to forgetful;
            create function public.forget() returns bigint language sql security definer set search_path = ''
              as 'with all_of_them as (update public.chats set title = $$x$$ returning 1) select count(*) from all_of_them';
            alter function public.forget() owner to forgetful;
        """)
        try:
            assert bert.rows("select public.forget()") == [(0,)]
        finally:
            admin.execute("""
                drop function public.forget(); alter table public.chats owner to current_user;
                drop policy "The owner too" on public.chats; drop owned by forgetful; drop role forgetful;
            """)
    assert anna.rows("select title from public.chats where chat_id = %s", chat) == [("Mine",)]
