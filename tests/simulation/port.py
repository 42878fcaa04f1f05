"""What the simulator needs of a device's store, whichever is behind it."""

from dataclasses import dataclass
from typing import Protocol

from storage.records import ChatId, Cursor, MessageId, SyncState
from sync.engine.interface import StoreAnswer, StoreEffect


@dataclass(frozen=True, slots=True)
class Row:
    """A message as a check sees it."""

    chat_id: ChatId
    message_id: MessageId
    sequence_num: int | None
    state: SyncState
    text: str
    reason: str | None
    deleted: bool = False


class StorePort(Protocol):
    """A durable store with one account. It survives crashes of its device."""

    def create_chat(self, chat_id: ChatId, title: str) -> None: ...

    def rename_chat(self, chat_id: ChatId, title: str) -> None: ...

    def delete_chat(self, chat_id: ChatId) -> None: ...

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str, wall: float) -> None: ...

    def retry(self, chat_id: ChatId, message_id: MessageId) -> None: ...

    def perform(self, effect: StoreEffect) -> StoreAnswer: ...

    def chats(self) -> list[ChatId]: ...

    def rows(self) -> list[Row]: ...

    def cursor(self) -> Cursor: ...

    def close(self) -> None: ...
