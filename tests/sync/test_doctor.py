"""The examination of a server from outside: a sound one passes, and each planted fault is told with its remedy."""

import asyncio
import re
import socket
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.doctor import examination, listening, trip
from sync.doctor.contract import PROBES, SCHEMA_VERSION, TABLES
from sync.doctor.examination import examine
from sync.doctor.findings import Finding, Level
from sync.doctor.person import SignIn, with_password
from sync.wire import transport
from tests.fakes.certificate_files import Authority
from tests.fakes.faults import RESET, Answer, Reply, Request, faulty_server, page
from tests.fakes.meddler import Meddle, meddling
from tests.fakes.served import PASSWORD, Person, Served, fresh_server

CHECKS = [
    "address",
    "key",
    "sign_in",
    "functions",
    "strangers",
    "table_writes",
    "own_rows",
    "schema_version",
    "server_version",
    "lint",
    "realtime_policy",
    "poke_trigger",
    "synchronous_commit",
    "isolation",
    "clock",
    "round_trip",
    "realtime",
    "foreign_topic",
    "refresh",
    "latency",
]

SCHEMA = "create or replace function homing.schema_version() returns text language sql immutable return '{}'"
POLICY = "People hear of their own changes"

PLANTED = {
    "grant execute on function public.count_messages(uuid) to anon": (
        "revoke execute on function public.count_messages(uuid) from anon",
        {"strangers": r"count_messages: revoke execute", "lint": r"open to people who are not signed in"},
    ),
    "alter table public.chats no force row level security, disable row level security": (
        "alter table public.chats enable row level security, force row level security",
        {"own_rows": r"chats to signed-in people\. Enable", "lint": r"public\.chats"},
    ),
    "grant insert on public.messages to authenticated": (
        "revoke insert on public.messages from authenticated",
        {"lint": r"public\.messages: INSERT is granted to authenticated"},
    ),
    "revoke execute on function public.count_messages(uuid) from authenticated": (
        "grant execute on function public.count_messages(uuid) to authenticated",
        {
            "functions": r"count_messages is closed to signed-in people",
            "lint": r"count_messages",
            "round_trip": r"count_messages fails \(42501\)",
            "refresh": r"not accepted",
        },
    ),
    "alter function public.count_messages(uuid) rename to count_no_messages": (
        "alter function public.count_no_messages(uuid) rename to count_messages",
        {
            "functions": r"older and lacks count_messages: run `supabase db push",
            "round_trip": r"count_messages fails",
            "refresh": r"not accepted",
        },
    ),
    "alter function public.server_check() rename to server_checked": (
        "alter function public.server_checked() rename to server_check",
        {
            "functions": r"lacks server_check",
            "schema_version": r"does not tell its version: run `supabase db push",
        },
    ),
    "alter table public.owner_heads disable trigger poke_devices": (
        "alter table public.owner_heads enable trigger poke_devices",
        {"lint": r"a trigger of it is off", "poke_trigger": r"missing or off", "realtime": r"No poke within"},
    ),
    f'alter policy "{POLICY}" on realtime.messages to anon': (
        f'alter policy "{POLICY}" on realtime.messages to authenticated',
        {"realtime_policy": r"No policy lets people join", "realtime": r"cannot be joined"},
    ),
    "create policy everybody on realtime.messages for select to authenticated using (true)": (
        "drop policy everybody on realtime.messages",
        {"foreign_topic": r"Somebody else's topic can be joined"},
    ),
    SCHEMA.format("20261121091100"): (
        SCHEMA.format(SCHEMA_VERSION),
        {"schema_version": r"20261121091100 is older .* run `supabase db push"},
    ),
}


@pytest.fixture(scope="module")
def patient() -> Iterator[Served]:
    """A server of this module alone, in which somebody else has a chat already."""
    with fresh_server() as running:
        stranger = running.sign_up()
        stranger.rpc("save_chats", p_chats=[{"chat_id": str(uuid.uuid4()), "title": "private"}])
        yield running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "POKE_SECONDS", 1.0)


async def _all(url: str, key: str, sign_in: SignIn) -> list[Finding]:
    return [finding async for finding in examine(url, key, sign_in)]


