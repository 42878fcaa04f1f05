"""Host and Origin checks and the headers of every answer."""

import httpx
import pytest

from server.guards import Hosts
from server.settings import Settings
from tests.fakes.served import Served


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8787", True), ("localhost", True), ("LOCALHOST:1", True), ("[::1]:8787", True),
        ("home.example", True), ("HOME.example:443", True),
        ("evil.test", False), ("evil.test:8787", False), ("127.0.0.1.evil.test", False), ("localhost.evil.test", False),
        ("192.168.1.5", False), ("user@localhost", True), ("", False), (None, False), ("[::1", False), ("localhost@evil.test", False),
    ],
)  # fmt: skip
def test_a_loopback_server_knows_only_its_own_names(host: str | None, known: bool) -> None:
    assert Hosts(Settings(names=("Home.example",))).knows(host) is known


@pytest.mark.parametrize(
    ("host", "known"),
    [("192.168.1.5:8787", True), ("[fe80::1]:1", True), ("evil.test", False), ("1.2.3.4.evil.test", False)],
)
def test_a_server_beyond_loopback_takes_addresses_for_they_cannot_be_rebound(host: str, known: bool) -> None:
    assert Hosts(Settings(host="0.0.0.0")).knows(host) is known


def test_a_rebound_name_reaches_nothing(served: Served) -> None:
    for path in ("/health", "/auth/v1/health", "/rest/v1/rpc/test_who", "/"):
        answer = httpx.get(served.url + path, headers={**served.headers(), "Host": "evil.test"})
        assert answer.status_code == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("{url}", 200),
        ("https://evil.test", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_a_browsers_page_must_come_from_here(served: Served, origin: str, status: int) -> None:
    headers = {"Origin": origin.format(url=served.url)}
    assert httpx.get(f"{served.url}/health", headers=headers).status_code == status


def test_a_page_of_another_origin_gets_no_permission_beforehand(served: Served) -> None:
    answer = httpx.options(
        f"{served.url}/rest/v1/rpc/test_who",
        headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"},
    )
    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    "path", ["/health", "/", "/auth/v1/user", "/rest/v1/rpc/nope", "/rest/v1/chats", "/rest/v1/"]
)
def test_every_answer_is_guarded_and_names_no_software(served: Served, path: str) -> None:
    answer = httpx.get(served.url + path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].startswith("application/json")
    assert "server" not in answer.headers


def test_what_is_not_there_is_json_too(served: Served) -> None:
    for method, path in (
        ("GET", "/rest/v1/chats/x"),
        ("DELETE", "/rest/v1/rpc/test_who"),
        ("PUT", "/health"),
    ):
        answer = httpx.request(method, served.url + path, headers=served.headers())
        assert (answer.status_code, set(answer.json())) == (404, {"code", "message", "details", "hint"})
