"""Reads of tables over HTTP, with the official client and with requests that nobody should write."""

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from postgrest import CountMethod
from postgrest.exceptions import APIError
from psycopg import sql

from tests.fakes.served import PASSWORD, Person, Served, official_client

TITLES = [
    "a",
    "b,c",
    'd"e\\f',
    "(g)",
    "h.i",
    " j",
    "",
    "ü *%",
    "null",
    "{k}",
    "'; drop table chats; --",
    "$1 %s :x",
]
NASTY = [
    'a"b',
    "a'b",
    "a.b",
    "a b",
    "a;drop table public.chats;--",
    "%s",
    "$1",
    "{0}",
    "Ü",
    "select",
    "row",
    "line",
]
NASTY_VIEW = 'nasty "%s; view'
_VIEWS = """
create table public.test_closed as select 1 as one;
create function public.test_view_writes() returns bigint language sql security definer
  as $$ insert into public.test_closed values (2) returning 1::bigint $$;
create view public.test_writes as select public.test_view_writes() as n;
create view public.test_sleeps as select pg_sleep(60)::text as slept;
grant select on public.test_writes, public.test_sleeps to anon;
grant select on public.test_writes, public.test_sleeps, public."nasty ""%s; view" to authenticated;
"""


@dataclass(frozen=True)
class Library:
    """Anna with one chat for each title, a long chat, and a view of nasty names."""

    person: Person
    long_chat: str
    messages: list[str]

    def get(self, table: str, query: Any = "", **headers: str) -> httpx.Response:
        return httpx.get(
            f"{self.person.served.url}/rest/v1/{table}",
            params=query,
            headers={**self.person.served.headers(self.person.access_token), **headers},
            timeout=30,
        )

    def titles(self, *filters: tuple[str, str]) -> set[str]:
        answer = self.get("chats", [("select", "title"), *filters])
        assert answer.status_code == 200, answer.text
        return {row["title"] for row in answer.json()}


@pytest.fixture(scope="module")
def library(served: Served) -> Library:
    person = served.sign_up()
    long_chat = str(uuid.uuid4())
    chats = [{"chat_id": str(uuid.uuid4()), "title": title} for title in TITLES]
    person.rpc("save_chats", p_chats=[*chats, {"chat_id": long_chat, "title": "long", "model": "m"}])
    messages = [f"{number:04}" + "x" * 96 for number in range(1_200)]
    for first in range(0, 1_200, 400):
        sent = [
            {"message_id": message_id, "role": "user", "content": "x"}
            for message_id in messages[first : first + 400]
        ]
        assert person.rpc("append_messages", p_chat_id=long_chat, p_messages=sent).status_code == 200
    names = [sql.SQL("{} as {}").format(number, sql.Identifier(name)) for number, name in enumerate(NASTY)]
    with served.database() as db:
        view = sql.SQL("create view public.{} as select {}")
        db.execute(view.format(sql.Identifier(NASTY_VIEW), sql.SQL(", ").join(names)))
        db.execute(_VIEWS.encode())
    return Library(person, long_chat, messages)


@pytest.mark.parametrize("title", TITLES)
def test_every_title_is_found_by_itself_and_in_a_list(library: Library, title: str) -> None:
    quoted = '"{}"'.format(title.replace("\\", "\\\\").replace('"', '\\"'))
    assert library.titles(("title", f"eq.{title}")) == {title}
    assert library.titles(("title", f"in.({quoted},nope)")) == {title}
    assert title not in library.titles(("title", f"not.in.(nope,{quoted})"))
    assert title not in library.titles(("title", f"neq.{title}"))


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        ([("title", "gt.long")], {"null", "ü *%", "{k}"}),
        ([("title", "gte.long"), ("title", "lt.null")], {"long"}),
        ([("title", "like.*c")], {"b,c"}),
        ([("title", "ilike.LO*")], {"long"}),
        ([("model", "not.is.null")], {"long"}),
        ([("model", "is.not_null")], {"long"}),
        ([("model", "eq.null")], set()),
        ([("model", "isdistinct.m"), ("title", "eq.a")], {"a"}),
        ([("pinned", "is.false"), ("title", "eq.a")], {"a"}),
        ([("pinned", "is.true")], set()),
        ([("last_sequence_num", "lte.1200"), ("last_sequence_num", "gt.0")], {"long"}),
        ([("title", "in.()")], set()),
    ],
)
def test_filters_mean_what_they_mean_to_postgrest(
    library: Library, filters: list[tuple[str, str]], titles: set[str]
) -> None:
    assert library.titles(*filters) >= titles
    if ("title", "gt.long") not in filters:
        assert library.titles(*filters) == titles


