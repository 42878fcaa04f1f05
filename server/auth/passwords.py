"""Passwords: hashing away from the event loop, and equal work for unknown people."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 1024


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
