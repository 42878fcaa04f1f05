"""A parcel that grows chat by chat until it has its size."""

from dataclasses import dataclass, field
from typing import Final

from storage import rows
from storage.exchange import Batch, ChatEdit
from storage.records import AccountId, ChatId, Message
from storage.standing import edits
from storage.transaction import Reader

MAX_EDITS: Final = 500
_MAX_BATCHES: Final = 500
_ENVELOPE: Final = 256
"""Bytes that a message takes on the wire besides its content, at most."""


@dataclass(slots=True)
class Packing:
    """What is in it so far, and how much may still be added."""

    db: Reader
    account_id: AccountId
    left: int
    octets: int
    batches: list[Batch] = field(default_factory=list)
    created: list[ChatId] = field(default_factory=list)
    full: bool = False

    def add(self, chat_id: ChatId, after: int, *, new: bool) -> None:
        """Adds what waits in the chat behind `after`; a new chat's creation comes along."""
        found: list[Message] = []
        for row in self.db.execute(
            f"select {rows.MESSAGE} from messages where chat_id = ? and sync_state = 'pending' and local_order > ? "
            "order by local_order limit ?",
            (chat_id, after, self.left),
        ):
            message = rows.message(row)
            if message.content is rows.UNREADABLE:
                continue
            self.octets -= len(row[4].encode()) + len((row[5] or "").encode()) + _ENVELOPE
            if self.octets < 0 and (found or self.batches):
                self.full = True
                break
            found.append(message)
        if found:
            self.batches.append(Batch(chat_id, tuple(found)))
            self.left -= len(found)
            if new:
                self.created.append(chat_id)
        self.full |= self.left <= 0 or self.octets <= 0
        self.full |= len(self.batches) >= _MAX_BATCHES

    def edits(self) -> tuple[ChatEdit, ...]:
        """The creations that the batches need, then other edits."""
        unconfirmed = "account_id = ? and edited <> '' and sync_error is null"
        own = [
            self.db.execute(f"select {edits.COLUMNS} from chats where chat_id = ?", (chat_id,)).fetchone()
            for chat_id in self.created
        ]
        others = self.db.execute(
            f"select {edits.COLUMNS} from chats where {unconfirmed} order by rowid limit ?",
            (self.account_id, MAX_EDITS),
        )
        found = {row[0]: row for row in (*own, *others)}
        return tuple(edits.edit(row) for row in list(found.values())[:MAX_EDITS])
