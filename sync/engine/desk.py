"""What the parts of the engine share: request numbers, the effects of the event at hand, and named timers."""

from sync.engine.interface import CancelTimer, Effect, SetTimer, Timer


class Desk:
    """Collects effects while one event is handled. `now` is monotonic, in seconds, and comes with the event."""

    def __init__(self) -> None:
        self.now = 0.0
        self._requests = 0
        self._effects: list[Effect] = []
        self._timers: dict[Timer, int] = {}
        self._due: dict[Timer, float] = {}
        """Of the timers that run."""

    def next_request(self) -> int:
        """A number that no effect had before."""
        self._requests += 1
        return self._requests

    def emit(self, effect: Effect) -> None:
        """Ask for something."""
        self._effects.append(effect)

    def take(self) -> list[Effect]:
        """All that was asked for since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def set_timer(self, timer: Timer, after: float) -> None:
        """(Re)start a timer; what an earlier one of this name still says is ignored."""
        generation = self._timers[timer] = self.next_request()
        self._due[timer] = self.now + after
        self.emit(SetTimer(timer, generation, after))

    def cancel_timer(self, timer: Timer) -> None:
        """Stop a timer if it runs."""
        if self._timers.pop(timer, None) is not None:
            del self._due[timer]
            self.emit(CancelTimer(timer))

    def fired(self, timer: Timer, generation: int) -> bool:
        """Whether this is the running timer of its name, which is then over."""
        if self._timers.get(timer) != generation:
            return False
        del self._timers[timer], self._due[timer]
        return True

    def runs(self, timer: Timer) -> bool:
        """Whether a timer of this name is set."""
        return timer in self._timers

    def due(self, timer: Timer) -> float | None:
        """When a timer runs out, if it is set."""
        return self._due.get(timer)

    def advance(self, now: float) -> float:
        """The clock goes on. By how much it leapt over the timer that should have come first; told once."""
        self.now = now
        first = min(self._due.values(), default=now)
        if first < now:
            self._due = {timer: max(now, due) for timer, due in self._due.items()}
        return now - first
