"""The remote against a server that misbehaves: what it sends, what it makes of answers, what it raises."""

import asyncio
import dataclasses
import datetime as dt
import ipaddress
import logging
import ssl
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from storage.exchange import Batch, ChatChange, ChatEdit, MessageChange, VerdictStatus
from storage.records import ChatId, Cursor, Message, MessageId, MessageStatus, Role, SyncState
from sync.engine.refusals import Fault, fault
from sync.errors import (
    CaptivePortal,
    Refused,
    RetryLater,
    SignInAgain,
    SyncError,
    Unreachable,
    UpdateNeeded,
)
from sync.wire.remote import SupabaseRemote
from sync.wire.transport import TALKATIVE
from tests.fakes.faults import (
    HANG,
    RESET,
    Answer,
    FaultyServer,
    Raw,
    Reply,
    Request,
    Respond,
    faulty_server,
    page,
)
from tests.fakes.tokens import ListedTokens

T = TypeVar("T")
KEY = "sb_publishable_canary"
TOKEN = "token-canary"
CHAT = ChatId("0b6f3c9e-0000-4000-8000-000000000001")
WORDS = "message-canary"


def message(number: int, text: str = WORDS) -> Message:
    return Message(
        chat_id=CHAT,
        message_id=MessageId(f"m{number}"),
        sequence_num=None,
        role=Role.USER,
        content=({"type": "text", "text": text, "later": {"kept": True}},),
        annotations=None,
        turn_id=None,
        status=MessageStatus.COMPLETE,
        sync_state=SyncState.PENDING,
        sync_error=None,
        created_at="2026-11-21T10:00:00Z",
        local_order=number,
    )


BATCH = Batch(CHAT, (message(1), message(2)))
VERDICTS = [
    {"message_id": "m2", "status": "duplicate", "sequence_num": 7, "reason": None, "later": 1},
    {"message_id": "m1", "status": "rejected", "sequence_num": None, "reason": "Too odd."},
]
EMPTY_PAGE = {"epoch": "e1", "cursor": 0, "head": 0, "more": False, "reset": False, "changes": []}


def with_remote(
    respond: Respond,
    act: Callable[[SupabaseRemote, FaultyServer], Awaitable[T]],
    tokens: ListedTokens | None = None,
    tls: ssl.SSLContext | None = None,
) -> T:
    async def run() -> T:
        async with faulty_server(respond, tls) as server:
            remote = SupabaseRemote(server.url, KEY, tokens or ListedTokens(TOKEN))
            try:
                return await act(remote, server)
            finally:
                await remote.aclose()

    return asyncio.run(run())


def always(reply: Reply) -> Respond:
    return lambda _: reply


def failure(respond: Respond, tls: ssl.SSLContext | None = None) -> SyncError:
    with pytest.raises(SyncError) as caught:
        with_remote(respond, lambda remote, _: remote.append_messages(BATCH), tls=tls)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return caught.value


def test_messages_go_out_as_the_contract_says_and_verdicts_come_back_in_their_order() -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> Request:
        first, second = await remote.append_messages(BATCH)
        assert (first.message_id, first.status, first.sequence_num, first.reason) == (
            "m1",
            VerdictStatus.REJECTED,
            None,
            "Too odd.",
        )
        assert (second.message_id, second.status, second.sequence_num) == ("m2", VerdictStatus.DUPLICATE, 7)
        return server.requests[0]

    request = with_remote(lambda _: Answer(body=VERDICTS), act)
    assert (request.method, request.path) == ("POST", "/rest/v1/rpc/append_messages")
    assert request.headers["apikey"] == KEY
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-profile"] == "public"
    assert request.json["p_chat_id"] == CHAT
    assert request.json["p_messages"][0] == {
        "message_id": "m1",
        "role": "user",
        "content": [{"type": "text", "text": WORDS, "later": {"kept": True}}],
        "created_at": "2026-11-21T10:00:00Z",
    }


