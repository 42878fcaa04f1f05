"""Whether requests may go to the server now, and what the last failure means."""

from collections.abc import Callable
from enum import Enum
from typing import Final

from storage.records import AccountId
from sync.engine.backoff import LONGEST, LONGEST_UNREACHABLE, Backoff
from sync.engine.desk import Desk
from sync.engine.interface import RefreshToken, Timer
from sync.errors import AccountGone, QuotaExceeded, RetryLater, SignInAgain, SyncError, Unreachable

NEVER: Final = float("-inf")
SHORT: Final = 1.0
QUOTA_WAIT: Final = 150.0
"""Room is made by people, not by time: asking every few seconds would help nobody."""

PATIENT_FAILURES: Final = 3
"""So many busy answers in a row a requested round waits out before it is told."""


class _State(Enum):
    OPEN = "requests go out freely"
    PROBING = "one request goes out to see whether the server is well again"
    WAITING = "a timer runs"
    REFRESHING = "a new access token is on its way"
    CLOSED = "only a new sign-in helps; unless the account is gone, a slow probe finds out when the server thinks again"


class Gate:
    """Opens on any answer, closes on any failure, and lets a single probe through after the wait."""

    def __init__(self, desk: Desk, uniform: Callable[[], float]) -> None:
        self._desk = desk
        self._uniform = uniform
        self._backoff = Backoff(uniform)
        self._account: AccountId | None = None
        self.enter(None)

    def enter(self, account: AccountId | None) -> None:
        """Start afresh for an account."""
        self._account = account
        self._state = _State.OPEN
        self._backoff.reset()
        self._probe: int | None = None
        self._refresh: int | None = None
        self._refreshed = False
        self._valid_from = 0
        self._not_before = NEVER
        self._hurried = False
        self._awake_from = 0
        self.error: SyncError | None = None
        self._desk.cancel_timer(Timer.RETRY)

    @property
    def is_open(self) -> bool:
        """Whether requests go out freely."""
        return self._state is _State.OPEN

    @property
    def retries_at(self) -> float | None:
        """When the next try comes by itself, on the clock of the events."""
        return self._desk.due(Timer.RETRY)

    @property
    def may_send(self) -> bool:
        """Whether one more request may go out."""
        return self._state is _State.OPEN or self.may_probe

    @property
    def may_probe(self) -> bool:
        """Whether the one request that may go out is a probe."""
        return self._state is _State.PROBING and self._probe is None

    @property
    def patient(self) -> bool:
        """Whether a round that somebody waits for goes on in spite of the error."""
        return (
            self.error is None
            or self._state is _State.PROBING
            or (isinstance(self.error, RetryLater) and self._backoff.failures < PATIENT_FAILURES)
        )

    @property
    def _asked_to_wait(self) -> bool:
        return self._desk.now < self._not_before

    def sent(self, request: int) -> None:
        """A request went out."""
        if self._state is _State.PROBING:
            self._probe = request

    def succeeded(self, request: int) -> None:
        """The server answered, be it with a no."""
        if self._state is _State.REFRESHING or (self._asked_to_wait and request != self._probe):
            return
        self._open()

    def failed(self, request: int, error: SyncError) -> None:
        """The server did not answer as it should."""
        if self._state is _State.REFRESHING:
            return
        if request < self._awake_from and isinstance(error, Unreachable):
            self._probe = None if request == self._probe else self._probe
        elif isinstance(error, AccountGone):
            self._close(error)
        elif isinstance(error, SignInAgain):
            self._unauthorised(request, error)
        elif self._state is not _State.CLOSED:
            self._wait(request, error)

    def owns(self, request: int) -> bool:
        """Whether this is the refresh under way."""
        return request == self._refresh

    def probes(self, request: int) -> bool:
        """Whether this is the probe under way, even if nobody else waits for its answer any more."""
        return request == self._probe

    def refreshed(self) -> None:
        """A new access token is in use."""
        self._refresh = None
        self._refreshed = True
        self._valid_from = self._desk.next_request()
        self._state, self._probe = _State.PROBING, None

    def refresh_failed(self, error: SyncError) -> None:
        """The access token could not be renewed."""
        self._refresh = None
        if isinstance(error, SignInAgain):
            self._close(error)
        else:
            self._state = _State.OPEN
            self._wait(self._desk.next_request(), error)

    def network_lost(self) -> None:
        """Ask nothing until the network is back; a slow probe guards against a wrong report."""
        if self._state in (_State.OPEN, _State.PROBING, _State.WAITING):
            self._state, self._probe = _State.WAITING, None
            self._not_before = NEVER
            self.error = Unreachable("This computer is offline; sync goes on when the network is back.")
            self._desk.set_timer(Timer.RETRY, LONGEST_UNREACHABLE)

    def hurry(self) -> None:
        """A sign of life of the server, where there was none: ask within a second."""
        if self._hurried or not isinstance(self.error, Unreachable):
            return
        self._hurried = self._state in (_State.WAITING, _State.PROBING)
        if self._state is _State.WAITING:
            self._desk.set_timer(Timer.RETRY, self._uniform())

    def woke(self) -> None:
        """The computer slept: connections died without a word, and that says nothing about the server."""
        self._awake_from = self._desk.next_request()
        if isinstance(self.error, Unreachable):
            self._backoff.reset()
            self.retry()
        else:
            self.reconnected()

    def reconnected(self) -> None:
        """The way to the server is new: what a busy server said before counts no more, save a time that it named."""
        if self._state is _State.WAITING and isinstance(self.error, RetryLater):
            named = self._not_before - self._desk.now
            self._desk.set_timer(Timer.RETRY, max(self._uniform(), named))
        self.hurry()

    def insist(self) -> None:
        """A person asks: try at once, unless the server named a time."""
        if not self._asked_to_wait:
            self.retry()

    def retry(self) -> None:
        """The wait is over."""
        if self._state in (_State.WAITING, _State.CLOSED):
            self._desk.cancel_timer(Timer.RETRY)
            self._refreshed = self._hurried = False
            self._not_before = NEVER
            self._state, self._probe = _State.PROBING, None

    def _open(self) -> None:
        self._state, self._probe = _State.OPEN, None
        self._refreshed = self._hurried = False
        self._not_before = NEVER
        self.error = None
        self._backoff.reset()
        self._desk.cancel_timer(Timer.RETRY)

    def _wait(self, request: int, error: SyncError) -> None:
        another_probes = self._probe is not None and request != self._probe
        if self._state is _State.WAITING or another_probes:
            return
        after = error.after if isinstance(error, RetryLater | QuotaExceeded) else None
        longest = LONGEST
        if isinstance(error, Unreachable):
            longest = SHORT if self._hurried else LONGEST_UNREACHABLE
        self.error = error
        self._not_before = NEVER if after is None else self._desk.now + after
        self._state, self._probe = _State.WAITING, None
        at_least = QUOTA_WAIT if isinstance(error, QuotaExceeded) and after is None else after
        self._desk.set_timer(Timer.RETRY, self._backoff.next_delay(longest, at_least))

    def _unauthorised(self, request: int, error: SignInAgain) -> None:
        if self._state is _State.CLOSED or request < self._valid_from or self._account is None:
            return
        if self._refreshed:
            self._close(error)
            return
        self._state, self._probe = _State.REFRESHING, None
        self._desk.cancel_timer(Timer.RETRY)
        self._refresh = self._desk.next_request()
        self._desk.emit(RefreshToken(self._refresh, self._account))

    def _close(self, error: SignInAgain) -> None:
        self.error = error
        self._state, self._probe = _State.CLOSED, None
        if isinstance(error, AccountGone):
            self._desk.cancel_timer(Timer.RETRY)
        else:
            self._desk.set_timer(Timer.RETRY, LONGEST)
