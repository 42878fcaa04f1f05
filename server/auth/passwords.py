"""Passwords: hashing away from the event loop, equal work for unknown people, and a brake on guessing."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 1024

_WINDOW_SECONDS: Final = 300.0
_FAILURES_PER_ACCOUNT: Final = 10
_FAILURES_PER_ADDRESS: Final = 100
_KEYS_KEPT: Final = 10_000


class Passwords:
    """Hashes and checks passwords on two threads, so that a crowd at the door cannot take all memory."""

    def __init__(self) -> None:
        # 19 MiB, two passes, one lane: the first choice of OWASP's password storage sheet for argon2id.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The hash to keep for a new password."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._hasher.hash, password.encode("utf-8", "surrogatepass")
        )

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether the password is right; without a kept hash it takes as long and is wrong."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._check, kept, password)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, kept: str | None, password: str) -> bool:
        try:
            self._hasher.verify(kept or self._nobody, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return bool(kept)


class GuessBrake:
    """Counts failed passwords per account and per network address over the last five minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def wait(self, address: str, email: str) -> float:
        """Seconds until another try is allowed, 0 when it is allowed now."""
        return max(
            self._wait((address, email), _FAILURES_PER_ACCOUNT), self._wait((address,), _FAILURES_PER_ADDRESS)
        )

    def tried(self, address: str, email: str) -> None:
        """Counts a try as a failure. Said before the check, or a burst of parallel tries would all pass."""
        for key in ((address, email), (address,)):
            self._failures.setdefault(key, deque(maxlen=_FAILURES_PER_ADDRESS)).append(self._clock())
            self._failures.move_to_end(key)
        while len(self._failures) > _KEYS_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, email: str) -> None:
        """Takes the try back, and forgets the account's wrong passwords from this address."""
        self._failures.pop((address, email), None)
        if tries := self._failures.get((address,)):
            tries.pop()

    def _wait(self, key: tuple[str, ...], allowed: int) -> float:
        times = self._failures.get(key, deque())
        start = self._clock() - _WINDOW_SECONDS
        while times and times[0] <= start:
            times.popleft()
        return 0.0 if len(times) < allowed else times[-allowed] - start
