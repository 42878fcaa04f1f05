"""Every function of the API at once, on the same few rows: no deadlock, nothing lost, doubled or left unsaid (I5 to I14)."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.fakes.cluster import Caller, Database, User, text
from tests.fakes.functions import Function, functions
from tests.fakes.ledger import faults
from tests.fakes.turns import let_expire

THREADS = 8
CALLS = 300
EXPECTED = {"PT404", "PT410", "55P03"}
"""A turn that was not begun, a chat or project that is deleted just now, a lock that was not free in time."""

CHATS = tuple(str(uuid.UUID(int=number)) for number in (3, 2, 5))
FORKS = tuple(str(uuid.UUID(int=number)) for number in (1, 4, 6))
PROJECTS = tuple(str(uuid.UUID(int=number)) for number in (9, 8))
LEASES = tuple(str(uuid.UUID(int=number)) for number in (10, 11))
TURNS = tuple(f"turn {number}" for number in range(60))
UNSTAMPED = {"updated_at", "last_sequence_num"}
"""What an append moves in its chat's row, which a device tells from the messages themselves."""

TURN = ("p_chat_id", "p_turn_id", "p_lease_id")
RUNNING = "select chat_id::text, turn_id, lease_id::text from public.turn_leases where ended_at is null"

Arguments = dict[str, object]


def _id(chance: random.Random) -> str:
    return f"message {chance.randrange(chance.choice([300, 10**6]))}"


def _turn(chance: random.Random) -> dict[str, object]:
    return {
        "p_chat_id": chance.choice(CHATS),
        "p_turn_id": chance.choice(TURNS),
        "p_lease_id": chance.choice(LEASES),
    }


def _append(chance: random.Random) -> Arguments:
    turn = {"turn_id": chance.choice(TURNS)} if chance.random() < 0.2 else {}
    sent = [text(_id(chance), **turn) for _ in range(chance.randint(1, 6))]
    return {"p_chat_id": chance.choice(CHATS + FORKS[:1]), "p_messages": sent}


def _save_chats(chance: random.Random) -> Arguments:
    def edit(chat: str) -> dict[str, object]:
        return {"chat_id": chat} | chance.choice(
            [
                {"title": str(chance.random()), "project_id": chance.choice(PROJECTS)},
                {"read_upto": chance.randrange(500), "marked_unread": chance.random() < 0.5},
                {"deleted": chance.random() < 0.2},
                {"deleted": False},
            ]
        )

    return {"p_chats": [edit(chat) for chat in chance.sample(CHATS, 3)]}


def _save_projects(chance: random.Random) -> Arguments:
    def edit(project: str) -> dict[str, object]:
        address = chance.choice([None, "here", "there"])
        return {"project_id": project, "url_id": address, "deleted": chance.random() < 0.2}

    return {"p_projects": [edit(project) for project in chance.sample(PROJECTS, 2)]}


def _save_snapshot(chance: random.Random) -> Arguments:
    files = {"a.txt": {"content": str(chance.randrange(5))}}
    return {"p_project_id": chance.choice(PROJECTS), "p_snapshot": {"files": files}}


def _pin(chance: random.Random) -> Arguments:
    def resource() -> dict[str, object]:
        return {
            "source": f"{chance.randrange(40)}.md",
            "kind": "document",
            "body": "x" * chance.randrange(65_000),
        }

    return {"p_chat_id": chance.choice(CHATS), "p_resources": [resource() for _ in range(3)]}


def _push(chance: random.Random) -> Arguments:
    batches = [
        {"chat_id": chat, "messages": _append(chance)["p_messages"]}
        for chat in chance.sample(CHATS + FORKS, chance.randint(1, 4))
    ]
    projects = _save_projects(chance) if chance.random() < 0.3 else {"p_projects": []}
    return _save_chats(chance) | projects | {"p_batches": batches}