def test_only_the_changed_fields_of_a_chat_are_sent() -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> Any:
        (verdict,) = await remote.save_chats([ChatEdit(CHAT, 3, {"title": "Trains"})])
        assert verdict.accepted
        return server.requests[0].json

    sent = with_remote(lambda _: Answer(body=[{"chat_id": CHAT, "status": "saved", "reason": None}]), act)
    assert sent == {"p_chats": [{"chat_id": CHAT, "title": "Trains"}]}


def test_a_pull_becomes_records_and_passes_over_kinds_and_fields_of_later_versions() -> None:
    chat = {
        "chat_id": CHAT,
        "title": "Trains",
        "pinned": True,
        "created_at": "2026-11-21T11:00:00.5+01:00",
        "new": 1,
    }
    text = {"type": "text", "text": "hi", "new": [1]}
    row = {
        "chat_id": CHAT,
        "message_id": "m1",
        "sequence_num": 1,
        "role": "assistant",
        "content": [text],
        "annotations": {"a": 1},
        "turn_id": None,
        "status": "complete",
        "revision": 2,
        "created_at": "2026-11-21T10:00:00Z",
        "deleted_at": None,
    }
    answer = {
        **EMPTY_PAGE,
        "cursor": 4,
        "head": 9,
        "more": True,
        "new": 1,
        "changes": [
            {"change": 1, "kind": "chat", "row": chat},
            {"change": 2, "kind": "message", "row": row},
            {"change": 3, "kind": "hologram", "row": {"what": "ever"}},
            {
                "change": 4,
                "kind": "message",
                "row": {**row, "content": None, "deleted_at": "2026-11-21T11:00:00Z"},
            },
        ],
    }

    async def act(remote: SupabaseRemote, server: FaultyServer) -> Any:
        pulled = await remote.pull_changes(Cursor("e1", 0), 500)
        assert server.requests[0].json == {"p_epoch": "e1", "p_cursor": 0, "p_limit": 500}
        return pulled

    pulled = with_remote(lambda _: Answer(body=answer), act)
    assert (pulled.epoch, pulled.cursor, pulled.head, pulled.more, pulled.reset) == ("e1", 4, 9, True, False)
    first, second, third = pulled.changes
    assert first == ChatChange(1, CHAT, "Trains", None, None, True, False, False, "2026-11-21T10:00:00.500Z")
    assert isinstance(second, MessageChange)
    assert second.content == (text,)
    assert (second.role, second.annotations, second.revision) == (Role.ASSISTANT, {"a": 1}, 2)
    assert isinstance(third, MessageChange)
    assert (third.deleted, third.content) == (True, ())