def test_500_long_ids_fit_into_one_list(library: Library) -> None:
    wanted = library.messages[:500]
    query = {"select": "message_id", "message_id": f"in.({','.join(wanted)})", "order": "sequence_num"}
    answer = library.get("messages", query)
    assert answer.status_code == 200, answer.text
    assert [row["message_id"] for row in answer.json()] == wanted


def test_an_answer_has_a_thousand_rows_at_most_and_says_how_many_there_are(library: Library) -> None:
    answer = library.get(
        "messages", {"select": "sequence_num", "order": "sequence_num"}, Prefer="count=exact"
    )
    assert (answer.status_code, answer.headers["Content-Range"]) == (206, "0-999/1200")
    assert [row["sequence_num"] for row in answer.json()] == list(range(1, 1_001))


@pytest.mark.parametrize(
    ("query", "headers", "status", "content_range", "numbers"),
    [
        ({"limit": "2"}, {}, 200, "0-1/*", [1200, 1199]),
        ({"limit": "2", "offset": "1199"}, {}, 200, "1199-1199/*", [1]),
        ({"limit": "0"}, {}, 200, "*/*", []),
        ({}, {"Range": "10-11"}, 200, "10-11/*", [1190, 1189]),
        ({}, {"Range": "1198-", "Prefer": "count=exact"}, 206, "1198-1199/1200", [2, 1]),
        ({"limit": "1", "sequence_num": "eq.7"}, {"Prefer": "count=exact"}, 200, "0-0/1", [7]),
        ({"sequence_num": "eq.0"}, {"Prefer": "count=exact"}, 200, "*/0", []),
    ],
)
def test_pages_and_their_ranges(
    library: Library,
    query: dict[str, str],
    headers: dict[str, str],
    status: int,
    content_range: str,
    numbers: list[int],
) -> None:
    answer = library.get(
        "messages", {"select": "n:sequence_num", "order": "sequence_num.desc", **query}, **headers
    )
    assert (answer.status_code, answer.headers["Content-Range"]) == (status, content_range)
    assert answer.json() == [{"n": number} for number in numbers]


def test_head_answers_the_count_without_the_rows(library: Library) -> None:
    served = library.person.served
    headers = {**served.headers(library.person.access_token), "Prefer": "count=exact"}
    answer = httpx.head(f"{served.url}/rest/v1/messages?limit=1", headers=headers)
    assert (answer.status_code, answer.headers["Content-Range"], answer.content) == (206, "0-0/1200", b"")


def test_one_row_can_be_asked_for_as_an_object(library: Library) -> None:
    accept = {"Accept": "application/vnd.pgrst.object+json"}
    one = library.get("chats", {"select": "title", "title": "eq.long"}, **accept)
    assert (one.status_code, one.json()) == (200, {"title": "long"})
    for query, rows in (({"title": "eq.nope"}, 0), ({"limit": "2"}, 2)):
        other = library.get("chats", query, **accept)
        assert (other.status_code, other.json()["code"]) == (406, "PGRST116")
        assert other.json()["details"] == f"The result contains {rows} rows"


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_name_is_a_name(library: Library, name: str) -> None:
    place = NASTY.index(name)
    quoted = '"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
    answer = library.get(
        NASTY_VIEW, {"select": quoted, quoted: f"in.({place})", "order": f"{quoted}.desc.nullsfirst"}
    )
    assert (answer.status_code, answer.json()) == (200, [{name: place}])
    alias = library.get(NASTY_VIEW, {"select": f"{quoted}:Ü", "limit": "1"})
    assert alias.json() == [{name: NASTY.index("Ü")}]


