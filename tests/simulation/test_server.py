"""The simulated server answers as the model that the SQL is held against."""

from dataclasses import asdict, astuple
from random import Random
from typing import Any

import pytest

from storage.exchange import (
    Batch,
    BatchVerdict,
    Change,
    ChangePage,
    ChatChange,
    ChatEdit,
    MessageChange,
    Parcel,
    ProjectChange,
    ProjectEdit,
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
from sync.errors import Refused
from tests.fakes.model import Model, Refusal
from tests.simulation.server import BORN, ModelServer

CHATS = tuple(map(ChatId, ("one", "two", "three")))
MOST = 1_000


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_both_models_of_the_server_answer_the_same(first: int) -> None:
    for seed in range(first, first + 100):
        random = Random(seed)
        pair = Pair(ModelServer(most_messages=MOST), Model())
        for _ in range(12):
            random.choice((pair.push, pair.push, pair.push, pair.delete, pair.clear))(random)
            pair.compare(random)


class Pair:
    """Two servers that are told the same."""

    def __init__(self, server: ModelServer, model: Model) -> None:
        self.server, self.model = server, model

    def push(self, random: Random) -> None:
        edits = {
            chat_id: random.choice(
                ({"title": "Trip"}, {"title": "Home", "pinned": True}, {"archived": True}, {})
                if random.random() < 0.9
                else ({"deleted": True}, {"deleted": False})
            )
            for chat_id in random.sample(CHATS, random.randrange(3))
        }
        names = {ProjectId("project"): {"name": random.choice("ab")}} if random.random() < 0.3 else {}
        words = {
            chat_id: {f"m{random.randrange(8)}": random.choice(("a", "a", "b")) for _ in range(4)}
            for chat_id in random.sample(CHATS, random.randrange(3))
        }
        receipt = self.server.push(
            Parcel(
                tuple(ProjectEdit(project_id, 1, fields) for project_id, fields in names.items()),
                tuple(ChatEdit(chat_id, 1, fields) for chat_id, fields in edits.items()),
                tuple(
                    Batch(chat_id, tuple(_message(chat_id, *each) for each in said.items()))
                    for chat_id, said in words.items()
                ),
            )
        )
        told = self.model.push_changes(
            [{"project_id": project_id, **fields} for project_id, fields in names.items()],
            [{"chat_id": chat_id, **fields} for chat_id, fields in edits.items()],
            [
                {
                    "chat_id": chat_id,
                    "messages": [
                        {"message_id": message_id, "role": "user", "content": text}
                        for message_id, text in said.items()
                    ],
                }
                for chat_id, said in words.items()
            ],
        )
        assert receipt.span is not None
        assert (receipt.span.before, receipt.span.head) == (told["before"], told["head"])
        assert [_verdicts(batch) for batch in receipt.batches] == told["batches"]
        assert list(map(_row, receipt.changes)) == list(map(_model_row, told["changes"]))

    def delete(self, random: Random) -> None:
        chat_id, ids = random.choice(CHATS), [f"m{random.randrange(9)}" for _ in range(2)]
        self._same_refusal(
            lambda: self.server.delete_messages(chat_id, ids),
            lambda: self.model.delete_messages(chat_id, ids),
        )

    def clear(self, random: Random) -> None:
        chat_id, through = random.choice(CHATS), random.randrange(5)
        self._same_refusal(
            lambda: self.server.clear_chat(chat_id, through, MOST),
            lambda: self.model.clear_chat(chat_id, through),
        )

    def compare(self, random: Random) -> None:
        at, limit = random.randrange(self.server.head + 2), random.choice((1, 3, MOST))
        cursor = Cursor(self.server.epoch, at)
        assert _page(self.server.pull_changes(cursor, limit)) == _model_page(
            self.model.pull_changes(at, limit)
        )
        assert _page(self.server.pull_summary(cursor, limit)) == _model_page(
            self.model.pull_summary(at, limit)
        )
        heads = [astuple(each) for each in self.server.pull_heads(None, MOST)]
        assert heads == self.model.chat_heads()
        holes = [Hole(chat_id, random.randint(1, 3), random.randint(3, 9)) for chat_id in CHATS]
        history = self.server.pull_history(holes, limit)
        told = self.model.pull_history([asdict(hole) for hole in holes], limit)
        assert list(map(_row, history.messages)) == list(map(_model_row, told["changes"]))
        assert [asdict(hole) for hole in history.covered] == told["covered"]

    def _same_refusal(self, server: Any, model: Any) -> None:
        codes = []
        for call in (server, model):
            try:
                call()
                codes.append("")
            except Refused as error:
                codes.append(error.code)
            except Refusal as error:
                codes.append(str(error))
        assert codes[0] == codes[1]


def _message(chat_id: ChatId, message_id: str, text: str) -> Message:
    return Message(
        chat_id,
        MessageId(message_id),
        None,
        Role.USER,
        ({"type": "text", "text": text},),
        None,
        None,
        MessageStatus.COMPLETE,
        SyncState.PENDING,
        None,
        BORN,
        0,
    )


def _verdicts(batch: BatchVerdict) -> tuple[Any, ...]:
    told = [
        (each.message_id, each.sequence_num, each.status, each.reason is not None) for each in batch.verdicts
    ]
    return (batch.chat_id, batch.fault, told)


def _page(page: ChangePage) -> tuple[Any, ...]:
    return page.cursor, page.head, page.more, page.reset, list(map(_row, page.changes))


def _model_page(page: dict[str, Any]) -> tuple[Any, ...]:
    return page["cursor"], page["head"], page["more"], page["reset"], list(map(_model_row, page["changes"]))


def _row(change: Change) -> tuple[Any, ...]:
    match change:
        case MessageChange():
            content = list(change.content)
            ids = change.chat_id, change.message_id, change.sequence_num
            return change.change, "message", *ids, content, change.revision, change.deleted
        case ChatChange():
            flags = change.pinned, change.archived, change.deleted
            return change.change, "chat", change.chat_id, change.title, *flags, change.last_sequence_num
        case ProjectChange():
            return change.change, "project", change.project_id, change.name, change.status, change.deleted
        case _:
            raise AssertionError(change)


_NAMES = {
    "message": ("chat_id", "message_id", "sequence_num", "content", "revision", "deleted"),
    "chat": ("chat_id", "title", "pinned", "archived", "deleted", "last_sequence_num"),
    "project": ("project_id", "name", "status", "deleted"),
}


def _model_row(told: dict[str, Any]) -> tuple[Any, ...]:
    row = told["row"]
    return told["change"], told["kind"], *(row[name] for name in _NAMES[told["kind"]])