def _examined(served: Served, *, url: str | None = None, person: Person | None = None) -> dict[str, Finding]:
    person = person or served.sign_up()
    findings = asyncio.run(_all(url or served.url, served.key, with_password(person.email, PASSWORD)))
    assert all("\n" not in finding.words for finding in findings)
    return {finding.check: finding for finding in findings}


def _meddled(served: Served, meddle: Meddle, person: Person | None = None) -> dict[str, Finding]:
    """Examined through somebody who answers some requests himself; realtime does not come through."""
    person = person or served.sign_up()

    async def run() -> list[Finding]:
        async with meddling(served, meddle) as faulty:
            return await _all(faulty.url, served.key, with_password(person.email, PASSWORD))

    return {finding.check: finding for finding in asyncio.run(run()) if finding.check != "realtime"}


def _failed(findings: dict[str, Finding]) -> dict[str, str]:
    return {check: each.words for check, each in findings.items() if each.level is Level.FAIL}


@contextmanager
def _planted(served: Served, fault: str, undo: str) -> Iterator[None]:
    with served.database() as db:
        db.execute(fault.encode())
        try:
            yield
        finally:
            db.execute(undo.encode())


def test_a_sound_server_passes_every_check(patient: Served) -> None:
    findings = _examined(patient)
    assert _failed(findings) == {}
    assert list(findings) == CHECKS
    assert findings["schema_version"].words == SCHEMA_VERSION


def test_a_sound_server_with_a_certificate_passes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.pair()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    # A server on this computer is trusted by its own authority only when it is taken for a distant one.
    monkeypatch.setattr(transport, "is_loopback", lambda _: False)
    with fresh_server(tls_cert=cert, tls_key=key) as running:
        findings = _examined(running)
    assert _failed(findings) == {}
    assert findings["address"].words.endswith("with a trusted certificate")


def test_a_legacy_key_is_accepted_with_a_warning() -> None:
    async def run() -> list[Finding]:
        async with faulty_server(
            lambda request: Answer(200 if "settings" in request.path else 503, {"external": {}})
        ) as faulty:
            return await _all(faulty.url, "eyJhbGciOiJIUzI1NiJ9.e30.x", with_password("a@b.test", "secret"))

    findings = asyncio.run(run())
    assert [(each.check, each.level) for each in findings] == [
        ("address", Level.OK),
        ("key", Level.WARN),
        ("sign_in", Level.FAIL),
    ]


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_told_with_what_to_do_and_no_other_check_fails(
    patient: Served, fault: str
) -> None:
    undo, expected = PLANTED[fault]
    with _planted(patient, fault, undo):
        failed = _failed(_examined(patient))
    assert failed.keys() == expected.keys()
    for check, words in expected.items():
        assert re.search(words, failed[check]), failed[check]


def test_a_newer_schema_is_fine_and_said(patient: Served) -> None:
    with _planted(patient, SCHEMA.format("20990101000000"), SCHEMA.format(SCHEMA_VERSION)):
        findings = _examined(patient)
    assert _failed(findings) == {}
    assert findings["schema_version"].words.startswith("20990101000000, newer than this Homing's")


def test_a_database_without_migrations_is_told_to_get_them() -> None:
    with fresh_server() as empty, empty.database() as db:
        db.execute(
            "drop schema homing cascade; drop schema public cascade; create schema public;"
            "grant usage on schema public to anon, authenticated"
        )
        failed = _failed(_examined(empty))
    assert failed["functions"].startswith(
        "The database has none of Homing's functions: run `supabase db push"
    )
    assert failed.keys() == {"functions", "schema_version", "round_trip", "realtime", "refresh"}


def test_the_contract_is_exactly_what_the_schema_offers(patient: Served) -> None:
    with patient.database() as db:
        functions = db.execute(
            "select proname, coalesce(proargnames[1:pronargs], '{}') from pg_proc "
            "where pronamespace = 'public'::regnamespace order by 1"
        ).fetchall()
        tables = db.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
        ).fetchall()
        newest = db.execute("select max(version) from supabase_migrations.schema_migrations").fetchone()
    assert {name: sorted(names) for name, names in functions} == {
        probe.function: sorted(probe.arguments) for probe in PROBES
    }
    assert tuple(name for (name,) in tables) == TABLES
    assert newest == (SCHEMA_VERSION,)


