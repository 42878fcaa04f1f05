"""One call's worth of items on the way to the server, narrowed down when the server refuses the call as a whole."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Narrowing(Generic[T]):
    """Sends items in order, at most `most` in a call. After a refusal it halves until the item at fault stands alone.

    With n items that takes at most ceil(log2 n) + 1 calls more than the refused one, and items before the one at
    fault are accepted on the way, so their order holds.
    """

    def __init__(self, items: tuple[T, ...], most: int | None = None) -> None:
        self.rest = items
        self._suspects = 0
        self._most = most or len(items)

    @property
    def attempt(self) -> tuple[T, ...]:
        """What to send now."""
        if self._suspects:
            return self.rest[: min(self._most, (self._suspects + 1) // 2)]
        return self.rest[: self._most]

    def accepted(self) -> None:
        """The attempt went through."""
        count = len(self.attempt)
        self.rest = self.rest[count:]
        self._suspects = max(0, self._suspects - count)

    def refused(self) -> T | None:
        """The attempt has an item at fault: the item when it stood alone, None while there is more to halve."""
        if len(self.attempt) == 1:
            return self.rest[0]
        self._suspects = len(self.attempt)
        return None

    def too_large(self) -> T | None:
        """The attempt is too large as a whole: the item when even alone it is, None while there is more to halve."""
        if len(self.attempt) == 1:
            return self.rest[0]
        self._most = len(self.attempt) // 2
        return None

    def leave_out(self, needless: Callable[[T], bool]) -> None:
        """Some items need not be sent any more."""
        suspects = [item for item in self.rest[: self._suspects] if not needless(item)]
        self.rest = (*suspects, *(item for item in self.rest[self._suspects :] if not needless(item)))
        self._suspects = len(suspects)
