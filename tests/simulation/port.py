"""What the simulator needs of a device's store, whichever is behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, Protocol

from storage.records import AccountId, ChatId, Cursor, MessageId, ProjectId, SyncState
from sync.engine.interface import StoreAnswer, StoreEffect


class Row(NamedTuple):
    """A message as a check sees it; `deleted` also when its person withdrew it before it was sent."""

    owner: AccountId
    chat_id: ChatId
    message_id: MessageId
    sequence_num: int | None
    state: SyncState
    text: str
    reason: str | None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All but the messages that a device holds of one account."""

    cursor: Cursor
    opened: bool
    chats: Mapping[ChatId, Mapping[str, Any]]
    projects: Mapping[ProjectId, Mapping[str, Any]]
    missing: Mapping[ChatId, int]
    held: Mapping[ChatId, frozenset[int]]
    digests: Mapping[ChatId, str]
    context: Mapping[tuple[ChatId, str], str]
    usage: frozenset[tuple[ChatId, MessageId]]
    errands: frozenset[str]
    """What they are about."""


class StorePort(Protocol):
    """A durable store. It survives crashes of its device."""

    def create_chat(self, owner: AccountId, chat_id: ChatId, title: str) -> None: ...

    def edit_chat(self, chat_id: ChatId, name: str, value: Any) -> None: ...

    def save_project(self, owner: AccountId, project_id: ProjectId, name: str, value: Any) -> None: ...

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str, wall: float) -> None: ...

    def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None: ...

    def clear_chat(self, chat_id: ChatId) -> None: ...

    def pin(self, chat_id: ChatId, source: str, text: str) -> None: ...

    def unpin(self, chat_id: ChatId, source: str) -> None: ...

    def retry(self, chat_id: ChatId, message_id: MessageId) -> None: ...

    def keep_mine(self, chat_id: ChatId, message_id: MessageId) -> MessageId | None: ...

    def keep_theirs(self, chat_id: ChatId, message_id: MessageId) -> bool: ...

    def adopt(self, account: AccountId, chat_ids: Sequence[ChatId] | None) -> None: ...

    def forget_kinds(self, account: AccountId) -> None:
        """Be as a release left it that knew chats and messages only, but for what waits to be sent."""
        ...

    def corrupt(self, random: Random) -> ChatId | None: ...

    def perform(self, effect: StoreEffect) -> StoreAnswer: ...

    def chats(self, owners: Sequence[AccountId]) -> list[ChatId]: ...

    def rows(self) -> list[Row]: ...

    def waiting(self, account: AccountId) -> frozenset[ChatId]:
        """The chats with messages that are still to be sent."""
        ...

    def facts(self, account: AccountId) -> Facts: ...

    def close(self) -> None: ...