@pytest.mark.parametrize("status", ["streaming", "interrupted", "error"])
def test_a_page_of_the_whole_server_keeps_its_messages_and_its_cursor(status: str) -> None:
    """Kinds of a later server are passed over; an erased message and an empty reply are messages."""
    row = {
        "chat_id": CHAT, "message_id": "m1", "sequence_num": 1, "role": "assistant", "content": [],
        "annotations": None, "turn_id": "t", "status": status, "revision": 1, "created_at": "2026-11-21T10:00:00Z",
        "deleted_at": None, "copied_from": "m0",
    }  # fmt: skip
    others = ("project", "snapshot", "context", "usage")
    kinds = [
        {"change": number, "kind": f"{kind}s", "row": {"status": 1}} for number, kind in enumerate(others, 1)
    ]
    erased = row | {"deleted_at": "2026-11-21T11:00:00Z", "revision": 2}
    shown = [{"change": 5, "kind": "message", "row": row}, {"change": 6, "kind": "message", "row": erased}]

    def pulled(changes: list[dict[str, Any]]) -> Any:
        async def act(remote: SupabaseRemote, server: FaultyServer) -> Any:
            return await remote.pull_changes(Cursor("e1", 0), 500)

        page = {**EMPTY_PAGE, "cursor": changes[-1]["change"], "head": 9, "more": True, "changes": changes}
        return with_remote(lambda _: Answer(body=page), act)

    page = pulled(kinds + shown)
    assert [(each.content, each.status.value, each.deleted) for each in page.changes] == [
        ((), status, False),
        ((), status, True),
    ]
    nothing_known = pulled(kinds)
    assert (nothing_known.changes, nothing_known.cursor, nothing_known.more) == ((), 4, True)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (page(), CaptivePortal),
        (page(401), CaptivePortal),
        (page(511), CaptivePortal),
        (page(500), RetryLater),
        (Answer(302, headers={"location": "http://127.0.0.1:1/"}), CaptivePortal),
        (Answer(200, b'[{"message_id": "m', {"content-type": "application/json"}), Unreachable),
        (Answer(200, b"\xff\xfe[]", {"content-type": "application/json"}), SyncError),
        (Answer(200, b"[" * 50_000 + b"]" * 50_000, {"content-type": "application/json"}), Unreachable),
        (Answer(200, b""), CaptivePortal),
        (Answer(204), CaptivePortal),
        (Answer(body={}), CaptivePortal),
        (Answer(body={"surprise": 1}), CaptivePortal),
        (Answer(body=None), CaptivePortal),
        (Answer(body=[]), UpdateNeeded),
        (Answer(body=VERDICTS[:1]), UpdateNeeded),
        (Answer(body=[*VERDICTS, VERDICTS[0]]), UpdateNeeded),
        (Answer(body=[VERDICTS[0], {"message_id": "m1", "status": "postponed"}]), UpdateNeeded),
        (Answer(body=[VERDICTS[0], {"message_id": "m1", "status": "inserted"}]), UpdateNeeded),
        (
            Answer(body=[VERDICTS[0], {"message_id": "m1", "status": ["inserted"], "sequence_num": 1}]),
            UpdateNeeded,
        ),
        (
            Answer(body=[VERDICTS[0], {"message_id": "m1", "status": "inserted", "sequence_num": True}]),
            UpdateNeeded,
        ),
        (
            Answer(body=[VERDICTS[0], {"message_id": "m1", "status": "inserted", "sequence_num": 2**63}]),
            UpdateNeeded,
        ),
        (Answer(body=[VERDICTS[0], {"message_id": "m1", "status": "rejected", "reason": {}}]), UpdateNeeded),
        (Answer(body=[VERDICTS[0], {"message_id": ["m1"], "status": "rejected"}]), UpdateNeeded),
        (Answer(400, {"code": "PT400", "message": WORDS}), Refused),
        (Answer(200, b"\x00" * 40, {"content-encoding": "gzip"}), Unreachable),
        (Raw(b"nonsense\r\n\r\n"), Unreachable),
        (
            Raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n[1,"),
            Unreachable,
        ),
        (RESET, Unreachable),
    ],
)
def test_a_bad_answer_becomes_the_error_of_its_remedy(reply: Reply, kind: type[SyncError]) -> None:
    assert isinstance(failure(always(reply)), kind)


@pytest.mark.parametrize("text", ["\ud800", float("nan")])
def test_what_json_cannot_carry_is_refused_as_this_message_alone(text: object) -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> int:
        odd = dataclasses.replace(message(1), content=({"type": "text", "text": text},))
        with pytest.raises(Refused) as caught:
            await remote.append_messages(Batch(CHAT, (odd,)))
        assert fault(caught.value) is Fault.ITEM
        return len(server.requests)

    assert with_remote(always(Answer(body=VERDICTS)), act) == 0


def test_a_proxys_page_about_size_counts_as_the_servers_own_word() -> None:
    error = failure(always(page(413)))
    assert isinstance(error, Refused)
    assert fault(error) is Fault.SIZE


def test_retry_after_reaches_the_engine() -> None:
    error = failure(lambda _: Answer(429, {"code": "PT429", "message": "slow"}, {"retry-after": "17"}))
    assert isinstance(error, RetryLater)
    assert error.after == 17.0