def _rows_of(served: Served, table_and_owner: str, person: Person) -> int:
    with served.database() as db:
        found = db.execute(f"select from {table_and_owner} = %s".encode(), [person.user_id])
        return found.rowcount


def test_nothing_is_left_that_a_device_shows(patient: Served) -> None:
    person = patient.sign_up()
    for _ in range(2):
        assert _failed(_examined(patient, person=person)) == {}
    changes = person.rpc("pull_changes", p_epoch=None, p_cursor=0).json()["changes"]
    rows = [change["row"] for change in changes]
    assert [(row["chat_id"], row["deleted"]) for row in rows if "title" in row] == [
        (trip.chat_of(person.user_id), True)
    ]
    assert len(rows) == 2
    held = {table: _rows_of(patient, f"public.{table} where owner_id", person) for table in TABLES}
    assert {table: count for table, count in held.items() if count} == {
        "append_counters": 1,
        "chats": 1,
        "messages": 1,
        "owner_heads": 1,
    }
    assert _rows_of(patient, "auth.sessions where user_id", person) == 1


def test_the_doctors_chat_is_deleted_also_when_a_step_fails(patient: Served) -> None:
    person = patient.sign_up()

    def meddle(request: Request, _: object) -> Reply | None:
        return Answer(500, {"code": "XX000"}) if "append" in request.path else None

    assert "append_messages fails (XX000)" in _failed(_meddled(patient, meddle, person))["round_trip"]
    (chat,) = person.rpc("pull_changes", p_epoch=None, p_cursor=0).json()["changes"]
    assert chat["row"]["deleted"]


def _table(method: str, reply: Answer) -> Meddle:
    return lambda request, _: (
        reply if request.method == method and request.path.startswith("/rest/v1/chats") else None
    )


def _reply(function: str, reply: Answer) -> Meddle:
    return lambda request, _: reply if request.path.endswith(function) else None


def _answer(function: str, data: object) -> Meddle:
    return lambda request, _: (
        Answer(200, data) if request.path.endswith(function) and b"-4000-8000-" not in request.body else None
    )


def _inside(check: str, detail: str) -> Meddle:
    row = {"check_name": check, "ok": True, "detail": detail}
    return lambda request, _: Answer(200, [row]) if request.path.endswith("server_check") else None


MEDDLED: dict[str, tuple[Meddle, str, Level, str]] = {
    "inserts are let": (
        _table("POST", Answer(400, {"code": "22P02"})),
        "table_writes",
        Level.FAIL,
        "insert on chats",
    ),
    "updates are let": (_table("PATCH", Answer(204)), "table_writes", Level.FAIL, "update on chats"),
    "deletes are let": (_table("DELETE", Answer(204)), "table_writes", Level.FAIL, "delete on chats"),
    "others' rows are shown": (
        _table("GET", Answer(200, [{"owner_id": "x"}])),
        "own_rows",
        Level.FAIL,
        "chats to signed-in people, chats to everybody",
    ),
    "no api for tables": (
        lambda request, _: (
            Answer(404, {"code": "PGRST205"})
            if "/rpc/" not in request.path and "/rest/" in request.path
            else None
        ),
        "own_rows",
        Level.OK,
        "no API for tables",
    ),
    "a function answers in another shape": (
        _reply("list_messages", Answer(200, {"rows": []})),
        "functions",
        Level.FAIL,
        "list_messages answers an object instead of rows",
    ),
    "a function fails": (
        _reply("get_snapshot", Answer(500, {"code": "XX000"})),
        "functions",
        Level.FAIL,
        "get_snapshot answers XX000 instead of PT404",
    ),
    "a repeated message gets another number": (
        _answer("append_messages", [{"message_id": "a", "status": "inserted", "sequence_num": 1}]),
        "round_trip",
        Level.FAIL,
        "does not know a message again",
    ),
    "a page lacks the message": (
        _answer("list_messages", []),
        "round_trip",
        Level.FAIL,
        "list_messages lacks",
    ),
    "a count is text": (_answer("count_messages", "many"), "round_trip", Level.FAIL, "a shape of its own"),
    "a pull lacks the change": (
        _answer("pull_changes", {"epoch": "e", "head": 1, "changes": []}),
        "round_trip",
        Level.FAIL,
        "pull_changes lacks",
    ),
    "the clocks differ": (
        _inside("clock", "2020-01-01T00:00:00.000Z"),
        "clock",
        Level.WARN,
        "ahead of the server",
    ),
    "the clock is no time": (_inside("clock", "noon"), "clock", Level.WARN, "cannot be read"),
    "a check of a later version": (_inside("humidity", "40 %"), "humidity", Level.OK, "40 %"),
}


