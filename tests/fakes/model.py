"""What the server promises of chats and messages, in a few plain dictionaries: the API functions must answer the same."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = tuple[Any, ...]
_FIELDS = ("title", "project_id", "model", "pinned", "archived", "deleted", "marked_unread")
_PROJECT: Mapping[str, Any] = {
    "name": "",
    "description": "",
    "status": "draft",
    "url_id": None,
    "deleted": False,
}


class Refusal(Exception):
    """The whole call is refused; the argument is the SQLSTATE."""


@dataclass
class Message:
    """One row of a chat, a tombstone when `deleted`. `body` is what decides between duplicate and conflict."""

    message_id: str
    number: int
    body: tuple[Any, ...]
    change: int
    revision: int = 1
    deleted: bool = False
    copied_from: str | None = None

    def fields(self) -> dict[str, Any]:
        role, content, annotations, turn_id = self.body
        return {
            "message_id": self.message_id,
            "sequence_num": self.number,
            "role": role,
            "content": [] if self.deleted else content,
            "annotations": None if self.deleted else annotations,
            "turn_id": turn_id,
            "status": "complete",
            "revision": self.revision,
            "deleted": self.deleted,
            "copied_from": self.copied_from,
        }


@dataclass
class Chat:
    """One chat with its messages by id, tombstones included, in the order of their numbers."""

    chat_id: str
    change: int = 0
    read_upto: int = 0
    forked_from: tuple[str | None, int | None] = (None, None)
    fields: dict[str, Any] = field(
        default_factory=lambda: {
            "title": "",
            "project_id": None,
            "model": None,
            "pinned": False,
            "archived": False,
            "deleted": False,
            "marked_unread": False,
        }
    )
    messages: dict[str, Message] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return len(self.messages)

    def living(self) -> list[Message]:
        return [each for each in self.messages.values() if not each.deleted]

    def row(self) -> dict[str, Any]:
        origin, through = self.forked_from
        return self.fields | {
            "chat_id": self.chat_id,
            "last_sequence_num": self.last,
            "read_upto": self.read_upto,
            "forked_from_chat_id": origin,
            "forked_from_sequence_num": through,
        }


@dataclass
class Project:
    """One project."""

    project_id: str
    change: int = 0
    fields: dict[str, Any] = field(default_factory=lambda: dict(_PROJECT))

    def row(self) -> dict[str, Any]:
        return self.fields | {"project_id": self.project_id}


class Model:
    """One owner's chats and projects. Each method is a function of the API; a reason is given as whether there is one."""

    def __init__(self) -> None:
        self.chats: dict[str, Chat] = {}
        self.projects: dict[str, Project] = {}
        self.head = 0

    def save_chats(self, chats: Sequence[Mapping[str, Any]]) -> list[Row]:
        return [self._save_chat(sent) for sent in chats]

    def save_projects(self, projects: Sequence[Mapping[str, Any]]) -> list[Row]:
        return [self._save_project(sent) for sent in projects]

    def push_changes(
        self,
        projects: Sequence[Mapping[str, Any]],
        chats: Sequence[Mapping[str, Any]],
        batches: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        for key, sent in (("project_id", projects), ("chat_id", chats), ("chat_id", batches)):
            if len({each[key] for each in sent}) < len(sent):
                raise Refusal("PT400")
        before = self.head
        saved_projects, saved_chats = self.save_projects(projects), self.save_chats(chats)
        told = [self._append_batch(each["chat_id"], each["messages"]) for each in batches]
        rows: list[tuple[int, str, dict[str, Any]]] = [
            (held.change, "project", held.row())
            for held in (self.projects[row[0]] for row in saved_projects if row[1] == "saved")
        ]
        rows += [
            (held.change, "chat", held.row())
            for held in (self.chats[row[0]] for row in saved_chats if row[1] == "saved")
        ]
        return {
            "before": before,
            "head": self.head,
            "projects": saved_projects,
            "chats": saved_chats,
            "batches": told,
            "changes": [_change(*row) for row in rows],
        }

    def append_messages(self, chat_id: str, messages: Sequence[Mapping[str, Any]]) -> list[Row]:
        chat = self._open(chat_id)
        return [self._append(chat, sent) for sent in messages]

    def delete_messages(self, chat_id: str, message_ids: Sequence[str]) -> list[Row]:
        chat = self._open(chat_id)
        self._erase(chat, [chat.messages[each] for each in message_ids if each in chat.messages])
        return [
            (each, chat.messages[each].number, "deleted", False)
            if each in chat.messages
            else (each, None, "rejected", True)
            for each in message_ids
        ]

    def clear_chat(self, chat_id: str, through: int) -> dict[str, Any]:
        chat = self._open(chat_id)
        return {
            "deleted": self._erase(chat, [each for each in chat.living() if each.number <= through]),
            "more": False,
        }

    def fork_chat(
        self, chat_id: str, new_chat_id: str, through: int | None, title: str | None
    ) -> dict[str, Any]:
        if chat_id not in self.chats:
            raise Refusal("PT404")
        known = self.chats.get(new_chat_id)
        if known is not None:
            same = known.forked_from[0] == chat_id and through in (None, known.forked_from[1])
            copies = sum(each.copied_from is not None for each in known.messages.values())
            return self._forked("duplicate" if same else "conflict", known, copies)
        chat = self._open(chat_id)
        upto = chat.last if through is None else through
        if not 0 <= upto <= chat.last:
            raise Refusal("PT400")
        fork = self.chats[new_chat_id] = Chat(new_chat_id, self._next(), forked_from=(chat_id, upto))
        inherited = {"title": chat.fields["title"] if title is None else title}
        fork.fields |= inherited | {name: chat.fields[name] for name in ("project_id", "model")}
        for original in [each for each in chat.living() if each.number <= upto]:
            digest = hashlib.md5(f"{new_chat_id}:{original.message_id}".encode(), usedforsecurity=False)
            message_id = str(uuid.UUID(digest.hexdigest()))
            copy = Message(message_id, fork.last + 1, (*original.body[:3], None), self._next())
            copy.copied_from = original.message_id
            fork.messages[message_id] = copy
        fork.read_upto = fork.last
        return self._forked("forked", fork, fork.last)

    def list_messages(self, chat_id: str, before: int | None, limit: int) -> list[dict[str, Any]]:
        held = self.chats[chat_id].messages.values() if chat_id in self.chats else []
        below = [each for each in held if before is None or each.number < before]
        return [each.fields() for each in reversed(below)][:limit]

    def count_messages(self, chat_id: str) -> int:
        return len(self.chats[chat_id].living()) if chat_id in self.chats else 0

    def chat_heads(self) -> list[Row]:
        return [
            (chat.chat_id, chat.last, len(chat.living()), _digest(chat))
            for chat in sorted(self.chats.values(), key=lambda chat: chat.chat_id)
        ]

    def pull_changes(self, cursor: int, limit: int) -> dict[str, Any]:
        """Within one epoch, which the answer leaves out."""
        return self._page(self._rows() + self._message_rows(), cursor, limit)

    def pull_summary(self, cursor: int, limit: int) -> dict[str, Any]:
        """As `pull_changes`."""
        return self._page(self._rows(), cursor, limit)

    def pull_history(self, holes: Sequence[Mapping[str, Any]], limit: int) -> dict[str, Any]:
        rows: list[tuple[int, str, dict[str, Any]]] = []
        covered = []
        for hole in holes:
            chat = self.chats.get(hole["chat_id"])
            within = [
                each
                for each in reversed(chat.messages.values() if chat else ())
                if hole["first"] <= each.number <= hole["last"]
            ]
            taken = within[: limit - len(rows)]
            if within and not taken:
                break
            rows += [(each.change, "message", each.fields() | {"chat_id": hole["chat_id"]}) for each in taken]
            first = taken[-1].number if len(taken) < len(within) else hole["first"]
            covered.append({**hole, "first": first})
            if len(taken) < len(within):
                break
        return {"changes": [_change(*row) for row in rows], "covered": covered}

    def _rows(self) -> list[tuple[int, str, dict[str, Any]]]:
        chats = [(each.change, "chat", each.row()) for each in self.chats.values()]
        return chats + [(each.change, "project", each.row()) for each in self.projects.values()]

    def _message_rows(self) -> list[tuple[int, str, dict[str, Any]]]:
        return [
            (each.change, "message", each.fields() | {"chat_id": chat.chat_id})
            for chat in self.chats.values()
            for each in chat.messages.values()
        ]

    def _page(self, rows: list[tuple[int, str, dict[str, Any]]], cursor: int, limit: int) -> dict[str, Any]:
        reset = cursor > self.head
        after = 0 if reset else cursor
        upcoming = sorted((row for row in rows if row[0] > after), key=lambda row: row[0])
        page = upcoming[:limit]
        return {
            "cursor": page[-1][0] if page else after,
            "head": self.head,
            "reset": reset,
            "more": len(upcoming) > len(page),
            "changes": [_change(*row) for row in page],
        }

    def _save_chat(self, sent: Mapping[str, Any]) -> Row:
        if not isinstance(sent.get("title", ""), str):
            return (sent["chat_id"], "rejected", True)
        chat = self.chats.get(sent["chat_id"])
        new = chat is None
        chat = chat or self.chats.setdefault(sent["chat_id"], Chat(sent["chat_id"]))
        read_upto = max(chat.read_upto, min(sent.get("read_upto", 0), chat.last))
        fields = chat.fields | {name: sent[name] for name in _FIELDS if name in sent}
        if new or (fields, read_upto) != (chat.fields, chat.read_upto):
            chat.fields, chat.read_upto, chat.change = fields, read_upto, self._next()
        return (sent["chat_id"], "saved", False)

    def _save_project(self, sent: Mapping[str, Any]) -> Row:
        project = self.projects.get(sent["project_id"])
        held = project.fields if project else _PROJECT
        fields = {**held, **{name: sent[name] for name in _PROJECT if name in sent}}
        if project is not None and fields == held:
            return (sent["project_id"], "saved", False)
        address = None if fields["deleted"] else fields["url_id"]
        others = [each for each in self.projects.values() if each is not project]
        if address is not None and any(
            each.fields["url_id"] == address and not each.fields["deleted"] for each in others
        ):
            return (sent["project_id"], "rejected", True)
        project = project or self.projects.setdefault(sent["project_id"], Project(sent["project_id"]))
        project.fields, project.change = fields, self._next()
        return (sent["project_id"], "saved", False)

    def _append_batch(self, chat_id: str, messages: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        chat = self.chats.get(chat_id)
        if chat is None or chat.fields["deleted"]:
            return (chat_id, "deleted" if chat else "unknown", [])
        return (chat_id, None, [self._append(chat, sent) for sent in messages])

    def _next(self) -> int:
        self.head += 1
        return self.head

    def _open(self, chat_id: str) -> Chat:
        if chat_id not in self.chats:
            raise Refusal("PT404")
        if self.chats[chat_id].fields["deleted"]:
            raise Refusal("PT410")
        return self.chats[chat_id]

    def _append(self, chat: Chat, sent: Mapping[str, Any]) -> Row:
        content = sent["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        body = (sent["role"], parts, sent.get("annotations"), sent.get("turn_id"))
        message_id = sent["message_id"]
        if not parts or content == "":
            return (message_id, None, "rejected", True)
        held = chat.messages.get(message_id)
        if held is not None:
            same = held.body == body
            return (message_id, held.number, "duplicate" if same else "conflict", not same)
        if body[3] is not None and any(
            (each.body[0], each.body[3]) == (body[0], body[3]) for each in chat.messages.values()
        ):
            return (message_id, None, "rejected", True)
        chat.messages[message_id] = Message(message_id, chat.last + 1, body, self._next())
        return (message_id, chat.last, "inserted", False)

    def _erase(self, chat: Chat, messages: Sequence[Message]) -> int:
        erased = 0
        for each in messages:
            if not each.deleted:
                each.deleted, each.revision, each.change = True, each.revision + 1, self._next()
                erased += 1
        return erased

    def _forked(self, status: str, chat: Chat, copied: int) -> dict[str, Any]:
        return {"status": status, "chat_id": chat.chat_id, "copied": copied, "last_sequence_num": chat.last}


def _change(change: int, kind: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"change": change, "kind": kind, "row": row}


def _digest(chat: Chat) -> str:
    digest = 0
    for each in chat.messages.values():
        text = f"{each.number}:{each.message_id}:{each.revision}"
        digest ^= int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16], 16)
    return f"{digest:016x}"