def test_a_server_that_never_answers_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.wire.transport.IDLE_SECONDS", 0.1)
    assert isinstance(failure(lambda _: HANG), Unreachable)


def test_a_server_that_trickles_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before the clock runs: or the call would be cut off while it connects, and its socket left to the collector.
    import_module("supabase")
    monkeypatch.setattr("sync.wire.calls.CALL_SECONDS", 0.3)
    assert isinstance(failure(lambda _: HANG), Unreachable)


def test_what_was_on_the_wire_during_a_sleep_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.wire.calls.LAST_SECONDS", 0.05)
    asked = asyncio.Event()

    def hang(_: Request) -> Reply:
        asked.set()
        return HANG

    async def act(remote: SupabaseRemote, server: FaultyServer) -> None:
        waiting = asyncio.create_task(remote.pull_changes(Cursor(), 1))
        await asked.wait()
        remote.hasten()
        with pytest.raises(Unreachable):
            await waiting
        server.respond = lambda _: Answer(body=EMPTY_PAGE)
        assert (await remote.pull_changes(Cursor(), 1)).head == 0

    with_remote(hang, act)


def test_nobody_listening_is_unreachable() -> None:
    async def run() -> None:
        async with faulty_server(lambda _: RESET) as server:
            url = server.url
        await SupabaseRemote(url, KEY, ListedTokens(TOKEN)).pull_changes(Cursor(), 1)

    with pytest.raises(Unreachable, match="network"):
        asyncio.run(run())


def test_an_untrusted_certificate_is_named(tmp_path: Path) -> None:
    error = failure(lambda _: Answer(body=VERDICTS), self_signed(tmp_path))
    assert isinstance(error, Unreachable)
    assert "certificate" in str(error)


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1080", "socks5://127.0.0.1:1080"])
def test_a_proxy_that_cannot_be_used_is_named_and_refuses_no_message(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    remote = SupabaseRemote("https://abc.example", KEY, ListedTokens(TOKEN))
    with pytest.raises(Unreachable, match="proxy"):
        asyncio.run(remote.append_messages(BATCH))


def test_a_server_on_this_computer_is_reached_past_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    page = with_remote(lambda _: Answer(body=EMPTY_PAGE), lambda remote, _: remote.pull_changes(Cursor(), 1))
    assert page.head == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(403), "The proxy of this network refuses"),
        (Answer(502), "The proxy of this network refuses"),
        (
            Answer(407, headers={"proxy-authenticate": "Basic"}),
            "The proxy of this network wants a login: write name and password into HTTPS_PROXY",
        ),
    ],
)
def test_another_server_is_reached_through_the_proxy_of_the_environment_and_its_no_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str
) -> None:
    async def run() -> None:
        async with faulty_server(lambda _: answer) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://anna:secret@"))
            with pytest.raises(Unreachable, match=words) as caught:
                await SupabaseRemote("https://abc.example", KEY, ListedTokens(TOKEN)).pull_changes(
                    Cursor(), 1
                )
            assert "secret" not in str(caught.value)
            (request,) = proxy.requests
            assert f"{request.method} {request.path}" == "CONNECT abc.example:443"
            assert request.headers["proxy-authorization"].startswith("Basic ")
            assert "authorization" not in request.headers

    asyncio.run(run())


def test_a_server_that_the_environment_excepts_is_reached_past_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> int:
        async with faulty_server(lambda _: Answer(403)) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "abc.invalid")
            with pytest.raises(Unreachable):
                await SupabaseRemote("https://abc.invalid", KEY, ListedTokens(TOKEN)).pull_changes(
                    Cursor(), 1
                )
            return len(proxy.requests)

    assert asyncio.run(run()) == 0


