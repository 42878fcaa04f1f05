"""What is on the wire: the messages of one chat, or a set of chat edits."""

from dataclasses import dataclass, field

from storage.exchange import Batch, ChatEdit
from storage.records import ChatId, Message, MessageId
from sync.engine.narrowing import Narrowing


@dataclass(slots=True)
class Flight:
    """Messages of one chat under way. `epoch` is the server's as it was known when they left."""

    chat_id: ChatId
    messages: Narrowing[Message]
    epoch: str
    full: bool
    request: int = 0
    ahead: Batch | None = None

    @property
    def batch(self) -> Batch:
        """What the request under way holds."""
        return Batch(self.chat_id, self.messages.attempt)

    @property
    def last_order(self) -> int:
        """The place in this device's order after which the next batch starts."""
        return self.messages.rest[-1].local_order

    @property
    def unsent(self) -> tuple[MessageId, ...]:
        """All messages that the server has not answered for."""
        return tuple(message.message_id for message in self.messages.rest)


@dataclass(slots=True)
class Saving:
    """Chat edits under way; the batch that was loaded with them waits for the chats to exist."""

    edits: Narrowing[ChatEdit]
    batch: Batch | None
    request: int = 0
    saved: set[ChatId] = field(default_factory=set)
