"""What this device's own pushes changed on the server: stretches of changes that need not be pulled."""

from collections import deque

from storage.exchange import Span
from storage.records import Cursor


class Spans:
    """Stretches whose rows are durable here, in the order of their pushes, until the cursor has passed them."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque()

    def clear(self) -> None:
        """The server is not what it was."""
        self._spans.clear()

    def add(self, span: Span) -> None:
        """One more push is recorded."""
        last = self._spans[-1] if self._spans else None
        if last is not None and (last.epoch, last.head) == (span.epoch, span.before):
            self._spans[-1] = Span(span.epoch, last.before, span.head)
        elif span.head > span.before:
            self._spans.append(span)

    def next(self, cursor: Cursor) -> Span | None:
        """Where the cursor may move without a pull: it stands at such a stretch, or within one."""
        while self._spans and (self._spans[0].epoch != cursor.epoch or self._spans[0].head <= cursor.change):
            self._spans.popleft()
        first = self._spans[0] if self._spans else None
        if first is None or first.before > cursor.change:
            return None
        return Span(first.epoch, cursor.change, first.head)

    def reach(self, cursor: Cursor) -> int:
        """The last change that is known here, counted from the cursor without a break."""
        span = self.next(cursor)
        return span.head if span is not None else cursor.change
