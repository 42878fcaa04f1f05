"""The rows of the timeline: what a message, or a hole where messages are not here, looks like."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Final

from desktop.rendering import Segment, segments
from desktop.viewmodels import status_words, words
from storage.content import plain_text
from storage.records import Hole, Message, MessageId, Part, Role
from sync.status import Phase

HOLE: Final = "hole"
"""The author of a row that stands for messages that are not here."""

COMING: Final = frozenset({Phase.SYNCING, Phase.SYNCED, Phase.PENDING})
"""While these last the server answers: what is missing comes at once, so the view waits for it."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The rendering of a message, made when a delegate first asks for it."""

    parts: tuple[Part, ...]
    rich: bool
    _made: list[list[Segment]] = field(default_factory=list, compare=False)

    def __call__(self) -> list[Segment]:
        """The segments, rendered once."""
        if not self._made:
            self._made.append(segments(self.parts, rich=self.rich))
        return self._made[0]


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message as the timeline shows it. `day` is set where a new day begins."""

    message_id: MessageId
    author: str
    segments: Segments
    plain: str
    badge: str
    badge_text: str
    status: str
    time: str
    moment: str
    day: str
    spoken: str

    @property
    def key(self) -> MessageId:
        """A message is its id."""
        return self.message_id


@dataclass(frozen=True, slots=True)
class RowInputs:
    """All that a row depends on."""

    message: Message
    day: str
    rich: bool
    today: date
    conflict: bool = False


def derive_inputs(
    held: Sequence[Message],
    *,
    complete: bool,
    rich: bool,
    today: date,
    conflicts: Container[MessageId] = (),
    breaks: Container[int] = (),
) -> list[RowInputs]:
    """What the rows of messages that come newest first depend on. `complete`: nothing older exists, so the oldest
    begins its day. Nobody knows whether a day begins right behind a hole (`breaks`)."""
    days = [words.local(message.created_at).date() for message in held]
    begins = [*(day != older for day, older in pairwise(days)), complete]
    return [
        RowInputs(
            message,
            words.day(day, today) if begin and at + 1 not in breaks else "",
            rich,
            today,
            message.message_id in conflicts,
        )
        for at, (message, day, begin) in enumerate(zip(held, days, begins, strict=False))
    ]


def derive_row(inputs: RowInputs) -> MessageRow:
    """One row."""
    message = inputs.message
    when = words.local(message.created_at)
    text = plain_text(message.content)
    badge = words.badge(message, conflict=inputs.conflict)
    return MessageRow(
        message_id=message.message_id,
        author=message.role.value,
        segments=Segments(message.content, inputs.rich and message.role is not Role.USER),
        plain=text,
        badge="conflict" if inputs.conflict else message.sync_state.value,
        badge_text=badge,
        status=message.status.value,
        time=words.clock(when),
        moment=words.moment(when, inputs.today),
        day=inputs.day,
        spoken=f"{words.speaker(message.role)}, {words.clock(when)}: {text[:2000]}. {badge}",
    )


def hole_row(hole: Hole, phase: Phase, *, alone: bool = False) -> MessageRow:
    """What stands where messages are on the server only. A hole is filled from its newest end, so its first number
    names it."""
    note = status_words.history_note(phase, all_missing=alone)
    return MessageRow(
        message_id=MessageId(f"hole {hole.first}"),
        author=HOLE,
        segments=Segments((), rich=False),
        plain="",
        badge="coming" if phase in COMING else "",
        badge_text=note,
        status="",
        time="",
        moment="",
        day="",
        spoken=note,
    )
