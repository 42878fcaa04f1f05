"""The remote's parcels, history, heads and errands, against a server that answers what it is told to."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from storage.exchange import (
    Batch,
    BatchFault,
    ChatChange,
    ChatEdit,
    ContextChange,
    Errand,
    ErrandKind,
    ErrandVerdict,
    Head,
    Parcel,
    ProjectChange,
    ProjectEdit,
    Receipt,
    SnapshotChange,
    Span,
    UsageChange,
)
from storage.records import (
    ChatId,
    Cursor,
    Hole,
    Message,
    MessageId,
    MessageStatus,
    ProjectId,
    Role,
    SyncState,
)
from sync.errors import CaptivePortal, Refused, SyncError, UnknownFunction, UpdateNeeded
from sync.protocol import Rpc
from sync.wire.calls import READ_AT_ONCE, Calls
from sync.wire.remote import SupabaseRemote
from tests.fakes.faults import Answer, FaultyServer, Reply, Request, Respond, faulty_server
from tests.fakes.tokens import ListedTokens

T = TypeVar("T")
CHAT, OTHER = (ChatId(f"0b6f3c9e-0000-4000-8000-00000000000{number}") for number in (1, 2))
PROJECT = ProjectId("0b6f3c9e-0000-4000-8000-000000000009")
MISSING = Answer(404, {"code": "PGRST202", "message": "Could not find the function"})
TIMES = {"created_at": "2026-11-21T10:00:00+00:00", "updated_at": "2026-11-21T10:00:00.5+00:00"}


def message(chat_id: ChatId, message_id: str) -> Message:
    return Message(
        chat_id=chat_id,
        message_id=MessageId(message_id),
        sequence_num=None,
        role=Role.USER,
        content=({"type": "text", "text": "hi"},),
        annotations=None,
        turn_id=None,
        status=MessageStatus.COMPLETE,
        sync_state=SyncState.PENDING,
        sync_error=None,
        created_at="2026-11-21T10:00:00.000Z",
        local_order=1,
    )


PARCEL = Parcel(
    projects=(ProjectEdit(PROJECT, 1, {"name": "Rails"}),),
    edits=(ChatEdit(CHAT, 1, {"title": "Trains"}),),
    batches=(Batch(CHAT, (message(CHAT, "a"), message(CHAT, "b"))), Batch(OTHER, (message(OTHER, "c"),))),
)
CHAT_ROW = {"chat_id": CHAT, "title": "Trains", "last_sequence_num": 2, **TIMES}
PROJECT_ROW = {"project_id": PROJECT, "name": "Rails", "description": "", "status": "draft", **TIMES}
PUSHED: dict[str, Any] = {
    "epoch": "e1",
    "before": 6,
    "head": 10,
    "projects": [{"project_id": PROJECT, "status": "saved", "reason": None}],
    "chats": [{"chat_id": CHAT, "status": "rejected", "reason": "Too long."}],
    "batches": [
        {"chat_id": OTHER, "fault": "unknown", "verdicts": []},
        {
            "chat_id": CHAT,
            "fault": None,
            "verdicts": [
                {"message_id": "b", "sequence_num": 2, "status": "inserted", "reason": None},
                {"message_id": "a", "sequence_num": 1, "status": "duplicate", "reason": None},
            ],
        },
    ],
    "changes": [
        {"change": 7, "kind": "project", "row": PROJECT_ROW},
        {"change": 8, "kind": "chat", "row": CHAT_ROW},
        {"change": 9, "kind": "hologram", "row": {}},
    ],
}


def with_remote(respond: Respond, act: Callable[[SupabaseRemote, FaultyServer], Awaitable[T]]) -> T:
    async def run() -> T:
        async with faulty_server(respond) as server:
            remote = SupabaseRemote(server.url, "sb_publishable_canary", ListedTokens("token"))
            try:
                return await act(remote, server)
            finally:
                await remote.aclose()

    return asyncio.run(run())


def pushed(answer: Reply) -> Receipt:
    return with_remote(lambda _: answer, lambda remote, _: remote.push(PARCEL))


def test_a_parcel_goes_out_in_one_call_and_its_receipt_is_in_its_order() -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> Receipt:
        told = await remote.push(PARCEL)
        (request,) = server.requests
        assert request.path == "/rest/v1/rpc/push_changes"
        assert request.json["p_projects"] == [{"project_id": PROJECT, "name": "Rails"}]
        assert request.json["p_chats"] == [{"chat_id": CHAT, "title": "Trains"}]
        assert [(batch["chat_id"], len(batch["messages"])) for batch in request.json["p_batches"]] == [
            (CHAT, 2),
            (OTHER, 1),
        ]
        return told

    told = with_remote(lambda _: Answer(body=PUSHED), act)
    assert [verdict.accepted for verdict in told.projects] == [True]
    assert [(verdict.accepted, verdict.reason) for verdict in told.chats] == [(False, "Too long.")]
    first, second = told.batches
    assert [(verdict.message_id, verdict.sequence_num) for verdict in first.verdicts] == [("a", 1), ("b", 2)]
    assert (second.chat_id, second.fault, second.verdicts) == (OTHER, BatchFault.UNKNOWN, ())
    project, chat = told.changes
    assert isinstance(project, ProjectChange)
    assert project.updated_at == "2026-11-21T10:00:00.500Z"
    assert isinstance(chat, ChatChange)
    assert (chat.created_at, chat.last_sequence_num) == ("2026-11-21T10:00:00.000Z", 2)
    assert told.span == Span("e1", 6, 10)


@pytest.mark.parametrize(
    "broken",
    [
        {"head": 5},
        {"projects": []},
        {"chats": [{"chat_id": CHAT, "status": "postponed"}]},
        {"batches": PUSHED["batches"][:1]},
        {"batches": [*PUSHED["batches"], PUSHED["batches"][0]]},
        {"batches": [PUSHED["batches"][0], {"chat_id": CHAT, "fault": None, "verdicts": []}]},
        {"batches": [PUSHED["batches"][0], {"chat_id": CHAT, "fault": "moved", "verdicts": []}]},
        {"changes": [{"change": 7, "kind": "chat", "row": {"chat_id": CHAT}}]},
    ],
)
def test_a_receipt_that_does_not_answer_for_everything_once_is_none(broken: dict[str, Any]) -> None:
    with pytest.raises(UpdateNeeded):
        pushed(Answer(body={**PUSHED, **broken}))


def older_server(request: Request) -> Reply:
    """One release back: no push_changes, and the second chat is not there."""
    name = request.path.rpartition("/")[2]
    if name == Rpc.SAVE_PROJECTS:
        return Answer(body=PUSHED["projects"])
    if name == Rpc.SAVE_CHATS:
        return Answer(body=[{"chat_id": CHAT, "status": "saved", "reason": None}])
    if name == Rpc.APPEND_MESSAGES and request.json["p_chat_id"] == OTHER:
        return Answer(404, {"code": "PT404", "message": "There is no such chat."})
    if name == Rpc.APPEND_MESSAGES:
        ids = [each["message_id"] for each in request.json["p_messages"]]
        return Answer(
            body=[
                {"message_id": each, "sequence_num": number, "status": "inserted", "reason": None}
                for number, each in enumerate(ids, 1)
            ]
        )
    return MISSING


def test_a_server_one_release_back_is_served_one_function_after_the_other_and_remembered() -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> list[str]:
        for _ in range(2):
            told = await remote.push(PARCEL)
            assert (told.span, told.changes) == (None, ())
            assert [(batch.fault, len(batch.verdicts)) for batch in told.batches] == [
                (None, 2),
                (BatchFault.UNKNOWN, 0),
            ]
        return [request.path.rpartition("/")[2] for request in server.requests]

    steps = ["save_projects", "save_chats", "append_messages", "append_messages"]
    assert with_remote(older_server, act) == ["push_changes", *steps, *steps]


def test_a_batch_beyond_an_appends_limit_goes_to_an_older_server_in_parts() -> None:
    long = Parcel((), (), (Batch(CHAT, tuple(message(CHAT, f"m{number}") for number in range(1000))),))

    async def act(remote: SupabaseRemote, server: FaultyServer) -> list[int]:
        (verdict,) = (await remote.push(long)).batches
        assert [each.message_id for each in verdict.verdicts] == [f"m{number}" for number in range(1000)]
        return [len(request.json["p_messages"]) for request in server.requests[1:]]

    assert with_remote(older_server, act) == [500, 500]


def test_what_an_older_server_refuses_as_a_whole_stays_a_refusal() -> None:
    def respond(request: Request) -> Reply:
        return MISSING if request.path.endswith("push_changes") else Answer(400, {"code": "PT413"})

    with pytest.raises(Refused):
        with_remote(respond, lambda remote, _: remote.push(PARCEL))


HOLES = (Hole(CHAT, 1, 2), Hole(OTHER, 5, 9))
CALLS: list[Callable[[SupabaseRemote], Awaitable[object]]] = [
    lambda remote: remote.pull_summary(Cursor(), 10),
    lambda remote: remote.pull_history(HOLES, 10),
    lambda remote: remote.pull_heads(None, 10),
    lambda remote: remote.run_errand(Errand(1, ErrandKind.CLEAR_CHAT, CHAT, {"p_through": 3})),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [(MISSING, UnknownFunction), (Answer(body={}), CaptivePortal), (Answer(204), CaptivePortal)],
)
def test_a_function_that_is_missing_and_a_network_in_the_servers_place_are_told(
    call: Callable[[SupabaseRemote], Awaitable[object]], answer: Answer, kind: type[SyncError]
) -> None:
    with pytest.raises(kind):
        with_remote(lambda _: answer, lambda remote, _: call(remote))


def test_history_is_asked_for_by_holes_and_says_what_it_covers() -> None:
    row = {
        "chat_id": CHAT, "message_id": "a", "sequence_num": 2, "role": "user", "content": [], "status": "complete",
        "revision": 0, "deleted_at": TIMES["created_at"], **TIMES,
    }  # fmt: skip
    answer = {
        "epoch": "e1",
        "changes": [{"change": 4, "kind": "message", "row": row}],
        "covered": [{"chat_id": CHAT, "first": 2, "last": 2}],
    }

    async def act(remote: SupabaseRemote, server: FaultyServer) -> None:
        page = await remote.pull_history(HOLES, 1)
        assert server.requests[0].json["p_holes"][1] == {"chat_id": OTHER, "first": 5, "last": 9}
        assert (page.epoch, page.covered) == ("e1", (Hole(CHAT, 2, 2),))
        assert [(each.sequence_num, each.deleted) for each in page.messages] == [(2, True)]

    with_remote(lambda _: Answer(body=answer), act)


def test_heads_come_in_pages() -> None:
    rows = [{"chat_id": CHAT, "last_sequence_num": 3, "message_count": 2, "digest": "00ff00ff00ff00ff"}]

    async def act(remote: SupabaseRemote, server: FaultyServer) -> tuple[Head, ...]:
        heads = await remote.pull_heads(OTHER, 100)
        assert server.requests[0].json == {"p_after": OTHER, "p_limit": 100}
        return heads

    assert with_remote(lambda _: Answer(body=rows), act) == (Head(CHAT, 3, 2, "00ff00ff00ff00ff"),)


def test_every_kind_of_change_becomes_its_record() -> None:
    context = {
        "chat_id": CHAT, "source": "a.md", "kind": "document", "name": "A", "status": "ok", "reason": None, "body": "x",
        "source_hash": None, "content_hash": "0" * 64, "octets": 1, "deleted": False, **TIMES,
    }  # fmt: skip
    usage = {
        "chat_id": CHAT, "message_id": "a", "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
        "cost_micros": None, "models": {"m": {"total_tokens": 3}}, "truncated": True, **TIMES,
    }  # fmt: skip
    snapshot = {"project_id": PROJECT, "content_hash": "0" * 64, "octets": 9, "revision": 2, **TIMES}
    rows = [
        ("chat", CHAT_ROW),
        ("project", PROJECT_ROW),
        ("context", context),
        ("usage", usage),
        ("snapshot", snapshot),
    ]
    changes = [{"change": number, "kind": kind, "row": row} for number, (kind, row) in enumerate(rows, 1)]
    answer = {"epoch": "e", "cursor": 5, "head": 5, "more": False, "reset": True, "changes": changes}

    page = with_remote(lambda _: Answer(body=answer), lambda remote, _: remote.pull_summary(Cursor(), 10))
    kinds = [ChatChange, ProjectChange, ContextChange, UsageChange, SnapshotChange]
    assert [type(change) for change in page.changes] == kinds
    assert [change.change for change in page.changes] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "change",
    [
        7,
        {"kind": "chat", "row": CHAT_ROW},
        {"change": -1, "kind": "chat", "row": CHAT_ROW},
        {"change": 2**63, "kind": "chat", "row": CHAT_ROW},
        {"change": True, "kind": "chat", "row": CHAT_ROW},
        {"change": 1, "kind": ["chat"], "row": CHAT_ROW},
        {"change": 1, "kind": "chat"},
        {"change": 1, "kind": "chat", "row": {**CHAT_ROW, "last_sequence_num": -1}},
    ],
)
def test_a_change_that_makes_no_sense_stops_the_page(change: object) -> None:
    answer = {"epoch": "e", "cursor": 5, "head": 5, "more": False, "reset": True, "changes": [change]}
    with pytest.raises(UpdateNeeded):
        with_remote(lambda _: Answer(body=answer), lambda remote, _: remote.pull_changes(Cursor(), 10))


DELETED = {"message_id": "a", "sequence_num": 1, "status": "deleted", "reason": None}
NEVER_THERE = {
    "message_id": "b",
    "sequence_num": None,
    "status": "rejected",
    "reason": "There is no such message.",
}
GONE = Answer(410, {"code": "PT410", "message": "gone"})
REASON = "This chat was deleted on another device: copy the text into another chat."


@pytest.mark.parametrize(
    ("kind", "body", "answer", "verdict"),
    [
        (
            ErrandKind.DELETE_MESSAGES,
            {"p_message_ids": ["a"]},
            Answer(body=[DELETED]),
            ErrandVerdict(True, None),
        ),
        (
            ErrandKind.DELETE_MESSAGES,
            {"p_message_ids": ["b"]},
            Answer(body=[NEVER_THERE]),
            ErrandVerdict(True, None),
        ),
        (ErrandKind.DELETE_MESSAGES, {"p_message_ids": ["a"]}, GONE, ErrandVerdict(True, None)),
        (
            ErrandKind.CLEAR_CHAT,
            {"p_through": 9},
            Answer(body={"deleted": 5, "more": True}),
            ErrandVerdict(True, None, more=True),
        ),
        (
            ErrandKind.CLEAR_CHAT,
            {"p_through": 9},
            Answer(body={"deleted": 0, "more": False}),
            ErrandVerdict(True, None),
        ),
        (
            ErrandKind.PIN_CONTEXT,
            {"p_resources": [{"source": "a"}]},
            Answer(body=[{"source": "a", "status": "rejected", "reason": "The resource has no text."}]),
            ErrandVerdict(False, "The resource has no text."),
        ),
        (ErrandKind.PIN_CONTEXT, {"p_resources": []}, GONE, ErrandVerdict(False, REASON)),
        (
            ErrandKind.UNPIN_CONTEXT,
            {"p_sources": ["a"]},
            Answer(body=[{"source": "a", "status": "rejected", "reason": "There is no such resource."}]),
            ErrandVerdict(True, None),
        ),
        (
            ErrandKind.SAVE_SNAPSHOT,
            {"p_snapshot": {"files": {}}},
            Answer(body={"status": "duplicate", "reason": None, "revision": 1}),
            ErrandVerdict(True, None),
        ),
        (
            ErrandKind.SAVE_SNAPSHOT,
            {"p_snapshot": {}},
            Answer(body={"status": "conflict", "reason": "Another one."}),
            ErrandVerdict(False, "Another one."),
        ),
    ],
)
def test_an_errand_is_run_by_its_function_and_answered_with_a_verdict(
    kind: ErrandKind, body: dict[str, Any], answer: Answer, verdict: ErrandVerdict
) -> None:
    async def act(remote: SupabaseRemote, server: FaultyServer) -> ErrandVerdict:
        subject = PROJECT if kind is ErrandKind.SAVE_SNAPSHOT else CHAT
        told = await remote.run_errand(Errand(1, kind, subject, body))
        (request,) = server.requests
        assert request.path.endswith(f"/rpc/{kind.value.replace('-', '_')}")
        assert request.json == {("p_project_id" if subject == PROJECT else "p_chat_id"): subject, **body}
        return told

    assert with_remote(lambda _: answer, act) == verdict


@pytest.mark.parametrize("octets", [10, READ_AT_ONCE + 1])
def test_a_large_answer_is_read_beside_the_loop(octets: int) -> None:
    async def run() -> None:
        async with faulty_server(lambda _: Answer(body="x" * octets)) as server:
            calls = Calls(server.url, "sb_publishable_canary", ListedTokens("token"))
            thread = await calls.call(Rpc.CHAT_HEADS, {}, lambda _: threading.current_thread())
            await calls.aclose()
            assert (thread is threading.current_thread()) is (octets <= READ_AT_ONCE)

    asyncio.run(run())
