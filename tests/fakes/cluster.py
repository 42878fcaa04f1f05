"""Real PostgreSQL for tests: one cluster per version and worker, one template, and a database per test module."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from server.postgres import schema
from server.postgres.binaries import Binaries
from server.postgres.supervisor import Postgres
from tests.fakes.folders import open_folder
from tests.fakes.postgres_versions import versions

_TEMPLATE = "homing_template"


class Cluster:
    """A running PostgreSQL with a template that has the whole schema."""

    def __init__(self, admin: str) -> None:
        self._admin = admin
        self._create(_TEMPLATE)
        schema.apply(self.conninfo(_TEMPLATE))

    def conninfo(self, database: str) -> str:
        """The admin's connection string for a database."""
        return make_conninfo(self._admin, dbname=database)

    @contextmanager
    def empty_database(self) -> Iterator["Database"]:
        """A database without any of our objects, dropped at the end."""
        with self._database("template1") as database:
            yield database

    @contextmanager
    def database(self) -> Iterator["Database"]:
        """A database with the whole schema and nobody in it, dropped at the end."""
        with self._database(_TEMPLATE) as database:
            yield database

    @contextmanager
    def copy(self, database: "Database") -> Iterator["Database"]:
        """A copy of a database to which nobody is connected, dropped at the end."""
        with self._database(str(conninfo_to_dict(database.conninfo)["dbname"])) as copied:
            yield copied

    @contextmanager
    def _database(self, template: str) -> Iterator["Database"]:
        name = f"test_{uuid.uuid4().hex}"
        self._create(name, template)
        try:
            yield Database(self.conninfo(name))
        finally:
            self._run(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def _create(self, name: str, template: str = "template1") -> None:
        names = [sql.Identifier(each) for each in (name, template)]
        self._run(sql.SQL("create database {} template {}").format(*names))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement)


@dataclass(frozen=True)
class Database:
    """One database of a cluster; every connection commits each statement."""

    conninfo: str

    def connect(self) -> psycopg.Connection:
        """A connection of the admin, to be closed by the caller."""
        return psycopg.connect(self.conninfo, autocommit=True)

    def new_user(self) -> "User":
        """Somebody who just signed up."""
        user_id = str(uuid.uuid4())
        with self.connect() as admin:
            admin.execute(
                "insert into auth.users (id, email) values (%s, %s)", [user_id, f"{user_id}@example.test"]
            )
        return User(self, user_id)

    @contextmanager
    def as_user(self, user_id: str | None, role: str = "authenticated") -> Iterator["Caller"]:
        """A connection as PostgREST makes it for a request: the role and the claims of an access token."""
        with self.connect() as connection:
            claims = {"role": role} | ({"sub": user_id} if user_id else {})
            connection.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            yield Caller(connection)


@dataclass(frozen=True)
class User:
    """A signed-up user of a database."""

    database: Database
    user_id: str

    @contextmanager
    def signed_in(self) -> Iterator["Caller"]:
        """A connection that calls functions as this user."""
        with self.database.as_user(self.user_id) as caller:
            yield caller


