"""`homing account` and `homing status` with several accounts on one computer, against the real one-machine server."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from desktop.cli import main
from storage import accounts
from storage.paths import STORE_NAME
from storage.records import Account
from storage.store import Store
from tests.fakes.served import PASSWORD, Served
from tests.fakes.served import served as served

pytestmark = pytest.mark.xdist_group("served-borders")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run one command on a data directory of its own."""
    environment = {"HOMING_PASSWORD": PASSWORD, "HOMING_SESSION_STORE": "file"}

    def invoke(*words: str) -> Result:
        return CliRunner(env=environment).invoke(main, ["--data-dir", str(tmp_path), *words])

    return invoke


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def one(result: Result) -> dict[str, Any]:
    (row,) = rows(result)
    return row


def line(result: Result) -> str:
    assert result.exit_code == 1
    (told,) = result.stderr.strip().splitlines()
    return told


def signed_up(run: Run, served: Served, name: str, *more: str) -> str:
    email = f"{name}-{uuid.uuid4().hex}@example.test"
    one(
        run("--json", "account", "sign-up", "--url", served.url, "--key", served.key, "--email", email, *more)
    )
    return email


def chat(run: Run, title: str) -> str:
    return str(one(run("--json", "chat", "new", title))["chat_id"])


def test_two_accounts_are_listed_switched_and_counted_apart(run: Run, served: Served) -> None:
    anna = signed_up(run, served, "anna")
    bert = signed_up(run, served, "bert")
    of_bert = chat(run, "Bert's")
    one(run("--json", "send", of_bert, "waits"))
    listed = {row["email"]: row["active"] for row in rows(run("--json", "account", "list"))}
    assert listed == {anna: False, bert: True}
    switched = one(run("--json", "account", "switch", anna.upper(), "--url", served.url))
    assert (switched["email"], switched["signed_in"]) == (anna, True)
    status = one(run("--json", "status"))
    assert (status["account"], status["pending"]) == (anna, 0)
    assert {each["email"]: each["pending"] for each in status["accounts"]} == {anna: 0, bert: 1}
    assert f"{bert}: 1 not yet synced" in run("status").stdout
    assert "no chat" in line(run("history", of_bert))
    assert one(run("--json", "sync"))["pushed"] == 0
    one(run("--json", "account", "switch", "--none"))
    assert one(run("--json", "account", "show")) == {"signed_in": False}
    by_id = next(each["account_id"] for each in status["accounts"] if each["email"] == bert)
    one(run("--json", "account", "switch", by_id))
    synced = one(run("--json", "sync"))
    assert (synced["pushed"], synced["pending"]) == (1, 0)


def test_signing_out_asks_before_it_seals_and_sends_what_it_can(run: Run, served: Served) -> None:
    email = signed_up(run, served, "cleo")
    one(run("--json", "send", chat(run, "goes out"), "at the last moment"))
    assert one(run("--json", "account", "sign-out")) == {"signed_in": False}
    assert one(run("--json", "account", "list"))["signed_in"] is False
    one(run("--json", "account", "switch", email))
    assert "sign in" in run("account", "show").stdout
    assert one(run("--json", "account", "show"))["signed_in"] is False
    one(run("--json", "send", chat(run, "stays"), "not sent"))
    told = line(run("account", "sign-out"))
    assert "One message is not sent yet" in told
    assert "--seal" in told
    assert one(run("--json", "account", "sign-out", "--seal")) == {"signed_in": False}
    one(run("--json", "account", "sign-in", "--url", served.url, "--key", served.key, "--email", email))
    assert one(run("--json", "status"))["pending"] == 1
    synced = one(run("--json", "sync"))
    assert (synced["pushed"], synced["pending"]) == (1, 0)


def test_signed_out_chats_are_adopted_one_by_one(run: Run, served: Served) -> None:
    first, second = chat(run, "first"), chat(run, "second")
    for each in (first, second):
        one(run("--json", "send", each, "written signed out"))
    assert "sign in first" in line(run("account", "adopt", first))
    signed_up(run, served, "dora")
    assert one(run("--json", "status"))["signed_out_chats"] == 2
    assert one(run("--json", "account", "adopt", first)) == {"adopted": 1}
    assert one(run("--json", "account", "adopt", first)) == {"adopted": 0}
    assert one(run("--json", "status"))["signed_out_chats"] == 1
    assert one(run("--json", "account", "adopt")) == {"adopted": 1}
    synced = one(run("--json", "sync"))
    assert (synced["pushed"], synced["pending"]) == (2, 0)


def test_a_deleted_account_is_told_keeps_its_words_and_is_let_go_of(run: Run, served: Served) -> None:
    email = signed_up(run, served, "emma")
    mine = chat(run, "mine")
    one(run("--json", "send", mine, "kept"))
    one(run("--json", "sync"))
    assert "not gone" in line(run("account", "release", email))
    user_id = one(run("--json", "account", "show"))["user_id"]
    with served.database() as database:
        database.execute("delete from auth.users where id = %s", (user_id,))
    assert "deleted" in line(run("sync"))
    shown = one(run("--json", "account", "show"))
    assert (shown["signed_in"], shown["gone"]) == (False, True)
    assert "deleted on its server" in run("account", "list").stdout
    assert "deleted on its server" in run("status").stdout
    (kept,) = rows(run("--json", "history", mine))
    assert kept["content"][0]["text"] == "kept"
    assert one(run("--json", "account", "release", email))["released"] == 1
    signed_up(run, served, "emma-again", "--adopt")
    synced = one(run("--json", "sync"))
    assert (synced["pending"], one(run("--json", "history", mine))["sequence_num"]) == (0, 1)


def test_an_account_that_is_not_here_or_not_the_only_one_is_named(run: Run, tmp_path: Path) -> None:
    def remember(url: str) -> None:
        known = Account(accounts.account_id_for(url, "u"), url, "k", "a@example.test", "u", signed_in=False)
        store.write(lambda tx: accounts.remember(tx, known)).result()

    store = Store.open(tmp_path / "profiles" / "default" / STORE_NAME)
    try:
        for port in (1, 2):
            remember(f"http://127.0.0.1:{port}")
    finally:
        store.close()
    assert "No account here" in line(run("account", "switch", "b@example.test"))
    assert "add --url" in line(run("account", "switch", "a@example.test"))
    assert one(run("--json", "account", "switch", "a@example.test", "--url", "http://127.0.0.1:2/"))[
        "url"
    ].endswith(":2")
    assert run("account", "switch").exit_code == 2
    assert run("account", "switch", "a@example.test", "--none").exit_code == 2
