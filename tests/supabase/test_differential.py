"""The same random calls on the model and on PostgreSQL: the same answers, refusals, pages and digests."""

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database
from tests.fakes.functions import Function, functions
from tests.fakes.model import Model, Refusal

TRACES, MANY = 300, 5000
LENGTH = 25

Call = tuple[str, dict[str, Any]]


def _call(chance: random.Random, chats: list[str]) -> Call:
    """One call with arguments from a small world, so that ids meet again and again."""
    chat = chance.choice(chats)
    number = chance.choice([0, 1, 2, 3, 5, 8])
    fields = {
        "title": chance.choice(["", "Trip", "Work"]),
        "pinned": chance.random() < 0.5,
        "deleted": chance.random() < 0.2,
        "read_upto": number,
        "model": chance.choice([None, "m"]),
        "marked_unread": chance.random() < 0.5,
    }
    chosen = dict(chance.sample(sorted(fields.items()), k=chance.randint(0, 3)))
    calls: dict[str, Callable[[], dict[str, Any]]] = {
        "save_chats": lambda: {"p_chats": [{"chat_id": each} | chosen for each in chance.sample(chats, 2)]},
        "append_messages": lambda: {
            "p_chat_id": chat,
            "p_messages": [_message(chance) for _ in range(number)],
        },
        "delete_messages": lambda: {
            "p_chat_id": chat,
            "p_message_ids": chance.choices("abcdefghij", k=number),
        },
        "clear_chat": lambda: {"p_chat_id": chat, "p_through": number - 1},
        "fork_chat": lambda: {
            "p_chat_id": chat,
            "p_new_chat_id": chance.choice(chats),
            "p_through": chance.choice([None, number]),
            "p_title": chance.choice([None, "Fork"]),
        },
        "list_messages": lambda: {
            "p_chat_id": chat,
            "p_before": chance.choice([None, number]),
            "p_limit": number or 1,
        },
        "count_messages": lambda: {"p_chat_id": chat},
        "chat_heads": dict,
        "pull_changes": lambda: {"p_cursor": chance.randint(0, 30), "p_limit": number or 1},
        "pull_summary": lambda: {"p_cursor": chance.randint(0, 30), "p_limit": number or 1},
        "pull_history": lambda: {
            "p_holes": [_hole(chance, chats) for _ in range(chance.randint(0, 4))],
            "p_limit": number or 1,
        },
        "save_projects": lambda: {"p_projects": _projects(chance, chats, 2)},
        "push_changes": lambda: {
            "p_projects": _projects(chance, chats, chance.randint(0, 2)),
            "p_chats": [
                {"chat_id": each} | chosen | chance.choice([{}, {}, {"title": 7}])
                for each in chance.choices(chats, k=1) + chance.sample(chats, chance.randint(0, 1))
            ],
            "p_batches": [
                {"chat_id": each, "messages": [_message(chance) for _ in range(chance.randint(0, 4))]}
                for each in chance.sample(chats, chance.randint(0, 3))
            ],
        },
    }
    weights = [2, 6, 2, 1, 2, 1, 1, 1, 3, 2, 2, 1, 6]
    [name] = chance.choices(list(calls), weights)
    return name, calls[name]()


def _hole(chance: random.Random, chats: list[str]) -> dict[str, Any]:
    first = chance.randint(1, 7)
    return {"chat_id": chance.choice(chats), "first": first, "last": first + chance.randint(-1, 6)}


def _projects(chance: random.Random, ids: list[str], count: int) -> list[dict[str, Any]]:
    return [
        {"project_id": each}
        | chance.choice([{}, {"name": "P"}, {"url_id": chance.choice(["home", "work"])}, {"deleted": True}])
        for each in chance.sample(ids, count)
    ]


def _message(chance: random.Random) -> dict[str, Any]:
    return {
        "message_id": chance.choice("abcdefghij"),
        "role": chance.choice(["user", "assistant"]),
        "content": chance.choice(["one", "two", "", [], [{"type": "text", "text": "one"}]]),
        "turn_id": chance.choice([None, None, "t", "u"]),
        "annotations": chance.choice([None, {"stars": 1}]),
    }


def _expected(model: Model, name: str, arguments: dict[str, Any]) -> Any:
    try:
        return getattr(model, name)(**{key.removeprefix("p_"): value for key, value in arguments.items()})
    except Refusal as refusal:
        return str(refusal)