@pytest.mark.parametrize("name", MEDDLED)
def test_a_server_that_answers_wrongly_is_told(patient: Served, name: str) -> None:
    meddle, check, level, words = MEDDLED[name]
    finding = _meddled(patient, meddle)[check]
    assert (finding.level, words in finding.words) == (level, True), finding


def test_a_slow_server_is_told(patient: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "SLOW_SECONDS", 0.0)
    assert _examined(patient)["latency"].level is Level.WARN


UNREACHABLE = {
    "a page": (lambda _: page(), "sign in to the network in a browser"),
    "a page of another address": (lambda _: page(404), "address"),
    "a redirect": (lambda _: Answer(302, headers={"location": "http://elsewhere.test/"}), "leads elsewhere"),
    "repairs": (lambda _: Answer(503, {"message": "down"}), "busy or being repaired"),
    "another API": (lambda _: Answer(404, {"detail": "Not Found"}), "no sync server"),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_what_is_no_server_ends_the_examination_at_the_address(name: str) -> None:
    respond, words = UNREACHABLE[name]

    async def run() -> list[Finding]:
        async with faulty_server(respond) as faulty:
            return await _all(faulty.url, "sb_publishable_x", with_password("a@b.test", "secret"))

    (finding,) = asyncio.run(run())
    assert (finding.check, finding.level) == ("address", Level.FAIL)
    assert words in finding.words


def test_a_dead_host_ends_the_examination_at_the_address() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        (finding,) = asyncio.run(_all(url, "sb_publishable_x", with_password("a@b.test", "secret")))
    assert (finding.check, finding.level) == ("address", Level.FAIL)
    assert "not reachable" in finding.words


def test_a_certificate_of_an_unknown_authority_ends_the_examination_at_the_address(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*Authority(tmp_path).pair())

    async def run() -> list[Finding]:
        async with faulty_server(lambda _: Answer(body={}), tls) as faulty:
            return await _all(faulty.url, "sb_publishable_x", with_password("a@b.test", "secret"))

    (finding,) = asyncio.run(run())
    assert (finding.check, finding.level) == ("address", Level.FAIL)
    assert "certificate is not trusted" in finding.words


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1")
    sign_in = with_password("a@b.test", "secret")
    (finding,) = asyncio.run(_all("https://example.test", "sb_publishable_x", sign_in))
    assert (finding.check, finding.level) == ("connection", Level.FAIL)
    assert "proxy" in finding.words


@pytest.mark.parametrize(
    ("url", "key", "check"),
    [
        ("example.org", "sb_publishable_x", "address"),
        ("http://example.org", "sb_publishable_x", "address"),
        ("https://example.org", "", "key"),
        ("https://example.org", "sb_secret_x", "key"),
    ],
)
def test_what_cannot_be_an_address_or_a_key_is_told_before_anything_is_sent(
    url: str, key: str, check: str
) -> None:
    (finding,) = asyncio.run(_all(url, key, with_password("a@b.test", "secret")))
    assert (finding.check, finding.level) == (check, Level.FAIL)


def test_a_wrong_key_and_a_wrong_password_end_it_where_they_are_used(patient: Served) -> None:
    person = patient.sign_up()
    findings = asyncio.run(_all(patient.url, "sb_publishable_wrong", with_password(person.email, PASSWORD)))
    assert [(each.check, each.level) for each in findings] == [("address", Level.OK), ("key", Level.FAIL)]
    findings = asyncio.run(_all(patient.url, patient.key, with_password(person.email, "wrong")))
    assert [each.check for each in findings] == ["address", "key", "sign_in"]
    assert findings[-1].level is Level.FAIL


def test_a_line_that_breaks_ends_the_examination_with_a_finding(patient: Served) -> None:
    def meddle(request: Request, _: object) -> Reply | None:
        return RESET if request.method == "PATCH" else None

    findings = _meddled(patient, meddle)
    assert list(findings) == [*CHECKS[:5], "connection"]
    assert findings["connection"].level is Level.FAIL
