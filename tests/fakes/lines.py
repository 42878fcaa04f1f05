"""A client's connection that loses answers and comes back after every break."""

import contextlib
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self, TypeVar

import psycopg

from tests.fakes.cluster import Caller, User

T = TypeVar("T")
_PAUSE = 0.02
_PATIENCE = 60.0


class Line:
    """A client's connection, made anew whenever it broke."""

    def __init__(self, user: User, lost_answers: float) -> None:
        self._user = user
        self._lost_answers = lost_answers
        self._stack = ExitStack()
        self._caller: Caller | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def until_heard(self, call: Callable[[Caller], T], chance: random.Random) -> T:
        """Asks the same again until an answer arrives that is not lost."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                if self._caller is None:
                    self._caller = self._stack.enter_context(self._user.signed_in())
                answer = call(self._caller)
            except psycopg.OperationalError:
                self._hang_up()
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                if chance.random() >= self._lost_answers:
                    return answer

    def _hang_up(self) -> None:
        self._caller = None
        with contextlib.suppress(psycopg.OperationalError):
            self._stack.close()
