"""A parcel as a row of items, so that it can be cut anywhere: projects, then chats, then messages in author order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeAlias

from storage.exchange import (
    Batch,
    BatchVerdict,
    ChatEdit,
    ChatVerdict,
    Parcel,
    ProjectEdit,
    ProjectVerdict,
    Receipt,
)
from storage.records import ChatId, Message

Item: TypeAlias = ProjectEdit | ChatEdit | Message


def items(parcel: Parcel) -> tuple[Item, ...]:
    """All that the parcel holds, in the order in which the server takes it: what comes first never needs the rest."""
    return (*parcel.projects, *parcel.edits, *messages(parcel))


def messages(parcel: Parcel) -> tuple[Message, ...]:
    """The messages of all batches."""
    return tuple(message for batch in parcel.batches for message in batch.messages)


def pack(row: Sequence[Item]) -> Parcel:
    """The parcel of a stretch of such a row."""
    said = [item for item in row if isinstance(item, Message)]
    return Parcel(
        tuple(item for item in row if isinstance(item, ProjectEdit)),
        tuple(item for item in row if isinstance(item, ChatEdit)),
        tuple(
            Batch(chat_id, tuple(group)) for chat_id, group in groupby(said, lambda message: message.chat_id)
        ),
    )


def kept(parcel: Parcel, keeps: Callable[[Item], bool]) -> Parcel:
    """The parcel without the items that are not to be kept."""
    return pack([item for item in items(parcel) if keeps(item)])


def subject(item: Item) -> str:
    """The chat or project that the item belongs to."""
    return item.project_id if isinstance(item, ProjectEdit) else item.chat_id


def ends(parcel: Parcel) -> dict[ChatId, int]:
    """Where each chat's next messages start: behind the last one of the parcel, in this device's order."""
    return {batch.chat_id: batch.messages[-1].local_order for batch in parcel.batches}


def fits(parcel: Parcel, receipt: Receipt) -> bool:
    """Whether the receipt speaks of all that the parcel holds, in its order, and of nothing else."""
    return (
        [edit.project_id for edit in parcel.projects] == [verdict.project_id for verdict in receipt.projects]
        and [edit.chat_id for edit in parcel.edits] == [verdict.chat_id for verdict in receipt.chats]
        and [batch.chat_id for batch in parcel.batches] == [verdict.chat_id for verdict in receipt.batches]
        and all(map(_fits, parcel.batches, receipt.batches))
    )


def refusal(item: ProjectEdit | ChatEdit, reason: str) -> Receipt:
    """What the server would have said of an edit, had it not refused the whole call for it."""
    nothing = Receipt((), (), (), (), None)
    if isinstance(item, ProjectEdit):
        return replace(nothing, projects=(ProjectVerdict(item.project_id, False, reason),))
    return replace(nothing, chats=(ChatVerdict(item.chat_id, False, reason),))


def refused_chats(receipt: Receipt) -> frozenset[ChatId]:
    """Chats that were not saved."""
    return frozenset(verdict.chat_id for verdict in receipt.chats if not verdict.accepted)


def faulty_chats(receipt: Receipt) -> frozenset[ChatId]:
    """Chats whose messages were not even looked at."""
    return frozenset(verdict.chat_id for verdict in receipt.batches if verdict.fault is not None)


def _fits(batch: Batch, verdict: BatchVerdict) -> bool:
    if verdict.fault is not None:
        return not verdict.verdicts
    return [message.message_id for message in batch.messages] == [
        each.message_id for each in verdict.verdicts
    ]
