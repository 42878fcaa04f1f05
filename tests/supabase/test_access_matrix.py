"""Every principal tries every verb on every object of the catalogue, and is let through by the policy alone (I18).

The policy: signed-in people read their own rows of the tables and views in public and call the functions in public.
Nobody does anything else, in public, homing, auth or the record of migrations.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.fakes.bad_input import Known
from tests.fakes.belongings import example, furnish
from tests.fakes.cluster import Cluster, Database
from tests.fakes.functions import Function, functions
from tests.fakes.ledger import Ledger

DENIED = "42501"
SIGN_IN = "PT401"
SECRET = "nobody else's business"
SCHEMAS = ("public", "homing")
CLOSED_SCHEMAS = ("auth", "supabase_migrations")

# Statements that need the verb on a relation; each is rolled back.
WRITING = {
    "insert": "insert into {} default values",
    "update": "update {} set {} = {}",
    "delete": "delete from {}",
    "truncate": "truncate {} cascade",
    "trigger": "create trigger t before update on {} execute function pg_catalog.suppress_redundant_updates_trigger()",
    "lock": "lock table {} in access exclusive mode",
    "own": "alter table {} rename to renamed",
}
# Verbs that only the catalogue can answer for.
HELD = ("insert", "update", "delete", "truncate", "references", "trigger")


@dataclass(frozen=True)
class Principal:
    """A role and the claims of a token, as the gateway sets them. `person` says that it is somebody signed in."""

    role: str
    claims: str
    person: bool = False

    @property
    def refusal(self) -> set[str]:
        """What a call of a public function answers to somebody who is nobody."""
        if self.role != "authenticated":
            return {DENIED}
        # Claims that are no JSON, or whose sub is no UUID, do not even become a caller.
        return {SIGN_IN, "22P02"}


@dataclass(frozen=True)
class Place:
    """A database in which Anna and Bert have rows of every kind."""

    database: Database
    admin: psycopg.Connection
    anna: str
    bert: str
    annas: Known
    relations: tuple[tuple[str, str, str, str], ...]
    functions: dict[str, Function]

    def principals(self) -> dict[str, Principal]:
        def claims(sub: str) -> str:
            return f'{{"role": "authenticated", "sub": {sub}}}'

        anna = claims(f'"{self.anna}"')
        return {
            "the owner": Principal("authenticated", anna, person=True),
            "another person": Principal("authenticated", claims(f'"{self.bert}"'), person=True),
            "a stranger": Principal("authenticated", claims(f'"{uuid.uuid4()}"')),
            "no sub": Principal("authenticated", '{"role": "authenticated"}'),
            "null sub": Principal("authenticated", claims("null")),
            "empty sub": Principal("authenticated", claims('""')),
            "sub is a list": Principal("authenticated", claims(f'["{self.anna}"]')),
            "sub is an object": Principal("authenticated", claims(f'{{"id": "{self.anna}"}}')),
            "sub with SQL": Principal("authenticated", claims(f'"{self.anna}\' or true --"')),
            "claims are a list": Principal("authenticated", f'[{{"sub": "{self.anna}"}}]'),
            "claims are no JSON": Principal("authenticated", "sub"),
            "no claims": Principal("authenticated", ""),
            "anon": Principal("anon", '{"role": "anon"}'),
            "anon with the owner's sub": Principal("anon", anna),
            "service role": Principal("service_role", '{"role": "service_role"}'),
            "service role with the owner's sub": Principal("service_role", anna),
        }


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    with cluster.database() as database, database.connect() as admin:
        people = [database.new_user() for _ in range(2)]
        with people[0].signed_in() as anna, people[1].signed_in() as bert:
            known = furnish(anna.connection, SECRET), furnish(bert.connection)
        # So that the view of what does not add up has something to show to either.
        admin.execute("update public.chats set message_count = message_count + 1")
        relations = admin.execute(
            "select n.nspname, c.relname, c.relkind::text, "
            "  (select attname from pg_attribute where attrelid = c.oid and attnum > 0 order by attnum limit 1) "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = any (%s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') order by 1, 2",
            [[*SCHEMAS, *CLOSED_SCHEMAS]],
        ).fetchall()
        names = [each.user_id for each in people]
        yield Place(database, admin, names[0], names[1], known[0], tuple(relations), functions(admin))


@contextmanager
def _acting(place: Place, principal: Principal) -> Iterator[psycopg.Connection]:
    """A connection of the principal whose work is undone at the end."""
    with place.database.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("select set_config('request.jwt.claims', %s, true)", [principal.claims])
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(principal.role)))
        yield connection


def _outcome(connection: psycopg.Connection, statement: sql.SQL | sql.Composed) -> Any:
    """The rows, or the SQLSTATE of the refusal."""
    try:
        with connection.transaction(force_rollback=True):
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else "done"
    except psycopg.Error as error:
        return error.sqlstate


def _relation(schema: str, name: str) -> sql.Identifier:
    return sql.Identifier(schema, name)


def test_both_people_have_rows_in_every_table_and_view_so_that_a_leak_would_show(place: Place) -> None:
    for schema, name, kind, _ in place.relations:
        if schema != "public" or kind not in "rv":
            continue
        query = sql.SQL("select distinct owner_id::text from {}").format(_relation(schema, name))
        assert {row[0] for row in place.admin.execute(query)} == {place.anna, place.bert}, name


def test_nobody_passes_the_policy_with_any_verb_on_any_relation(place: Place) -> None:
    tried, leaks = 0, []
    for who, principal in place.principals().items():
        with _acting(place, principal) as connection:
            for schema, name, kind, column in place.relations:
                for verb, statement in WRITING.items():
                    query = sql.SQL(statement).format(
                        _relation(schema, name), *[sql.Identifier(column)] * statement.count("{} = {}") * 2
                    )
                    outcome = _outcome(connection, query)
                    tried += 1
                    # A sequence or a view refuses some verbs by its kind, before it looks at rights.
                    if outcome != DENIED and not (kind != "r" and outcome in {"42809", "55000", "42601"}):
                        leaks.append((who, verb, f"{schema}.{name}", outcome))
                outcome = _outcome(connection, sql.SQL("table {}").format(_relation(schema, name)))
                tried += 1
                if not _may_see(place, principal, schema, outcome):
                    leaks.append((who, "select", f"{schema}.{name}", outcome))
    assert leaks == []
    assert tried >= 600


def _may_see(place: Place, principal: Principal, schema: str, outcome: Any) -> bool:
    """A person sees rows of his own and no word of others; a token without a person sees none; others are denied."""
    if schema != "public" or principal.role != "authenticated":
        return bool(outcome == DENIED)
    if not principal.person:
        return outcome in ([], "22P02")
    me = place.anna if place.anna in principal.claims else place.bert
    return outcome != [] and isinstance(outcome, list) and all(_of(row) in ({me}, set()) for row in outcome)


def _of(row: tuple[Any, ...]) -> set[str]:
    """Whose row it is: the id in the column owner_id, which is first in every table."""
    return {str(row[0])}


def test_the_catalogue_says_the_same_of_every_verb_and_column(place: Place) -> None:
    tried, leaks = 0, []
    for role in ("anon", "authenticated", "service_role", "public"):
        for schema, name, kind, _ in place.relations:
            if kind == "S":
                continue
            for verb in (*HELD, "select"):
                column = "any_column" if verb in {"insert", "update", "references", "select"} else "table"
                held = place.admin.execute(
                    f"select has_{column}_privilege(%s, %s, %s)".encode(), [role, f"{schema}.{name}", verb]
                ).fetchone()
                tried += 1
                allowed = verb == "select" and role == "authenticated" and schema == "public"
                if held != (allowed,):
                    leaks.append((role, verb, f"{schema}.{name}"))
        for schema in (*SCHEMAS, *CLOSED_SCHEMAS):
            for verb in ("create", "usage"):
                held = place.admin.execute(
                    "select has_schema_privilege(%s, %s, %s)", [role, schema, verb]
                ).fetchone()
                tried += 1
                open_to_all = verb == "usage" and (
                    schema == "public" or (schema == "auth" and role != "public")
                )
                if held != (open_to_all,):
                    leaks.append((role, verb, schema))
    assert leaks == []
    assert tried >= 200


def test_nobody_makes_anything_in_our_schemas(place: Place) -> None:
    making = (
        "create table {}.x ()",
        "create view {}.x as select 1",
        "create sequence {}.x",
        "create type {}.x",
    )
    for principal in place.principals().values():
        with _acting(place, principal) as connection:
            for schema in (*SCHEMAS, *CLOSED_SCHEMAS):
                for statement in making:
                    query = sql.SQL(statement).format(sql.Identifier(schema))
                    assert _outcome(connection, query) == DENIED


def test_nobody_calls_what_is_behind_the_api(place: Place) -> None:
    rows = place.admin.execute(
        "select format('select homing.%I(%s)', proname, ("
        "  select string_agg(format('null::%I.%I', typnamespace::regnamespace, typname), ', ') "
        "  from unnest(proargtypes) as argument join pg_type as type on type.oid = argument)) "
        "from pg_proc where pronamespace = 'homing'::regnamespace order by 1"
    ).fetchall()
    tried = 0
    for principal in place.principals().values():
        with _acting(place, principal) as connection:
            for (call,) in rows:
                assert _outcome(connection, sql.SQL(call)) == DENIED, (principal, call)
                tried += 1
    assert tried >= 200


def _arguments(function: Function, known: Known) -> dict[str, Any]:
    return {each.name: example(each.name, known) for each in function.parameters}


def _answer(
    connection: psycopg.Connection, function: Function, known: Known, *, keep: bool = False
) -> tuple[bool, str]:
    """Whether the call went through, and everything that its caller learns; its effect is undone unless kept."""
    try:
        with connection.transaction(force_rollback=not keep):
            return True, repr(function.run(connection, _arguments(function, known)))
    except psycopg.Error as error:
        said = error.diag
        return False, repr((error.sqlstate, said.message_primary, said.message_detail, said.message_hint))


def test_only_people_call_the_api(place: Place) -> None:
    tried = 0
    for who, principal in place.principals().items():
        with _acting(place, principal) as connection:
            for function in place.functions.values():
                went, said = _answer(connection, function, place.annas)
                tried += 1
                if who == "the owner":
                    assert went, (function.name, said)
                elif not principal.person and who != "a stranger":
                    assert not went, (who, function.name, said)
                    assert any(f"'{code}'" in said for code in principal.refusal), (who, function.name, said)
                if who != "the owner":
                    assert SECRET not in said, (who, function.name, said)
    assert tried >= 100


def test_an_id_of_somebody_else_and_one_that_is_not_there_answer_the_same(place: Place) -> None:
    absent = _absent(place.annas)
    ledger = Ledger(place.admin)
    before = ledger.state(place.anna)
    for who in ("another person", "a stranger"):
        with _acting(place, place.principals()[who]) as connection:
            for function in place.functions.values():
                foreign = _answer(connection, function, place.annas)
                nowhere = _answer(connection, function, absent)
                assert _told(foreign, place.annas) == _told(nowhere, absent), (who, function.name)
    assert ledger.state(place.anna) == before


def test_what_the_other_does_with_an_owners_ids_leaves_the_owners_rows_alone(place: Place) -> None:
    before = Ledger(place.admin).state(place.anna)
    refused = set()
    for name, function in place.functions.items():
        with _acting(place, place.principals()["another person"]) as connection:
            went, said = _answer(connection, function, place.annas, keep=True)
            if not went:
                refused.add(name)
                assert "'PT404'" in said, (name, said)
            connection.execute("reset role")
            assert Ledger(connection).state(place.anna) == before, name
    assert "append_messages" in refused


def test_no_function_of_a_person_sees_rows_that_a_policy_hides(place: Place) -> None:
    """A cheap function in the where clause would run before a filter, but never before row level security."""
    with _acting(place, place.principals()["another person"]) as connection:
        heard: list[str] = []
        connection.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
        connection.execute(
            "create function pg_temp.leak(words text) returns boolean language plpgsql cost 0.0000001 as "
            "$$ begin raise notice '%', words; return true; end $$"
        )
        for schema, name, kind, _ in place.relations:
            if schema == "public" and kind in "rv":
                connection.execute(
                    sql.SQL("select from {} as row where pg_temp.leak(row::text)").format(
                        _relation(schema, name)
                    )
                )
        assert heard
        assert not [words for words in heard if place.anna in words or place.annas.chats[0] in words]


def _absent(known: Known) -> Known:
    """Ids of the same shape that nobody has."""
    chats = tuple(str(uuid.uuid4()) for _ in known.chats)

    def moved(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.replace(known.chats[0], chats[0]) for each in texts)

    return replace(
        known,
        chats=chats,
        messages=moved(known.messages),
        turns=moved(known.turns),
        leases=(str(uuid.uuid4()),),
        projects=(str(uuid.uuid4()),),
    )


def _told(answer: tuple[bool, str], known: Known) -> tuple[bool, str]:
    """An answer without the ids that were asked for, and without the time of day."""
    went, said = answer
    for place, value in enumerate((*known.chats, *known.projects, *known.leases)):
        said = said.replace(value, f"id {place}")
    said = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(\+00:00|Z)?", "then", said)
    return went, re.sub(r"datetime\.datetime\(.*?\)+", "then", said)
