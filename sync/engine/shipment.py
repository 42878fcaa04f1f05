"""The one parcel that is on its way, and the next one, read from the store meanwhile."""

from dataclasses import dataclass

from storage.exchange import ChatEdit, Parcel, ProjectEdit
from storage.records import ChatId, Message
from sync.engine.narrowing import Narrowing
from sync.engine.parcels import Item, items, kept, pack


@dataclass(slots=True)
class Shipment:
    """A parcel under way. `epoch` is the server's as it was known when it left; `whole`: all of it was taken.

    `looks_ahead`: the store may well hold more, and was not asked yet; a single message is mostly all there is.
    """

    parcel: Parcel
    epoch: str
    row: Narrowing[Item]
    request: int = 0
    whole: bool = True
    looks_ahead: bool = False
    ahead: Parcel | None = None
    refused: frozenset[ChatId] = frozenset()

    @classmethod
    def of(cls, parcel: Parcel, epoch: str, most: int | None) -> "Shipment":
        """Sent in calls of at most so many items."""
        row = items(parcel)
        return cls(parcel, epoch, Narrowing(row, most), looks_ahead=len(row) > 1)

    @property
    def call(self) -> Parcel:
        """What the request under way holds."""
        return pack(self.row.attempt)

    def leave_out(self, chats: frozenset[ChatId]) -> None:
        """Chats that the server did not take: no more of their messages go."""
        if chats:
            self.whole = False
            self.row.leave_out(lambda item: isinstance(item, Message) and item.chat_id in chats)

    def keep_ahead(self, parcel: Parcel) -> None:
        """Take the next parcel, without the edits that are on their way already."""
        under_way = {_version(edit) for edit in self.parcel.projects}
        under_way |= {_version(edit) for edit in self.parcel.edits}
        rest = kept(parcel, lambda item: isinstance(item, Message) or _version(item) not in under_way)
        self.ahead = rest if items(rest) else None


def _version(edit: ProjectEdit | ChatEdit) -> tuple[str, int]:
    if isinstance(edit, ProjectEdit):
        return edit.project_id, edit.revision
    return edit.chat_id, edit.revision
