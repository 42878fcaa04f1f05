"""Stretches of missing messages, and what an answer leaves of them."""

from collections.abc import Iterable, Iterator, Sequence

from storage.records import Hole


def without(holes: Sequence[Hole], covered: Iterable[Hole]) -> tuple[Hole, ...]:
    """What is left of the holes, in their order."""
    left = tuple(holes)
    for gone in covered:
        left = tuple(rest for hole in left for rest in _cut(hole, gone))
    return left


def _cut(hole: Hole, gone: Hole) -> Iterator[Hole]:
    if hole.chat_id != gone.chat_id or gone.last < hole.first or gone.first > hole.last:
        yield hole
        return
    if gone.last < hole.last:
        yield Hole(hole.chat_id, gone.last + 1, hole.last)
    if gone.first > hole.first:
        yield Hole(hole.chat_id, hole.first, gone.first - 1)
