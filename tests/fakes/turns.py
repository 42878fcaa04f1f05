"""Turns of one chat as a caller's calls, and what the server holds of them."""

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Any

import psycopg

from tests.fakes.cluster import Caller, Database, text

Answer = dict[str, Any]


def lease() -> str:
    """A new lease's id."""
    return str(uuid.uuid4())


def question(message_id: str = "question", words: str = "why?", **fields: object) -> dict[str, object]:
    """A user's message that begins a turn."""
    return text(message_id, words, **fields)


def begin(
    caller: Caller,
    chat: str,
    turn: str,
    holder: str,
    asked: object = None,
    reply: object = "reply",
    seconds: int | None = 60,
) -> Answer:
    """Calls begin_turn; a reply that is text is its id."""
    shell = {"message_id": reply} if isinstance(reply, str) else reply
    return _call(
        caller, "begin_turn(%s, %s, %s, %s, %s, %s)", chat, turn, holder, _json(asked), _json(shell), seconds
    )


def checkpoint(
    caller: Caller,
    chat: str,
    turn: str,
    holder: str,
    number: int | None = None,
    content: object = None,
    annotations: object = None,
) -> Answer:
    """Calls checkpoint_turn; without a content it is a heartbeat."""
    return _call(
        caller,
        "checkpoint_turn(%s, %s, %s, %s, %s, %s)",
        chat,
        turn,
        holder,
        number,
        _json(content),
        _json(annotations),
    )


def finish(
    caller: Caller,
    chat: str,
    turn: str,
    holder: str,
    status: str | None = "complete",
    content: object = "because",
    annotations: object = None,
    usage: object = None,
) -> Answer:
    """Calls finish_turn."""
    return _call(
        caller,
        "finish_turn(%s, %s, %s, %s, %s, %s, %s)",
        chat,
        turn,
        holder,
        status,
        _json(content),
        _json(annotations),
        _json(usage),
    )


@dataclass(frozen=True)
class Turn:
    """A turn as one device knows it; question and reply are named after it."""

    chat: str
    name: str = "turn"
    lease: str = field(default_factory=lease)

    @property
    def reply(self) -> str:
        """The reply's id."""
        return f"reply of {self.name}"

    def begin(self, caller: Caller, seconds: int = 60) -> Answer:
        """Begins it with its question."""
        asked = question(f"question of {self.name}")
        return begin(caller, self.chat, self.name, self.lease, asked, self.reply, seconds)

    def tell(self, caller: Caller, number: int, words: str = "some") -> Answer:
        """Stores a part of the reply."""
        return checkpoint(caller, self.chat, self.name, self.lease, number, words)

    def beat(self, caller: Caller) -> Answer:
        """Says that its writer is alive."""
        return checkpoint(caller, self.chat, self.name, self.lease)

    def finish(self, caller: Caller, status: str = "complete", content: object = "all") -> Answer:
        """Ends it, with the bill."""
        usage = {"prompt_tokens": 1, "completion_tokens": 2}
        return finish(caller, self.chat, self.name, self.lease, status, content, usage=usage)


def let_expire(database: Database, chat: str) -> None:
    """Puts the end of the running turn's lease into the past, as if its holder had been silent for long."""
    with database.connect() as admin:
        admin.execute(
            "update public.turn_leases set lease_until = clock_timestamp() - interval '1 second' "
            "where chat_id = %s and ended_at is null",
            [chat],
        )


def outcome(error: psycopg.Error) -> str:
    """The SQLSTATE, of an error that tells people what to do."""
    assert error.diag.message_hint
    return str(error.sqlstate)


def words_of(content: object) -> str:
    """The text of a stored content."""
    assert isinstance(content, list)
    return "".join(part["text"] for part in content)


def assert_counters_are_right(caller: Caller) -> None:
    """Numbers without gaps, digest, count, head and changes of all chats of a caller agree with their rows."""
    for chat, last, count, digest in caller.rows("select * from chat_heads()"):
        rows = caller.rows(
            "select sequence_num, message_id, revision, deleted_at from public.messages "
            "where chat_id = %s order by 1",
            chat,
        )
        assert [row[0] for row in rows] == list(range(1, last + 1))
        assert sum(row[3] is None for row in rows) == count
        marks = (f"{number}:{message}:{revision}" for number, message, revision, _ in rows)
        prints = (int(hashlib.md5(mark.encode()).hexdigest()[:16], 16) for mark in marks)
        assert digest == f"{reduce(xor, prints, 0):016x}"
    changes = caller.rows(
        "select change from public.messages union all select change from public.chats "
        "union all select change from public.message_usage"
    )
    numbers = [row[0] for row in changes]
    assert len(numbers) == len(set(numbers))
    head = caller.rows("select head from public.owner_heads")
    assert not numbers or max(numbers) == head[0][0]


def _call(caller: Caller, call: str, *arguments: object) -> Answer:
    answer: Answer = caller.rows(f"select {call}", *arguments)[0][0]
    return answer


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)
