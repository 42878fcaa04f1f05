"""A real `homing serve` in a process of its own on loopback, and people who just signed up to it."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from server.limits import Rate, Rates
from tests.fakes.folders import open_folder

PASSWORD = "correct horse battery"
UNHURRIED = Rates()._replace(
    sign_ups_of_address=Rate(1_000_000, 1),
    mails_of_address=Rate(1_000_000, 1),
    mails_to_email=Rate(1_000_000, 1),
    mails_to_email_in_an_hour=Rate(1_000_000, 1),
    proofs_of_address=Rate(1_000_000, 1),
)
"""A test is many people at one address, and none of them waits for a minute."""

_CODE = """
import json, sys
from pathlib import Path
from server.limits import Rate, Rates
from server.serve import serve
from server.settings import Settings
given = json.loads(sys.argv[1])
given["rates"] = Rates(*(Rate(*rate) for rate in given["rates"]))
for name in ("tls_cert", "tls_key"):
    given[name] = Path(given[name]) if given.get(name) else None
serve(
    Path(given.pop("data_dir")), Settings(**given),
    lambda url, key: print(json.dumps([url, key]), flush=True),
)
"""
_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Served:
    """A running server: how clients reach it, where its data is, and what it wrote to stderr so far."""

    url: str
    key: str
    data_dir: Path
    process: "subprocess.Popen[str]"
    log: Path

    def headers(self, token: str | None = None) -> dict[str, str]:
        """What every request must carry."""
        return {"apikey": self.key, "Authorization": f"Bearer {token or self.key}"}

    def sign_up(self, email: str | None = None) -> "Person":
        """Somebody new, with a session."""
        email = email or f"{uuid.uuid4().hex}@example.test"
        answer = httpx.post(
            f"{self.url}/auth/v1/signup", headers=self.headers(), json={"email": email, "password": PASSWORD}
        )
        answer.raise_for_status()
        session = answer.json()
        return Person(self, session["user"]["id"], email, session["access_token"], session["refresh_token"])

    def stop(self, number: signal.Signals = signal.SIGTERM, patience: float = 60) -> int:
        """Signals the server and waits for its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(patience)

    def database(self) -> "psycopg.Connection":
        """A connection of the database's admin."""
        cluster = self.data_dir / "server" / "cluster"
        return psycopg.connect(
            host=str(cluster / "run"),
            user="homing",
            password=(cluster / "password").read_text(),
            dbname="homing",
            autocommit=True,
        )

    @property
    def stderr(self) -> str:
        """All that the server said to its operator."""
        return self.log.read_text("utf-8")

    def code_for(self, email: str) -> str:
        """The newest code for an address, as the operator reads it."""
        codes = re.findall(
            rf"^homing: code for {re.escape(email)}: (\d{{6}}) \(10 minutes\)$", self.stderr, re.MULTILINE
        )
        return str(codes[-1])


@dataclass(frozen=True)
class Person:
    """A user of a served server, with the tokens of the first sign-in."""

    served: Served
    user_id: str
    email: str
    access_token: str
    refresh_token: str

    def rpc(self, name: str, **arguments: object) -> httpx.Response:
        """Calls a function as this person, without the official client."""
        return httpx.post(
            f"{self.served.url}/rest/v1/rpc/{name}",
            headers=self.served.headers(self.access_token),
            json=arguments,
            timeout=30,
        )

    def at(self, served: Served) -> "Person":
        """The same person at another start of the server: still signed in, as the refresh token shows."""
        answer = httpx.post(
            f"{served.url}/auth/v1/token?grant_type=refresh_token",
            headers=served.headers(),
            json={"refresh_token": self.refresh_token},
        )
        assert answer.status_code == 200, answer.text
        session = answer.json()
        return Person(served, self.user_id, self.email, session["access_token"], session["refresh_token"])


def starting(data_dir: Path, **settings: object) -> "tuple[subprocess.Popen[str], Path]":
    """A server with these Settings that has yet to say on stdout that it is ready, and the file of its stderr."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "serve.stderr"
    given = {"data_dir": data_dir, "port": 0, "rates": UNHURRIED} | settings
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _CODE, json.dumps(given, default=str)],
            cwd=_REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    return process, log


@contextmanager
def serving(data_dir: Path, **settings: object) -> Iterator[Served]:
    """A server with these Settings, on a free port, that is stopped at the end, PostgreSQL included."""
    process, log = starting(data_dir, **settings)
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start ({process.wait(60)}): {log.read_text()}")
        url, key = json.loads(line)
        served = Served(url, key, data_dir, process, log)
        try:
            yield served
        finally:
            served.stop()


@contextmanager
def fresh_server(**settings: object) -> Iterator[Served]:
    """A server with these Settings and nobody in it, gone afterwards."""
    with open_folder() as folder, serving(folder, **settings) as running:
        yield running


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One server for all tests of a worker: give each test its own people."""
    with fresh_server() as running:
        yield running


@asynccontextmanager
async def official_client(served: Served) -> AsyncIterator[AsyncClient]:
    """The unmodified official client, signed out, without its refresh timer; everything it opened is closed."""
    async with httpx.AsyncClient(timeout=30) as http:
        options = AsyncClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
        client = await acreate_client(served.url, served.key, options)
        try:
            yield client
        finally:
            await client.realtime.close()
