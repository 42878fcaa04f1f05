"""Which changes need not be pulled, since this device made them."""

import pytest

from storage.exchange import Span
from storage.records import Cursor
from sync.engine.spans import Spans


@pytest.mark.parametrize(
    ("pushed", "cursor", "reach"),
    [
        ([], 5, 5),
        ([(5, 8)], 5, 8),
        ([(5, 8), (8, 9)], 5, 9),
        ([(5, 8), (8, 9)], 7, 9),
        ([(5, 8), (9, 12)], 5, 8),
        ([(5, 8), (9, 12)], 9, 12),
        ([(6, 8)], 5, 5),
        ([(2, 4)], 5, 5),
        ([(5, 5)], 5, 5),
    ],
    ids=[
        "nothing pushed",
        "level before the push",
        "two in a row",
        "pulled half-way through them",
        "somebody else between",
        "somebody else between, pulled",
        "somebody else before",
        "long ago",
        "changed nothing",
    ],
)
def test_the_cursor_passes_what_was_pushed_and_nothing_else(
    pushed: list[tuple[int, int]], cursor: int, reach: int
) -> None:
    spans = Spans()
    for before, head in pushed:
        spans.add(Span("epoch", before, head))
    assert spans.reach(Cursor("epoch", cursor)) == reach


def test_what_was_pushed_in_another_epoch_means_nothing() -> None:
    spans = Spans()
    spans.add(Span("epoch-1", 5, 8))
    assert spans.reach(Cursor("epoch-2", 5)) == 5
