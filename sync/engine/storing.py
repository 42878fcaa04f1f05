"""The engine's line at the store: one effect at a time, in order, and patience when the disk says no."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sync.engine.backoff import Backoff
from sync.engine.desk import Desk
from sync.engine.interface import (
    AdvanceCursor,
    ApplyChanges,
    ApplySummary,
    CompareHeads,
    CountWork,
    FinishOpening,
    LoadHoles,
    LoadWork,
    StoreEffect,
    Timer,
)

LONGEST_WAIT: Final = 30.0
GIVE_UP_AFTER: Final = 5
"""An effect that fails so often in a row is dropped: all of them follow again from what the store holds."""

_READS: Final = LoadWork | CountWork | LoadHoles
_ONCE: Final = ApplyChanges | AdvanceCursor | CompareHeads
"""Never tried twice: if the first try did commit, the second would look like a rewind, or like a second opinion."""
_OPENING: Final = ApplySummary | FinishOpening
"""Given up together: an account is not opened without one of its pages."""


class StoreLine:
    """Emits store effects one after the other, so that what is read always includes what was written before."""

    def __init__(self, desk: Desk, uniform: Callable[[], float]) -> None:
        self._desk = desk
        self._backoff = Backoff(uniform)
        self._waiting: deque[StoreEffect] = deque()
        self._current: StoreEffect | None = None
        self.trouble: str | None = None
        self.full = False

    @property
    def idle(self) -> bool:
        """Nothing is under way and nothing waits."""
        return self._current is None

    def clear(self) -> None:
        """Forget everything; answers that still come are ignored."""
        self._waiting.clear()
        self._current = None
        self._settle()
        self._backoff.reset()
        self._desk.cancel_timer(Timer.STORE)

    def submit(self, effect: StoreEffect, *, urgent: bool = False) -> None:
        """Have an effect performed after all earlier ones; an urgent one, whose order does not matter, before them."""
        if urgent:
            self._waiting.appendleft(effect)
        else:
            self._waiting.append(effect)
        if self._current is None:
            self._emit_next()

    def answered(self, request: int) -> StoreEffect | None:
        """The effect that this answer belongs to, None for a late answer."""
        effect = self._current
        if effect is None or effect.request != request:
            return None
        if not isinstance(effect, _READS):
            self._backoff.reset()
        self._settle()
        self._desk.cancel_timer(Timer.STORE)
        self._emit_next()
        return effect

    def failed(self, request: int, reason: str, *, full: bool) -> StoreEffect | None:
        """Wait, then try again. Returns the effect if it is given up: the engine derives it anew."""
        effect = self._current
        if effect is None or effect.request != request:
            return None
        self.trouble, self.full = reason, full
        self._desk.set_timer(Timer.STORE, self._backoff.next_delay(LONGEST_WAIT))
        if isinstance(effect, _ONCE) or self._backoff.failures % GIVE_UP_AFTER == 0:
            if isinstance(effect, _OPENING):
                self._waiting = deque(each for each in self._waiting if not isinstance(each, _OPENING))
            self._current = self._waiting.popleft() if self._waiting else None
            return effect
        return None

    def resume(self) -> None:
        """The wait is over, or somebody else could write."""
        if self.trouble is None:
            return
        self._desk.cancel_timer(Timer.STORE)
        if self._current is None:
            self._settle()
            return
        # A new number: the failed try may still answer.
        self._current = replace(self._current, request=self._desk.next_request())
        self._desk.emit(self._current)

    def _settle(self) -> None:
        self.trouble, self.full = None, False

    def _emit_next(self) -> None:
        self._current = self._waiting.popleft() if self._waiting else None
        if self._current is not None and self.trouble is None:
            self._desk.emit(self._current)
