"""PostgreSQL without a gateway: a database with the schema, and people who call its functions."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from server.postgres import schema
from server.postgres.supervisor import Postgres

SENTENCES = "A sentence that a person could have typed into the composer. " * 4

# Statistics of a server whose people have one short chat each, as an analysis before the fill leaves them.
_SMALL_CHATS = """
insert into auth.users (id, email) select gen_random_uuid(), n || '@example.org' from generate_series(1, 3000) as n;
insert into public.owner_heads (owner_id, head) select id, 2 from auth.users on conflict do nothing;
insert into public.chats (owner_id, chat_id, change) select id, gen_random_uuid(), 1 from auth.users;
insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, change)
select owner_id, chat_id, gen_random_uuid(), 1, 'user', '[]', 2, 2 from public.chats;
alter table public.chats set (autovacuum_enabled = off);
alter table public.messages set (autovacuum_enabled = off);
analyze public.chats, public.messages, public.owner_heads;
"""

_FILL = """
set session_replication_role = replica;
insert into public.messages (owner_id, chat_id, message_id, sequence_num, role, content, octets, change)
select owner_id, chat_id, gen_random_uuid(), last_sequence_num + n, 'user',
  '[{{"type": "text", "text": "{words}"}}]', 280, head + n
from public.chats join public.owner_heads using (owner_id), generate_series(1, {rows}) as n where chat_id = '{chat}';
update public.owner_heads set head = head + {rows} where owner_id = '{owner}';
update public.chats set last_sequence_num = last_sequence_num + {rows}, message_count = message_count + {rows}
where owner_id = '{owner}' and chat_id = '{chat}';
reset session_replication_role;
"""


@dataclass(frozen=True)
class Person:
    """Somebody's connection: the admin's, with his claims."""

    connection: psycopg.Connection[Any]
    owner: str

    def new_chat(self) -> str:
        """Save a chat and return its id."""
        chat = str(uuid.uuid4())
        self.call("select * from public.save_chats(%s)", json.dumps([{"chat_id": chat, "title": "B"}]))
        return chat

    def append(self, chat: str, batch: str) -> None:
        """Append the messages of a JSON document."""
        self.call("select * from public.append_messages(%s, %s)", chat, batch)

    def call(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Fetch all rows of a query."""
        return self.connection.execute(query.encode(), parameters).fetchall()


@dataclass(frozen=True)
class Direct:
    """A running PostgreSQL with the schema."""

    conninfo: str

    def run(self, statements: str) -> None:
        """Run statements as the admin."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statements.encode())

    def mislead_statistics(self) -> None:
        """Let PostgreSQL think, for good, that everybody has one chat of one message."""
        self.run(_SMALL_CHATS)

    def fill(self, owner: str, chat: str, rows: int) -> None:
        """Put messages into a chat past the functions."""
        self.run(_FILL.format(owner=owner, chat=chat, rows=rows, words=SENTENCES))

    def new_owner(self) -> str:
        """Sign somebody up."""
        owner = str(uuid.uuid4())
        self.run(f"insert into auth.users (id, email) values ('{owner}', '{owner}@example.org')")
        return owner

    @contextmanager
    def signed_in(self, owner: str) -> Iterator[Person]:
        """Connect as a person."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            claims = json.dumps({"sub": owner, "role": "authenticated"})
            connection.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
            yield Person(connection, owner)


@contextmanager
def running(folder: Path) -> Iterator[Direct]:
    """Start PostgreSQL in a folder and stop it at the end."""
    postgres = Postgres(folder)
    conninfo = postgres.start()
    try:
        schema.apply(conninfo)
        yield Direct(conninfo)
    finally:
        postgres.stop()


def batch(size: int) -> Sequence[Mapping[str, Any]]:
    """New messages of four sentences each."""
    return [
        {"message_id": str(uuid.uuid4()), "role": "user", "content": [{"type": "text", "text": SENTENCES}]}
        for _ in range(size)
    ]