def _answered(
    caller: Caller, api: dict[str, Function], epoch: str, name: str, arguments: dict[str, Any]
) -> Any:
    """The answer without times, and each reason as whether there is one."""
    if name in {"pull_changes", "pull_summary"}:
        arguments = arguments | {"p_epoch": epoch}
    try:
        with caller.connection.transaction():
            rows = api[name].run(caller.connection, arguments)
    except psycopg.Error as error:
        return error.sqlstate
    if name == "list_messages":
        return [_listed(row) for row in rows]
    if name in {"pull_changes", "pull_summary", "pull_history", "push_changes"}:
        answer = rows[0][0] if name != "push_changes" else _flattened(rows[0][0])
        for each in answer["changes"]:
            _undated(each["row"])
        return {key: value for key, value in answer.items() if key != "epoch"}
    if name in {"clear_chat", "fork_chat", "count_messages"}:
        return rows[0][0]
    plain = [tuple(str(value) if isinstance(value, uuid.UUID) else value for value in row) for row in rows]
    return plain if name == "chat_heads" else [(*row[:-1], row[-1] is not None) for row in plain]


def _flattened(answer: dict[str, Any]) -> dict[str, Any]:
    """A push's answer with its verdicts as rows, as those of the other functions."""

    def verdicts(rows: list[dict[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
        return [(*(each[key] for key in keys), each["status"], each["reason"] is not None) for each in rows]

    return answer | {
        "projects": verdicts(answer["projects"], "project_id"),
        "chats": verdicts(answer["chats"], "chat_id"),
        "batches": [
            (each["chat_id"], each["fault"], verdicts(each["verdicts"], "message_id", "sequence_num"))
            for each in answer["batches"]
        ],
    }


def _undated(row: dict[str, Any]) -> None:
    if "message_id" in row:
        row["deleted"] = row.pop("deleted_at") is not None
    for name in ("created_at", "updated_at"):
        row.pop(name, None)


def _listed(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("message_id", "sequence_num", "role", "content", "annotations", "turn_id", "status")
    return dict(zip(names, row, strict=False)) | {"deleted": row[8] is not None}


def _narrowed(name: str, expected: Any) -> Any:
    """The model's rows as list_messages shows them: without what only a pull tells."""
    if name != "list_messages":
        return expected
    return [
        {key: value for key, value in row.items() if key not in {"revision", "copied_from"}}
        for row in expected
    ]


@pytest.mark.parametrize("traces", [TRACES, pytest.param(MANY, marks=pytest.mark.long)])
def test_the_model_and_the_server_answer_the_same(database: Database, traces: int) -> None:
    seen = set[str]()
    with database.new_user().signed_in() as caller:
        api = functions(caller.connection)
        epoch = caller.pull(None, 0)["epoch"]
        for seed in range(traces):
            with caller.connection.transaction(force_rollback=True):
                seen.update(_trace(caller, api, epoch, seed))
    statuses = {"saved", "inserted", "duplicate", "conflict", "rejected", "deleted", "forked"}
    pushed = {f"pushed {each}" for each in ("inserted", "duplicate", "conflict", "rejected")}
    faults = {f"fault {each}" for each in (None, "unknown", "deleted")}
    assert statuses | pushed | faults | {"PT400", "PT404", "PT410"} <= seen


def _trace(caller: Caller, api: dict[str, Function], epoch: str, seed: int) -> Iterator[str]:
    """Yields every status and refusal that occurred."""
    chance = random.Random(seed)
    chats = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(4)]
    model = Model()
    whole: list[Call] = [("pull_changes", {"p_cursor": 0, "p_limit": 5000}), ("chat_heads", {})]
    done: list[Call] = []
    while len(done) < LENGTH:
        done.append(_call(chance, chats) if len(done) < LENGTH - 2 else whole.pop())
        expected = _narrowed(done[-1][0], _expected(model, *done[-1]))
        assert _answered(caller, api, epoch, *done[-1]) == expected, (seed, done)
        yield from _statuses(expected)


def _statuses(answer: Any) -> list[str]:
    if isinstance(answer, str):
        return [answer]
    if isinstance(answer, dict):
        batches = [f"pushed {row[2]}" for batch in answer.get("batches", ()) for row in batch[2]]
        faults = [f"fault {batch[1]}" for batch in answer.get("batches", ())]
        return batches + faults + ([answer["status"]] if "status" in answer else [])
    return [str(row[-2]) for row in answer if isinstance(row, tuple)] if isinstance(answer, list) else []