@dataclass(frozen=True)
class Caller:
    """Somebody's connection, with the API functions as methods."""

    connection: psycopg.Connection

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(query.encode(), parameters).fetchall()

    def save(self, *chats: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Calls save_chats: rows (chat_id, status, reason)."""
        return self.rows("select * from save_chats(%s)", json.dumps(chats))

    def save_projects(self, *projects: object) -> list[tuple[Any, ...]]:
        """Calls save_projects: rows (project_id, status, reason)."""
        return self.rows("select * from save_projects(%s)", json.dumps(projects))

    def new_project(self, name: str = "") -> str:
        """A new project's id."""
        project_id = str(uuid.uuid4())
        self.save_projects({"project_id": project_id, "name": name})
        return project_id

    def save_snapshot(self, project_id: str | None, snapshot: object, expected: str | None = None) -> Any:
        """Calls save_snapshot."""
        call = "select save_snapshot(%s, %s, %s)"
        return self.rows(call, project_id, json.dumps(snapshot), expected)[0][0]

    def get_snapshot(self, project_id: str) -> Any:
        """Calls get_snapshot."""
        return self.rows("select get_snapshot(%s)", project_id)[0][0]

    def pin(self, chat_id: str | None, *resources: object) -> list[tuple[Any, ...]]:
        """Calls pin_context: rows (source, status, resource_status, content_hash, reason)."""
        return self.rows("select * from pin_context(%s, %s)", chat_id, json.dumps(resources))

    def unpin(self, chat_id: str | None, *sources: object) -> list[tuple[Any, ...]]:
        """Calls unpin_context: rows (source, status, reason)."""
        return self.rows("select * from unpin_context(%s, %s)", chat_id, json.dumps(sources))

    def new_chat(self, title: str = "") -> str:
        """A new chat's id."""
        chat_id = str(uuid.uuid4())
        self.save({"chat_id": chat_id, "title": title})
        return chat_id

    def append(self, chat_id: str, messages: Sequence[object]) -> list[tuple[Any, ...]]:
        """Calls append_messages: rows (message_id, sequence_num, status, reason)."""
        return self.rows("select * from append_messages(%s, %s)", chat_id, json.dumps(messages))

    def delete(self, chat_id: str, message_ids: Sequence[object]) -> list[tuple[Any, ...]]:
        """Calls delete_messages: rows (message_id, sequence_num, status, reason)."""
        return self.rows("select * from delete_messages(%s, %s)", chat_id, json.dumps(message_ids))

    def clear(self, chat_id: str, through: int | None) -> dict[str, Any]:
        """Calls clear_chat."""
        answer: dict[str, Any] = self.rows("select clear_chat(%s, %s)", chat_id, through)[0][0]
        return answer

    def fork(
        self,
        chat_id: str | None,
        new_chat_id: str | None,
        through: int | None = None,
        title: str | None = None,
    ) -> dict[str, Any]:
        """Calls fork_chat."""
        answer: dict[str, Any] = self.rows(
            "select fork_chat(%s, %s, %s, %s)", chat_id, new_chat_id, through, title
        )[0][0]
        return answer

    def history(self, chat_id: str, before: int | None = None, limit: int = 50) -> list[tuple[Any, ...]]:
        """Calls list_messages: rows (sequence_num, message_id)."""
        return self.rows(
            "select sequence_num, message_id from list_messages(%s, %s, %s)", chat_id, before, limit
        )

    def count(self, chat_id: str) -> int:
        """Calls count_messages."""
        return int(self.rows("select count_messages(%s)", chat_id)[0][0])

    def pull(self, epoch: str | None, cursor: int | None, limit: int = 500) -> dict[str, Any]:
        """Calls pull_changes."""
        answer: dict[str, Any] = self.rows("select pull_changes(%s, %s, %s)", epoch, cursor, limit)[0][0]
        return answer

    def push(
        self,
        chats: Sequence[object] = (),
        batches: Mapping[str, Sequence[object]] | None = None,
        projects: Sequence[object] = (),
    ) -> dict[str, Any]:
        """Calls push_changes with batches by chat id."""
        sent = [{"chat_id": chat, "messages": each} for chat, each in (batches or {}).items()]
        lists = (json.dumps(each) for each in (projects, chats, sent))
        answer: dict[str, Any] = self.rows("select push_changes(%s, %s, %s)", *lists)[0][0]
        return answer

    def summary(self, epoch: str | None, cursor: int | None, limit: int = 500) -> dict[str, Any]:
        """Calls pull_summary."""
        answer: dict[str, Any] = self.rows("select pull_summary(%s, %s, %s)", epoch, cursor, limit)[0][0]
        return answer

    def fill(self, *holes: tuple[str, int, int], limit: int | None = None) -> dict[str, Any]:
        """Calls pull_history with holes as (chat_id, first, last)."""
        sent = [dict(zip(("chat_id", "first", "last"), each, strict=True)) for each in holes]
        answer: dict[str, Any] = self.rows("select pull_history(%s, %s)", json.dumps(sent), limit)[0][0]
        return answer


def refusal(call: Callable[[], object]) -> str | None:
    """The SQLSTATE with which a call is refused as a whole."""
    with pytest.raises(psycopg.Error) as refused:
        call()
    return refused.value.sqlstate


def text(message_id: str | None = None, words: str = "hello", **fields: object) -> dict[str, object]:
    """A user's message as append_messages takes it."""
    chosen = str(uuid.uuid4()) if message_id is None else message_id
    return {"message_id": chosen, "role": "user", "content": words} | fields


@contextmanager
def running_cluster(binaries: Binaries) -> Iterator[Cluster]:
    """A new cluster, gone at the end with all of its files."""
    with open_folder() as root, Postgres(root, binaries=binaries) as postgres:
        yield Cluster(postgres.start())


@pytest.fixture(scope="session")
def clusters() -> Iterator[Callable[[Binaries], Cluster]]:
    """Starts a PostgreSQL of each version when it is first asked for; modules take turns at them."""
    with ExitStack() as running:
        yield cache(lambda binaries: running.enter_context(running_cluster(binaries)))


@pytest.fixture(
    scope="session", params=[pytest.param(each, id=f"postgres{each.major}") for each in versions()]
)
def cluster(clusters: Callable[[Binaries], Cluster], request: pytest.FixtureRequest) -> Cluster:
    """A running PostgreSQL of each version on this computer."""
    return clusters(request.param)


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[Database]:
    """A database of this test module alone, with the whole schema."""
    with cluster.database() as fresh:
        yield fresh


@pytest.fixture
def anna(database: Database) -> Iterator[Caller]:
    """Somebody who signed up just now."""
    with database.new_user().signed_in() as caller:
        yield caller


@pytest.fixture
def bert(database: Database) -> Iterator[Caller]:
    """Somebody else."""
    with database.new_user().signed_in() as caller:
        yield caller