def test_a_refused_token_is_renewed_once_and_the_call_made_again() -> None:
    tokens = ListedTokens("stale", "fresh")

    def respond(request: Request) -> Reply:
        if request.headers["authorization"] == "Bearer stale":
            return Answer(401, {"code": "PGRST301", "message": "JWT expired"})
        return Answer(body=EMPTY_PAGE)

    async def act(remote: SupabaseRemote, server: FaultyServer) -> int:
        await asyncio.gather(*(remote.pull_changes(Cursor(), 1) for _ in range(3)))
        return len(server.requests)

    assert with_remote(respond, act, tokens) == 6
    assert tokens.tokens == ["fresh"]


def test_a_second_refusal_is_the_users_to_solve() -> None:
    tokens = ListedTokens("stale", "stale too", "never used")

    async def act(remote: SupabaseRemote, server: FaultyServer) -> int:
        with pytest.raises(SignInAgain):
            await remote.pull_changes(Cursor(), 1)
        return len(server.requests)

    refusal = Answer(401, {"code": "PT401", "message": "sign in"})
    assert with_remote(lambda _: refusal, act, tokens) == 2
    assert tokens.renewals == 1


def test_a_wrong_key_says_what_to_do_and_renews_nothing() -> None:
    tokens = ListedTokens(TOKEN)

    async def act(remote: SupabaseRemote, _: FaultyServer) -> None:
        with pytest.raises(Refused, match="publishable key") as caught:
            await remote.pull_changes(Cursor(), 1)
        assert caught.value.code == "bad_key"

    with_remote(lambda _: Answer(401, {"message": "Invalid API key", "hint": "Double check"}), act, tokens)
    assert tokens.renewals == 0


def test_calls_side_by_side_share_one_client() -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> None:
        await remote.pull_changes(Cursor(), 1)
        client = remote._calls._client
        await asyncio.gather(*(remote.pull_changes(Cursor(), 1) for _ in range(5)))
        assert remote._calls._client is client
        assert len(server.requests) == 6

    with_remote(lambda _: Answer(body=EMPTY_PAGE), act)


def test_neither_logs_nor_tracebacks_hold_a_token_a_key_or_words(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", *TALKATIVE):
        caplog.set_level(logging.DEBUG, logger=name)
    replies: list[Reply] = [
        Answer(400, {"code": "22P02", "message": WORDS, "details": WORDS}),
        page(500),
        Answer(body=[{"message_id": WORDS}]),
        RESET,
    ]
    for reply in replies:
        shown = "".join(traceback.format_exception(failure(always(reply))))
        for canary in (TOKEN, KEY, WORDS):
            assert canary not in shown
    for canary in (TOKEN, KEY, WORDS):
        assert canary not in caplog.text
    assert not [record.name for record in caplog.records if record.name.split(".")[0] in TALKATIVE]


def test_a_call_that_waited_for_its_token_opens_nothing_on_a_closed_remote() -> None:
    class SlowTokens(ListedTokens):
        asked, given = asyncio.Event(), asyncio.Event()

        async def access_token(self) -> str:
            self.asked.set()
            await self.given.wait()
            return await super().access_token()

    tokens = SlowTokens(TOKEN)

    async def act(remote: SupabaseRemote, server: FaultyServer) -> int:
        call = asyncio.create_task(remote.append_messages(BATCH))
        await tokens.asked.wait()
        await remote.aclose()
        tokens.given.set()
        with pytest.raises(Unreachable):
            await call
        return len(server.requests)

    assert with_remote(always(Answer(200, VERDICTS)), act, tokens) == 0


def test_importing_and_constructing_loads_no_network_library() -> None:
    script = (
        "import sys, sync.wire.remote, sync.login.session, sync.login.session_file, sync.wire.auth, sync.wire.realtime, sync.login.vault\n"
        "class Tokens: pass\n"
        "sync.wire.remote.SupabaseRemote('http://127.0.0.1:1', 'k', Tokens())\n"
        "heavy = {'supabase', 'httpx', 'postgrest', 'realtime', 'supabase_auth', 'keyring', 'cryptography', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    both = folder / "server.pem"
    both.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
