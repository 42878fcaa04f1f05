"""A stretch of a chat as it is held here: messages newest first, and the holes between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from storage.records import Hole, Message, Page, Position


@dataclass(frozen=True, slots=True)
class Stretch:
    """`holes[i]` lies right above `held[i]` towards the past; below the last message either `older` goes on or `gap`
    does, and with neither the chat begins there."""

    held: tuple[Message, ...] = ()
    holes: Mapping[int, Hole] = field(default_factory=dict)
    older: Position | None = None
    gap: Hole | None = None

    @property
    def newest_hole(self) -> Hole | None:
        """The hole that is closest to the present."""
        return self.holes[min(self.holes)] if self.holes else self.gap

    @property
    def onwards(self) -> Position | None:
        """Where the past goes on, below the gap if one lies there; None at the chat's beginning."""
        return Position(self.gap.first, 0) if self.gap else self.older

    def then(self, past: "Stretch") -> "Stretch":
        """This one and what was read from `onwards`."""
        length = len(self.held)
        between = {length: self.gap} if self.gap else {}
        later = {at + length: hole for at, hole in past.holes.items()}
        return _ended(
            Stretch(self.held + past.held, {**self.holes, **between, **later}, past.older, past.gap)
        )

    def without_newest(self, count: int) -> "Stretch":
        """Without its `count` newest messages."""
        holes = {at - count: hole for at, hole in self.holes.items() if at > count}
        return replace(self, held=self.held[count:], holes=holes)

    def cut(self, length: int) -> "Stretch":
        """Its newest messages only."""
        if length >= len(self.held):
            return self
        held = self.held[:length]
        holes = {at: hole for at, hole in self.holes.items() if at < length}
        return Stretch(held, holes, place(held[-1]))


def read(
    page: Callable[[Position | None, int], Page], before: Position | None, limit: int, *, across: bool
) -> Stretch:
    """Up to `limit` messages before a position; with `across` also what is held beyond a hole."""
    held: list[Message] = []
    holes: dict[int, Hole] = {}
    while True:
        found = page(before, limit - len(held))
        held += found.messages
        if found.gap is None or not across or len(held) >= limit:
            return _ended(Stretch(tuple(held), holes, found.older, found.gap))
        holes[len(held)] = found.gap
        before = Position(found.gap.first, 0)


def place(message: Message) -> Position:
    """Where a message stands in its chat."""
    return Position(message.sequence_num, message.local_order)


def just_above(message: Message) -> Position:
    """The place from which a page begins with this message."""
    if message.sequence_num is None:
        return Position(None, message.local_order + 1)
    return Position(message.sequence_num + 1, message.local_order)


def _ended(stretch: Stretch) -> Stretch:
    """A hole with nothing held beyond it is where the stretch ends."""
    last = stretch.holes.get(len(stretch.held))
    if last is None:
        return stretch
    holes = {at: hole for at, hole in stretch.holes.items() if hole is not last}
    return replace(stretch, holes=holes, gap=last)