CALLED: Mapping[str, Callable[[random.Random], Arguments]] = {
    "append_messages": _append,
    "begin_turn": lambda chance: (
        _turn(chance)
        | {
            "p_user": text(_id(chance)) if chance.random() < 0.7 else None,
            "p_assistant": {"message_id": _id(chance)},
        }
    ),
    "chat_heads": lambda chance: {},
    "checkpoint_turn": lambda chance: (
        _turn(chance)
        | {"p_checkpoint": chance.randrange(50), "p_content": "so far" if chance.random() < 0.7 else None}
    ),
    "clear_chat": lambda chance: {"p_chat_id": chance.choice(CHATS), "p_through": chance.randrange(60)},
    "count_messages": lambda chance: {"p_chat_id": chance.choice(CHATS)},
    "delete_messages": lambda chance: {
        "p_chat_id": chance.choice(CHATS),
        "p_message_ids": [_id(chance) for _ in range(8)],
    },
    "finish_turn": lambda chance: (
        _turn(chance)
        | {
            "p_status": chance.choice(["complete", "error"]),
            "p_content": "all",
            "p_usage": {"total_tokens": 3},
        }
    ),
    "fork_chat": lambda chance: {
        "p_chat_id": chance.choice(CHATS + FORKS),
        "p_new_chat_id": chance.choice(FORKS),
    },
    "get_snapshot": lambda chance: {"p_project_id": chance.choice(PROJECTS)},
    "list_messages": lambda chance: {"p_chat_id": chance.choice(CHATS)},
    "pin_context": _pin,
    "pull_changes": lambda chance: {"p_epoch": None, "p_cursor": 0, "p_limit": 20},
    "pull_history": lambda chance: {
        "p_holes": [{"chat_id": chat, "first": 1, "last": chance.randrange(500)} for chat in CHATS]
    },
    "pull_summary": lambda chance: {"p_epoch": None, "p_cursor": 0, "p_limit": 20},
    "push_changes": _push,
    "save_chats": _save_chats,
    "save_projects": _save_projects,
    "save_snapshot": _save_snapshot,
    "server_check": lambda chance: {},
    "unpin_context": lambda chance: {
        "p_chat_id": chance.choice(CHATS),
        "p_sources": [f"{chance.randrange(40)}.md" for _ in range(3)],
    },
}


class _Device:
    """What a device has that pulls on and on from its cursor."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.cursor = 0
        self.rows: dict[tuple[object, ...], dict[str, Any]] = {}

    def pull(self, caller: Caller) -> bool:
        """Pulls a page; whether there is more."""
        answer = caller.pull(self.epoch, self.cursor, 100)
        assert answer["reset"] == (self.epoch is None)
        numbers = [change["change"] for change in answer["changes"]]
        assert numbers == sorted(set(numbers))
        assert not numbers or (self.cursor < numbers[0] and numbers[-1] <= answer["cursor"] <= answer["head"])
        self.epoch, self.cursor = answer["epoch"], answer["cursor"]
        for change in answer["changes"]:
            kind, row = change["kind"], change["row"]
            ids = ("project_id",) if kind in {"project", "snapshot"} else ("chat_id", "message_id", "source")
            left_out = UNSTAMPED if kind == "chat" else set[str]()
            place = (kind, *(row.get(each) for each in ids))
            self.rows[place] = {name: value for name, value in row.items() if name not in left_out}
        return bool(answer["more"])


@pytest.fixture
def person(database: Database) -> User:
    user = database.new_user()
    with user.signed_in() as caller:
        caller.save(*({"chat_id": chat} for chat in CHATS))
        caller.save_projects(*({"project_id": project} for project in PROJECTS))
    return user


def _work(person: User, api: Mapping[str, Function], seed: int) -> Counter[str]:
    chance = random.Random(seed)
    heard = Counter[str]()
    with person.signed_in() as caller:
        for _ in range(CALLS):
            name = chance.choice(list(CALLED))
            try:
                running = caller.rows(RUNNING) if name in {"checkpoint_turn", "finish_turn"} else []
                turn = dict(zip(TURN, chance.choice(running), strict=True)) if running else {}
                api[name].run(caller.connection, CALLED[name](chance) | turn)
                heard[name] += 1
            except psycopg.Error as error:
                if error.sqlstate not in EXPECTED:
                    raise
            if chance.random() < 0.05:
                for chat in CHATS:
                    let_expire(person.database, chat)
    return heard


def _follow(person: User, over: threading.Event, device: _Device) -> None:
    with person.signed_in() as caller:
        while not over.is_set():
            device.pull(caller)


def test_all_functions_at_once_deadlock_lose_and_double_nothing(database: Database, person: User) -> None:
    with database.connect() as admin:
        api = functions(admin)
    assert set(api) == set(CALLED)
    over, device = threading.Event(), _Device()
    with ThreadPoolExecutor(THREADS + 1) as threads:
        following = threads.submit(_follow, person, over, device)
        try:
            heard = sum(threads.map(lambda seed: _work(person, api, seed), range(THREADS)), Counter[str]())
        finally:
            over.set()
        following.result(60)
    assert set(heard) == set(CALLED)
    with person.signed_in() as caller, database.connect() as admin:
        for chat in CHATS:
            let_expire(database, chat)
        anew = _Device()
        for each in (device, anew):
            while each.pull(caller):
                pass
        assert device.rows == anew.rows
        assert {kind for kind, *_ in device.rows} == {
            "chat",
            "project",
            "message",
            "snapshot",
            "context",
            "usage",
        }
        assert caller.rows("select * from public.count_mismatches") == []
        assert faults(admin) == []
        assert caller.rows("select from public.messages where status = 'streaming'") == []
