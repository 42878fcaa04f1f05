"""The repair of turns with several messages of a role, by an owner of the tables whom row level security binds (I26)."""

from collections.abc import Iterator

import pytest

from server.postgres import schema
from tests.fakes.cluster import Cluster, Database, text
from tests.fakes.hosted import as_postgres, hosted_project, hosted_roles
from tests.fakes.ledger import faults

LAST_WITHOUT_THE_RULE = "20261121100000"


@pytest.fixture
def bound_owner(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A project before the rule, whose owner sees no rows of others."""
    earlier = tuple(each for each in schema.migrations() if each.version <= LAST_WITHOUT_THE_RULE)
    with hosted_roles(cluster), hosted_project(cluster, grants_by_default=False, policies=True) as database:
        with database.connect() as platform:
            platform.execute("alter role postgres nobypassrls")
        with monkeypatch.context() as before:
            before.setattr(schema, "migrations", lambda: earlier)
            schema.apply(as_postgres(database))
        yield database


def test_an_owner_who_sees_nobodys_rows_repairs_them_all(bound_owner: Database) -> None:
    sent = [text(f"m{number}", turn_id="t") for number in range(4)]
    people = [bound_owner.new_user() for _ in range(3)]
    chats = []
    for person in people:
        with person.signed_in() as caller:
            chats.append(caller.new_chat())
            caller.append(chats[-1], sent)
    schema.apply(as_postgres(bound_owner))
    with bound_owner.connect() as admin:
        assert faults(admin) == []
        assert admin.execute(
            "select bool_and(relforcerowsecurity) from pg_class "
            "where relkind = 'r' and relnamespace = 'public'::regnamespace"
        ).fetchone() == (True,)
    for person, chat in zip(people, chats, strict=True):
        with person.signed_in() as caller:
            assert caller.rows("select message_id, turn_id, revision from public.messages order by 1") == [
                ("m0", "t", 1),
                ("m1", None, 2),
                ("m2", None, 2),
                ("m3", None, 2),
            ]
            assert [row[1:3] for row in caller.append(chat, sent)] == [(n, "duplicate") for n in (1, 2, 3, 4)]
            assert caller.rows("select from public.count_mismatches") == []
