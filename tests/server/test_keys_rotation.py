"""Keys replaced while the server serves."""

import json

import httpx
import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from desktop.cli import main
from tests.fakes.served import PASSWORD, Person, Served, fresh_server
from tests.fakes.waiting import wait_for


def rotate(served: Served, *words: str) -> str:
    answer = CliRunner().invoke(
        main, ["--data-dir", str(served.data_dir), "--json", "server", "rotate-keys", *words]
    )
    assert answer.exit_code == 0, answer.output
    return str(json.loads(answer.stdout)["publishable_key"])


def status(person: Person, key: str | None = None) -> int:
    headers = {**person.served.headers(person.access_token), **({"apikey": key} if key else {})}
    return httpx.post(f"{person.served.url}/rest/v1/rpc/chat_heads", headers=headers, json={}).status_code


def refresh(person: Person) -> httpx.Response:
    return httpx.post(
        f"{person.served.url}/auth/v1/token?grant_type=refresh_token",
        headers=person.served.headers(),
        json={"refresh_token": person.refresh_token},
    )


def test_a_running_server_takes_new_keys_and_people_stay_signed_in_until_they_are_revoked() -> None:
    with fresh_server() as served:
        anna = served.sign_up()
        new_key = rotate(served, "--publishable")
        assert new_key != served.key
        wait_for(lambda: status(anna, new_key) == 200)
        assert status(anna) == 200
        session = refresh(anna).json()
        anna = Person(served, anna.user_id, anna.email, session["access_token"], session["refresh_token"])
        assert status(anna) == 200
        url = f"{served.url.replace('http', 'ws')}/realtime/v1/websocket?apikey={new_key}"
        with connect(url, proxy=None) as websocket:
            assert rotate(served, "--revoke") == new_key
            with pytest.raises(ConnectionClosed, match="session ended"):
                websocket.recv(30)
        assert status(anna, new_key) == 401
        assert status(anna) == 401
        refused = httpx.post(
            f"{served.url}/auth/v1/token?grant_type=refresh_token",
            headers={**served.headers(), "apikey": new_key},
            json={"refresh_token": anna.refresh_token},
        )
        assert refused.json()["code"] == "refresh_token_not_found"
        answer = httpx.post(
            f"{served.url}/auth/v1/token?grant_type=password",
            headers={"apikey": new_key},
            json={"email": anna.email, "password": PASSWORD},
        )
        assert answer.status_code == 200
        assert served.stop() == 0
        assert served.stderr == ""
