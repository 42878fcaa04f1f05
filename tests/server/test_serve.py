"""The life of a server: start, stop, restart, and what it says and never says."""

import os
import signal
import socket
import stat
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from server.errors import CannotListen
from server.serve import serve
from server.settings import Settings
from tests.fakes.folders import open_folder
from tests.fakes.served import PASSWORD, Person, Served, fresh_server, serving, starting

LOOPBACK = "127.0.0.1"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def postmaster(served: Served) -> int:
    lines = (served.data_dir / "server" / "cluster" / "data" / "postmaster.pid").read_text().splitlines()
    return int(lines[0])


def wait_for(condition: Callable[[], bool], patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline


def refreshed(served: Served, person: Person) -> httpx.Response:
    return httpx.post(
        f"{served.url}/auth/v1/token?grant_type=refresh_token",
        headers=served.headers(),
        json={"refresh_token": person.refresh_token},
        timeout=30,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_and_the_data_is_there_again(number: signal.Signals) -> None:
    with open_folder() as folder:
        with serving(folder) as first:
            anna, database = first.sign_up(), postmaster(first)
            assert first.stop(number) == 0
            assert not alive(database)
            assert first.stderr == ""
        with serving(folder, port=int(first.url.rpartition(":")[2])) as second:
            assert second.key == first.key
            answer = httpx.get(f"{second.url}/auth/v1/user", headers=second.headers(anna.access_token))
            assert answer.json()["id"] == anna.user_id


def test_more_signals_while_it_stops_change_nothing() -> None:
    with fresh_server() as served:
        database = postmaster(served)
        for _ in range(20):
            for number in (signal.SIGTERM, signal.SIGINT):
                if served.process.poll() is None:
                    served.process.send_signal(number)
        assert served.process.wait(60) == 0
        assert not alive(database)
        said = (served.data_dir / "server" / "cluster" / "data" / "log").glob("*")
        assert any("database system is shut down" in path.read_text() for path in said)


@pytest.mark.parametrize(
    ("number", "reached"),
    [
        (signal.SIGTERM, "serve.lock"),
        (signal.SIGINT, "cluster.new"),
        (signal.SIGTERM, "cluster/data/postmaster.pid"),
        (signal.SIGINT, "cluster/run/.s.PGSQL.5432"),
        (signal.SIGTERM, "jwt-secret"),
    ],
)
def test_a_signal_during_the_start_leaves_nothing_running(number: signal.Signals, reached: str) -> None:
    with open_folder() as folder:
        process, log = starting(folder)
        assert process.stdout is not None
        with process.stdout:
            wait_for(lambda: (folder / "server" / reached).exists() or process.poll() is not None)
            process.send_signal(number)
            process.send_signal(number)
            assert process.wait(60) == 0
        assert log.read_text() == ""
        assert not (folder / "server" / "cluster" / "data" / "postmaster.pid").exists()
        with serving(folder) as again:
            assert httpx.get(f"{again.url}/health").status_code == 200


def test_open_connections_do_not_hold_up_the_end() -> None:
    with fresh_server() as served:
        address = (LOOPBACK, int(served.url.rpartition(":")[2]))
        with socket.create_connection(address), socket.create_connection(address) as sending:
            sending.sendall(b"POST /rest/v1/rpc/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
            began = time.monotonic()
            assert served.stop() == 0
            assert time.monotonic() - began < 20


def test_a_kill_leaves_nothing_that_stops_the_next_start() -> None:
    with open_folder() as folder:
        with serving(folder) as first:
            anna = first.sign_up()
            first.stop(signal.SIGKILL)
        with serving(folder) as second:
            body = {"email": anna.email, "password": PASSWORD}
            path = "/auth/v1/token?grant_type=password"
            assert httpx.post(second.url + path, headers=second.headers(), json=body).status_code == 200


def test_a_database_that_crashes_is_back_by_itself() -> None:
    with fresh_server() as served:
        anna = served.sign_up()
        os.kill(postmaster(served), signal.SIGKILL)
        wait_for(lambda: anna.rpc("chat_heads").status_code == 200)
        assert httpx.get(f"{served.url}/health").json() == {"status": "ok"}


def test_health_says_when_the_database_is_gone_and_when_it_is_back() -> None:
    with open_folder() as folder, open_folder() as guest_folder, ExitStack() as stack:
        with serving(folder) as owner:
            with owner.database() as db:
                url = f"{db.info.dsn} password={db.info.password}"
            guest = stack.enter_context(serving(guest_folder, database_url=url))
            anna = guest.sign_up()
        answer = httpx.get(f"{guest.url}/health", timeout=30)
        assert (answer.status_code, answer.json()["status"]) == (503, "error")
        assert anna.rpc("chat_heads").status_code == 503
        assert refreshed(guest, anna).status_code == 503
        with serving(folder):
            wait_for(lambda: httpx.get(f"{guest.url}/health", timeout=30).status_code == 200)
            wait_for(lambda: anna.rpc("chat_heads").status_code == 200)
            assert refreshed(guest, anna).status_code == 200
            assert guest.stop() == 0


def test_keys_are_kept_where_only_the_owner_reads_them(served: Served) -> None:
    for name in ("jwt-secret", "publishable-key"):
        assert stat.S_IMODE((served.data_dir / "server" / name).stat().st_mode) == 0o600


def refusal(host: str, port: int, folder: Path, database_url: str | None = None) -> str:
    with pytest.raises(CannotListen) as caught:
        serve(
            folder,
            Settings(host=host, port=port, database_url=database_url),
            lambda *_: pytest.fail("ready"),
        )
    return str(caught.value)


def test_a_taken_port_is_told_in_one_line(served: Served, tmp_path: Path) -> None:
    port = int(served.url.rpartition(":")[2])
    told = refusal(LOOPBACK, port, tmp_path)
    assert (
        told
        == f"Cannot listen on {LOOPBACK}:{port} (Address already in use): choose another --port, 0 picks a free one."
    )
    assert not (tmp_path / "server").exists()


@pytest.mark.parametrize("host", ["256.1.1.1", "192.0.2.1"])
def test_an_address_of_another_machine_is_told_in_one_line(
    tmp_path: Path, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(host, 0, tmp_path)
    assert "\n" not in told
    assert "choose" in told
    assert capsys.readouterr().err == ""


def test_it_serves_over_a_given_database() -> None:
    with fresh_server() as owner, open_folder() as folder:
        with owner.database() as db:
            url = f"{db.info.dsn} password={db.info.password}"
        with serving(folder, database_url=url) as guest:
            anna = guest.sign_up()
            assert guest.key != owner.key
        answer = httpx.post(
            f"{owner.url}/auth/v1/token?grant_type=password",
            headers=owner.headers(),
            json={"email": anna.email, "password": PASSWORD},
        )
        assert answer.status_code == 200


def test_beyond_loopback_it_warns_and_takes_addresses_but_no_strange_names() -> None:
    with open_folder() as folder, serving(folder, host="0.0.0.0") as served:
        url = served.url.replace("0.0.0.0", LOOPBACK)
        assert "TLS" in served.stderr
        assert httpx.get(f"{url}/health", headers={"Host": "192.0.2.7:8787"}).status_code == 200
        assert httpx.get(f"{url}/health", headers={"Host": "evil.test"}).status_code == 421


def test_nothing_secret_is_in_any_log() -> None:
    canary = "canary-7d1f"
    with fresh_server() as served:
        email = f"{canary}@x.test"
        anna = served.sign_up(email)
        chat = str(uuid.uuid4())
        anna.rpc("save_chats", p_chats=[{"chat_id": chat, "title": canary}])
        message = {"message_id": canary, "role": "user", "content": [{"type": "text", "text": canary}]}
        anna.rpc("append_messages", p_chat_id=chat, p_messages=[message])
        anna.rpc("append_messages", p_chat_id=canary, p_messages=[message])
        anna.rpc("append_messages", p_chat_id=chat, p_messages=canary)
        anna.rpc("list_messages", p_chat_id=chat, p_limit=canary)
        anna.rpc(canary, p=canary)
        headers = served.headers(anna.access_token)
        for text in (f'{{"p_chat_id": "{canary}', f'{{"p_chat_id": "{canary}\\u0000"}}', f'["{canary}"]'):
            httpx.post(f"{served.url}/rest/v1/rpc/count_messages", headers=headers, content=text)
        for body in (
            {"email": email, "password": canary},
            {"email": canary, "password": canary},
            {"refresh_token": canary},
        ):
            for grant in ("password", "refresh_token"):
                httpx.post(
                    f"{served.url}/auth/v1/token?grant_type={grant}",
                    headers=served.headers(canary),
                    json=body,
                )
            httpx.post(
                f"{served.url}/auth/v1/signup",
                headers=served.headers(),
                json={**body, "data": {"a": f"\x00{canary}"}},
            )
        arguments = _arguments_of_all_processes()
        assert served.stop() == 0
        logs = [served.stderr, *(path.read_text() for path in (served.data_dir / "server").rglob("*.log"))]
        secrets = (canary, PASSWORD, anna.access_token, anna.refresh_token, served.key)
        assert len(logs) > 1
        assert [secret for secret in secrets for log in logs if secret in log] == []
        assert [secret for secret in secrets if secret in arguments] == []


def _arguments_of_all_processes() -> str:
    """What anybody on this computer may read of its processes; nothing where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return "\n".join(found)
