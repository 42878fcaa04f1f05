"""A served person with rows of every kind whose API is fired at, and the page of errors that every answer must keep to."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.fakes.bad_input import Known
from tests.fakes.belongings import example, furnish
from tests.fakes.functions import Function, functions
from tests.fakes.ledger import faults
from tests.fakes.served import Person, Served

_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_OWNED = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'owner_id'
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not a.attisdropped order by 1
"""


def documented() -> dict[str, set[int]]:
    """The statuses of each code on the page of errors."""
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}(?:, \d{3})*) \|", _PAGE.read_text("utf-8"), re.MULTILINE)
    page: dict[str, set[int]] = {}
    for code, statuses in rows:
        page.setdefault(code, set()).update(int(status) for status in statuses.split(", "))
    return page


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    text: str

    @property
    def good(self) -> bool:
        return self.status < 300

    @property
    def code(self) -> str | None:
        """The error's code."""
        return None if self.good else self.json()["code"]

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Target:
    """Calls go out as one person; `admin` sees all of the rows."""

    person: Person
    connection: HTTPConnection
    admin: psycopg.Connection
    api: dict[str, Function]
    known: Known
    page: dict[str, set[int]] = field(default_factory=documented)
    fired: int = 0
    _left: dict[str, tuple[int, int]] | None = None

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """Any request, with the person's token unless the headers say otherwise."""
        content = body.encode("utf-8") if isinstance(body, str) else body
        given = self.person.served.headers(self.person.access_token) | headers
        self.connection.request(method, path, content, given)
        response = self.connection.getresponse()
        return Answer(response.status, response.read().decode())

    def fire(self, name: str, body: bytes | str, **headers: str) -> Answer:
        """Posts a body as it is. Anything but a success must be on the page, have a hint and no effect.

        Nobody else writes the person's rows meanwhile.
        """
        before = self._left or self.rows()
        self.fired += 1
        answer = self.ask(
            "POST", f"/rest/v1/rpc/{name}", body, **{"Content-Type": "application/json"} | headers
        )
        self._left = None
        if not answer.good:
            self.check_error(answer)
            self._left = self.rows()
            assert self._left == before, f"{name} had an effect and answered {answer.text}"
        return answer

    def check_error(self, answer: Answer) -> None:
        """Holds an error against the page."""
        error = answer.json()
        assert set(error) == {"code", "message", "details", "hint"}
        assert answer.status in self.page.get(error["code"], ()), (answer.status, error)
        assert error["message"], error
        assert error["hint"], error
        assert answer.status < 500, error

    def rows(self) -> dict[str, tuple[int, int]]:
        """How many rows the person has in each table, and a digest of them."""
        found = self.admin.execute(self._digests, {"owner": self.person.user_id})
        return {table: (count, digest) for table, count, digest in found}

    @cached_property
    def _digests(self) -> sql.Composed:
        queries = [
            sql.SQL(
                "select {}, count(*), bit_xor(hashtextextended(to_jsonb(held)::text, 0)) from public.{} as held "
                "where owner_id = %(owner)s"
            ).format(sql.Literal(table), sql.Identifier(table))
            for (table,) in self.admin.execute(_OWNED)
        ]
        return sql.SQL(" union all ").join(queries)

    def faults(self) -> list[str]:
        """Every promise that is broken in the tables."""
        return faults(self.admin)

    def example(self, name: str) -> dict[str, str]:
        """Arguments that fit, each as JSON."""
        return {each.name: json.dumps(example(each.name, self.known)) for each in self.api[name].parameters}


def body(arguments: Mapping[str, str]) -> str:
    """The body of a call from JSON texts, which need not be JSON."""
    return "{" + ",".join(f"{json.dumps(name)}: {raw}" for name, raw in arguments.items()) + "}"


@contextmanager
def target(served: Served) -> Iterator[Target]:
    """Somebody new with rows of every kind; functions that only tests have are left out."""
    person = served.sign_up()
    with served.database() as admin, served.database() as own:
        claims = json.dumps({"role": "authenticated", "sub": person.user_id})
        own.execute("select set_config('request.jwt.claims', %s, false)", [claims])
        own.execute("set role authenticated")
        api = {name: each for name, each in functions(admin).items() if not name.startswith("test_")}
        address = urlsplit(served.url).netloc
        with closing(HTTPConnection(address, timeout=30)) as connection:
            yield Target(person, connection, admin, api, furnish(own))