@pytest.mark.parametrize(
    ("table", "query", "status", "code"),
    [
        ("nope", {}, 404, "PGRST205"), ("pg_class", {}, 404, "PGRST205"), ("auth.users", {}, 404, "PGRST205"),
        ('chats" where true --', {}, 404, "PGRST205"), ("chats;select", {}, 404, "PGRST205"), ("%00", {}, 404, "PGRST205"),
        ("test_closed", {}, 403, "42501"), ("chats", {"select": "nope"}, 400, "42703"), ("chats", {"nope": "eq.1"}, 400, "42703"),
        ("chats", {"order": "nope"}, 400, "42703"), ("chats", {"select": "xmin"}, 400, "42703"), ("chats", {"select": "chats"}, 400, "42703"),
        ("chats", {"title": "eq.a' or 'a' = 'a"}, 200, None), ("chats", {"select": '"title"" --":title'}, 400, "PGRST127"),
        ("chats", {"order": "title desc; drop table chats"}, 400, "42703"), ("chats", {"chat_id": "eq.x"}, 400, "22P02"),
        ("chats", {"chat_id": "in.(x)"}, 400, "22P02"), ("chats", {"chat_id": "like.a*"}, 404, "42883"), ("chats", {"pinned": "is.maybe"}, 400, "PGRST100"),
        ("chats", {"title": "is.true"}, 400, "42804"), ("chats", {"last_sequence_num": "eq." + "9" * 40}, 400, "22003"), ("chats", {"select": "title,messages(*)"}, 400, "PGRST127"),
        ("chats", {"title": "eq.\0"}, 400, "22P05"), ("messages", {"content": "eq.{"}, 400, "PGRST102"), ("messages", {"content": "eq." + "[" * 20_000}, 400, "PGRST102"),
        ("chats", {"limit": "x"}, 400, "PGRST100"), ("", {}, 404, "PGRST125"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_a_hint(
    library: Library, table: str, query: dict[str, str], status: int, code: str | None
) -> None:
    answer = library.get(table, query)
    assert answer.status_code == status, answer.text
    if code is None:
        assert answer.json() == []
    else:
        assert answer.json()["code"] == code
        assert answer.json()["hint"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written_to_a_table(library: Library, method: str) -> None:
    served = library.person.served
    answer = httpx.request(
        method,
        f"{served.url}/rest/v1/chats?title=eq.a",
        headers=served.headers(library.person.access_token),
        content=b'{"title": "gone"}',
    )
    assert (answer.status_code, answer.json()["code"]) == (405, "PGRST117")
    assert "a" in library.titles()


def test_other_media_types_and_schemas_are_refused(library: Library) -> None:
    for accept in (
        "text/csv",
        "application/vnd.pgrst.plan",
        "application/vnd.pgrst.array+json;nulls=stripped",
    ):
        assert library.get("chats", Accept=accept).json()["code"] == "PGRST107"
    assert library.get("chats", **{"Accept-Profile": "auth"}).json()["code"] == "PGRST106"


def test_strangers_see_nothing_and_the_signed_out_may_not_ask(served: Served, library: Library) -> None:
    stranger = Library(served.sign_up(), "", [])
    for table in ("chats", "messages", "owner_heads"):
        answer = stranger.get(table, Prefer="count=exact")
        assert answer.json() == []
        assert answer.headers["Content-Range"] == "*/0"
    assert httpx.get(f"{served.url}/rest/v1/chats", headers=served.headers()).status_code == 401


def test_a_read_writes_nothing_and_stays_within_the_roles_time(served: Served, library: Library) -> None:
    writes = library.get("test_writes")
    assert (writes.status_code, writes.json()["code"]) == (405, "25006")
    sleeps = httpx.get(f"{served.url}/rest/v1/test_sleeps", headers=served.headers(), timeout=30)
    assert (sleeps.status_code, sleeps.json()["code"]) == (500, "57014")


def test_an_answer_that_would_fill_the_memory_is_refused(served: Served) -> None:
    chat = str(uuid.uuid4())
    writer = Library(served.sign_up(), chat, [])
    writer.person.rpc("save_chats", p_chats=[{"chat_id": chat}])
    for _ in range(12):
        sent = [
            {"message_id": str(uuid.uuid4()), "role": "user", "content": "x" * 1_000_000} for _ in range(3)
        ]
        assert writer.person.rpc("append_messages", p_chat_id=chat, p_messages=sent).status_code == 200
    whole = writer.get("messages")
    assert (whole.status_code, whole.json()["code"]) == (413, "PT413")
    assert len(writer.get("messages", {"limit": "30"}).json()) == 30
    assert len(writer.get("messages", {"select": "message_id"}).json()) == 36


def test_a_column_made_later_is_found(served: Served, library: Library) -> None:
    with served.database() as db:
        db.execute("alter table public.test_closed add column later integer")
        db.execute("grant select on public.test_closed to authenticated")
    answers = iter(lambda: library.get("test_closed", {"select": "later"}), None)
    assert next(answer.json() for answer in answers if answer.status_code == 200) == [{"later": None}]


def test_the_official_client_reads_tables(library: Library) -> None:
    async def story() -> None:
        async with official_client(library.person.served) as client:
            await client.auth.sign_in_with_password({"email": library.person.email, "password": PASSWORD})
            chats, messages = client.table("chats"), client.table("messages")
            found = await chats.select("title").in_("title", TITLES).order("title", desc=True).execute()
            assert {row["title"] for row in json.loads(json.dumps(found.data))} == set(TITLES)
            page = await messages.select("sequence_num", count=CountMethod.exact).range(5, 6).execute()
            assert (page.count, len(page.data)) == (1_200, 2)
            one = await chats.select("*").eq("chat_id", library.long_chat).single().execute()
            assert json.loads(json.dumps(one.data))["title"] == "long"
            assert await chats.select("*").eq("title", "nope").maybe_single().execute() is None
            unset = await chats.select("title").not_.is_("model", "null").execute()
            assert {"title": "long"} in unset.data
            with pytest.raises(APIError) as caught:
                await chats.insert({"title": "x"}).execute()
            assert caught.value.code == "PGRST117"

    asyncio.run(story())
