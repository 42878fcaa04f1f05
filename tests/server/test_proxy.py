"""Behind a reverse proxy: which names and origins count, whose forwarding headers are believed."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import httpx
import jwt
import pytest

from server.errors import UnusableSetting
from server.settings import Settings
from tests.fakes.folders import open_folder
from tests.fakes.served import PASSWORD, Served, fresh_server, serving

PUBLIC = "https://sync.example.org"


class _Forwarder(BaseHTTPRequestHandler):
    """Passes requests on as nginx and Caddy do: the public Host kept, X-Forwarded headers added."""

    protocol_version = "HTTP/1.1"
    upstream: ClassVar[int]

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        # The visitor's own claim comes first, as an appending proxy leaves it.
        claimed = headers.pop("X-Forwarded-For", None)
        seen = self.headers.get("Test-Client", "192.0.2.9")
        headers["X-Forwarded-For"] = f"{claimed}, {seen}" if claimed else seen
        headers["X-Forwarded-Proto"] = "https"
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "date", "server", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Says nothing."""


@contextmanager
def proxied(port: int) -> Iterator[str]:
    handler = type("Forwarder", (_Forwarder,), {"upstream": port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            thread.join()


def port_of(log_or_url: str) -> int:
    return int(log_or_url.rpartition(":")[2])


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Served, str]]:
    """A server that trusts the proxy in front of it, and the proxy's real address."""
    with open_folder() as folder:
        with serving(folder) as probe:
            port = port_of(probe.url)
        with (
            serving(
                folder, port=port, public_url=PUBLIC, trusted_proxies=["127.0.0.1"], metrics=True
            ) as served,
            proxied(port) as address,
        ):
            yield served, address


def ask(address: str, served: Served, path: str, **headers: str) -> httpx.Response:
    given = {"Host": "sync.example.org", **served.headers(), **headers}
    return httpx.get(f"{address}{path}", headers=given)


def guess(address: str, served: Served, email: str, **headers: str) -> int:
    return httpx.post(
        f"{address}/auth/v1/token?grant_type=password",
        headers={"Host": "sync.example.org", **served.headers(), **headers},
        json={"email": email, "password": "wrong"},
    ).status_code


def test_the_public_url_is_printed_and_names_the_issuer(behind: tuple[Served, str]) -> None:
    served, address = behind
    assert served.url == PUBLIC
    answer = httpx.post(
        f"{address}/auth/v1/signup",
        headers={"Host": "sync.example.org", **served.headers()},
        json={"email": "anna@example.test", "password": PASSWORD},
    )
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["iss"] == f"{PUBLIC}/auth/v1"


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("sync.example.org", None, 200), ("sync.example.org:443", None, 200), ("SYNC.example.org", None, 200),
        ("sync.example.org", PUBLIC, 200), ("127.0.0.1", PUBLIC, 200),
        ("evil.test", None, 421), ("sync.example.org.evil.test", None, 421), ("evil.sync.example.org", None, 421),
        ("192.0.2.7", None, 421),
        ("sync.example.org", "https://evil.test", 403), ("sync.example.org", "null", 403),
        ("sync.example.org", "https://sync.example.org:8443", 403), ("evil.test", "https://evil.test", 421),
    ],
)  # fmt: skip
def test_host_and_origin_hold_behind_a_proxy(
    behind: tuple[Served, str], host: str, origin: str | None, status: int
) -> None:
    served, address = behind
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    assert ask(address, served, "/health", **headers).status_code == status


def test_guesses_are_counted_for_who_the_proxy_saw_and_not_for_who_he_says_he_is(
    behind: tuple[Served, str],
) -> None:
    served, address = behind
    for number in range(30):
        claim = {"Test-Client": "192.0.2.50", "X-Forwarded-For": f"198.51.100.{number}"}
        if guess(address, served, "bert@example.test", **claim) == 429:
            break
    else:
        pytest.fail("changing X-Forwarded-For let a guesser go on")
    assert guess(address, served, "bert@example.test", **{"Test-Client": "192.0.2.51"}) == 400


def test_forwarding_headers_of_nobody_are_believed_unless_named() -> None:
    with fresh_server() as served:
        for number in range(30):
            headers = {"Host": "localhost", "X-Forwarded-For": f"198.51.100.{number}"}
            if guess(served.url, served, "bert@example.test", **headers) == 429:
                return
    pytest.fail("a stranger chose his own address")


def test_metrics_stay_behind_the_proxy(behind: tuple[Served, str]) -> None:
    served, address = behind
    for host in ("sync.example.org", "localhost"):
        assert ask(address, served, "/metrics", Host=host).status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        {"public_url": "sync.example.org"}, {"public_url": "ftp://sync.example.org"}, {"public_url": "https://"},
        {"public_url": "https://sync.example.org/path"}, {"public_url": "https://sync.example.org?q"},
        {"public_url": "https://user:secret@sync.example.org"}, {"public_url": "https://sync.example.org:99999"},
        {"trusted_proxies": ("*",)}, {"trusted_proxies": ("proxy.example.org",)}, {"trusted_proxies": ("10.0.0.1/8",)},
        {"tls_cert": Path("x")}, {"tls_key": Path("x")}, {"smtp_url": "http://u:secret@mail.example.org"},
    ],
)  # fmt: skip
def test_an_option_that_cannot_work_is_told_in_one_line(given: dict[str, object]) -> None:
    with pytest.raises(UnusableSetting) as refused:
        Settings(**given)  # type: ignore[arg-type]  # each case gives one of them
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
