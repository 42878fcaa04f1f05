"""How often somebody may ask: moving windows in memory, bounded whatever a flood brings."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, NamedTuple

_KEYS_KEPT: Final = 10_000


class Rate(NamedTuple):
    """So many times within any stretch of so many seconds."""

    times: int
    seconds: float


class Rates(NamedTuple):
    """What one network address, one e-mail address, or one of them about the other may do."""

    sign_ups_of_address: Rate = Rate(300, 300)
    wrong_passwords_of_address: Rate = Rate(100, 300)
    wrong_passwords_of_address_for_email: Rate = Rate(10, 300)
    wrong_passwords_for_email: Rate = Rate(100, 3600)
    mails_of_address: Rate = Rate(100, 3600)
    mails_to_email: Rate = Rate(1, 60)
    mails_to_email_in_an_hour: Rate = Rate(10, 3600)
    proofs_of_address: Rate = Rate(100, 300)
    proofs_for_email: Rate = Rate(15, 600)
    refreshes_of_address: Rate = Rate(1800, 300)


class Limits:
    """Counts by what is asked and who asks. What was not heard of for longest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def take(self, rate: Rate, *who: str) -> float:
        """Counts one more and gives 0, or counts nothing and gives the seconds until one more is allowed."""
        times = self._times.setdefault(who, deque())
        self._times.move_to_end(who)
        while len(self._times) > _KEYS_KEPT:
            self._times.popitem(last=False)
        now = self._clock()
        while times and times[0] <= now - rate.seconds:
            times.popleft()
        if len(times) >= rate.times:
            return times[-rate.times] + rate.seconds - now
        times.append(now)
        return 0.0

    def give_back(self, *who: str) -> None:
        """Takes the newest count back."""
        if times := self._times.get(who):
            times.pop()

    def forget(self, *who: str) -> None:
        """Begins anew."""
        self._times.pop(who, None)
