"""What an operator sees at /metrics, who else does not, and what is never in it."""

import socket
import uuid
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.fakes.folders import open_folder
from tests.fakes.served import Served, serving
from tests.fakes.waiting import wait_for


@pytest.fixture(scope="module")
def metered() -> Iterator[Served]:
    with open_folder() as folder, serving(folder, metrics=True, host="0.0.0.0") as running:
        yield Served(
            running.url.replace("0.0.0.0", "127.0.0.1"), running.key, folder, running.process, running.log
        )


def text(served: Served) -> str:
    answer = httpx.get(f"{served.url}/metrics", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.text


def value(served: Served, name: str, **labels: str) -> float:
    """The sum of the samples of that name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text(served))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_requests_calls_and_verdicts_are_counted(metered: Served) -> None:
    anna, chat = metered.sign_up(), str(uuid.uuid4())
    before = value(metered, "homing_append_messages_total")
    anna.rpc("save_chats", p_chats=[{"chat_id": chat, "title": "t"}])
    good = {"message_id": "m", "role": "user", "content": "hello"}
    for sent in ([good], [good], [{**good, "content": "other"}], [{**good, "message_id": ""}]):
        assert anna.rpc("append_messages", p_chat_id=chat, p_messages=sent).status_code == 200
    anna.rpc("append_messages", p_chat_id=str(uuid.uuid4()), p_messages=[good])
    for verdict in ("inserted", "duplicate", "conflict", "rejected"):
        assert value(metered, "homing_append_messages_total", verdict=verdict) >= 1
    assert value(metered, "homing_append_messages_total") - before == 4
    assert value(metered, "homing_append_batch_messages_count") >= 4
    assert value(metered, "homing_rpc_calls_total", function="append_messages", status="200") >= 4
    assert value(metered, "homing_rpc_calls_total", function="append_messages", status="404") >= 1
    route = {"route": "/rest/v1/rpc/{name}"}
    assert value(metered, "homing_http_requests_total", method="POST", **route) >= 6
    assert value(metered, "homing_http_request_seconds_count", **route) >= 6
    assert value(metered, "homing_append_seconds_total") > 0
    assert value(metered, "homing_count_mismatches") == 0
    assert value(metered, "homing_postgres_pool_size") >= 1
    assert value(metered, "process_resident_memory_bytes") > 0


def test_sockets_and_pokes_are_counted(metered: Served) -> None:
    anna = metered.sign_up()
    heard = value(metered, "homing_realtime_pokes_total")
    url = f"{metered.url.replace('http', 'ws')}/realtime/v1/websocket?apikey={metered.key}"
    with connect(url, proxy=None):
        wait_for(lambda: value(metered, "homing_realtime_sockets") == 1)
        anna.rpc("save_chats", p_chats=[{"chat_id": str(uuid.uuid4()), "title": "t"}])
        wait_for(lambda: value(metered, "homing_realtime_pokes_total") > heard)
    wait_for(lambda: value(metered, "homing_realtime_sockets") == 0)


def _own_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: it only chooses the interface.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": ""}, {"Forwarded": "for=192.0.2.1"},
        {"X-Real-IP": "127.0.0.1"}, {"Via": "1.1 proxy"}, {"X-Forwarded-Host": "localhost"}, {"X-Forwarded-Proto": "https"},
        {"CF-Connecting-IP": "192.0.2.1"}, {"Host": "192.0.2.7"},
    ],
)  # fmt: skip
def test_what_a_proxy_passes_on_gets_nothing(metered: Served, headers: dict[str, str]) -> None:
    assert httpx.get(f"{metered.url}/metrics", headers=headers).status_code == 404


def test_another_machine_gets_nothing(metered: Served) -> None:
    own = _own_address()
    if own is None or own.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    url = metered.url.replace("127.0.0.1", own)
    assert httpx.get(f"{url}/health").status_code == 200
    for host in (own, "localhost"):
        assert httpx.get(f"{url}/metrics", headers={"Host": host}).status_code == 404


def test_labels_hold_nobodys_words_and_do_not_grow_with_strangers(metered: Served) -> None:
    anna, canary = metered.sign_up("canary-9c2e@x.test"), "canary-9c2e"
    chat = str(uuid.uuid4())
    anna.rpc("save_chats", p_chats=[{"chat_id": chat, "title": canary}])
    anna.rpc(
        "append_messages",
        p_chat_id=chat,
        p_messages=[{"message_id": canary, "role": "user", "content": canary}],
    )
    for number in range(20):
        httpx.get(f"{metered.url}/{canary}/{number}")
        httpx.request(f"CANARY{number}", f"{metered.url}/health")
        anna.rpc(f"canary_{number}")
    told = text(metered)
    for secret in (canary, "CANARY", "canary_", chat, anna.user_id, anna.access_token, metered.key):
        assert secret not in told


def test_nobody_is_answered_unless_the_operator_asked_for_it(served: Served) -> None:
    assert httpx.get(f"{served.url}/metrics").status_code == 404
