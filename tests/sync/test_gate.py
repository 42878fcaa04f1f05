"""When requests may go out: waits, probes and renewed tokens (I19, I29)."""

import pytest

from sync.engine.interface import (
    LinkChanged,
    LocalCommitted,
    NetworkChanged,
    Poked,
    PullChanges,
    Push,
    RefreshToken,
    RequestFailed,
    SetTimer,
    SignedIn,
    SyncRequested,
    Timer,
    TokenRefreshed,
)
from sync.errors import (
    AccountGone,
    CaptivePortal,
    QuotaExceeded,
    RetryLater,
    SignInAgain,
    SyncError,
    Unreachable,
    UpdateNeeded,
)
from sync.status import Phase
from tests.fakes.bench import ACCOUNT, Bench, said

NOWHERE = Unreachable("The server does not answer.")
BUSY = RetryLater("The server is busy.")
EXPIRED = SignInAgain("The login is not valid any more.")


def test_waits_double_up_to_five_minutes_and_start_anew_after_success() -> None:
    bench = Bench(uniform=1.0)
    bench.hear(SignedIn(ACCOUNT))
    waits = []
    for _ in range(11):
        bench.fail(PullChanges, BUSY)
        waits.append(bench.timers[Timer.RETRY].after)
        bench.fire(Timer.RETRY)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    bench.pull()
    bench.hear(Poked())
    bench.fail(PullChanges, BUSY)
    assert bench.timers[Timer.RETRY].after == 1


def test_jitter_halves_a_wait_at_most() -> None:
    bench = Bench(uniform=0.0)
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullChanges, BUSY)
    assert bench.timers[Timer.RETRY].after == 0.5


def test_the_servers_own_figure_is_honoured_also_when_a_link_comes_up() -> None:
    bench = Bench()
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullChanges, RetryLater("Come back later.", after=77))
    bench.hear(LinkChanged(True))
    bench.hear(Poked())
    assert bench.timers[Timer.RETRY].after == 77
    assert len(bench.all(PullChanges)) == 1


def test_without_network_nothing_is_sent_and_no_attempt_is_burned() -> None:
    bench = Bench()
    bench.online()
    bench.hear(NetworkChanged(False))
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    assert bench.all(Push) == []
    assert bench.shows(Phase.OFFLINE)
    bench.work = [said(1)]
    bench.hear(NetworkChanged(True))
    bench.fire(Timer.RETRY)
    bench.fail(PullChanges, NOWHERE)
    assert bench.timers[Timer.RETRY].after == 1


def test_only_one_probe_goes_out_after_a_wait() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.fail(PullChanges, NOWHERE)
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    before = len(bench.all(PullChanges))
    bench.fire(Timer.RETRY)
    assert len(bench.all(PullChanges)) + len(bench.all(Push)) == before + 1


def test_a_refused_token_is_renewed_once_and_then_a_sign_in_is_needed() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.fail(PullChanges, EXPIRED)
    bench.hear(TokenRefreshed(bench.last(RefreshToken).request))
    bench.fail(PullChanges, EXPIRED)
    assert len(bench.all(RefreshToken)) == 1
    assert bench.shows(Phase.NEEDS_SIGN_IN)


def test_a_renewed_token_lets_everything_go_on() -> None:
    bench = Bench()
    bench.online()
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.fail(Push, EXPIRED)
    bench.work = [said(1)]
    bench.hear(TokenRefreshed(bench.last(RefreshToken).request))
    bench.pull()
    bench.take()
    assert bench.shows(Phase.SYNCED)


def test_a_refusal_of_the_old_token_that_comes_late_does_not_end_the_login() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.hear(RequestFailed(bench.last(Push).request, EXPIRED))
    old = bench.last(PullChanges).request
    bench.hear(TokenRefreshed(bench.last(RefreshToken).request))
    bench.hear(RequestFailed(old, EXPIRED))
    assert not bench.shows(Phase.NEEDS_SIGN_IN)


def test_a_refresh_that_fails_for_want_of_network_means_offline() -> None:
    bench = Bench()
    bench.online()
    bench.hear(Poked())
    bench.fail(PullChanges, EXPIRED)
    bench.hear(RequestFailed(bench.last(RefreshToken).request, NOWHERE))
    assert bench.shows(Phase.OFFLINE)


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (NOWHERE, Phase.OFFLINE),
        (CaptivePortal("The network asks for a sign-in of its own."), Phase.OFFLINE),
        (BUSY, Phase.BUSY),
        (QuotaExceeded("The server has no room left."), Phase.QUOTA),
        (UpdateNeeded("The server is newer."), Phase.UPDATE_NEEDED),
        (AccountGone("This account was deleted."), Phase.ACCOUNT_GONE),
    ],
)
def test_each_class_of_failure_has_a_face_of_its_own(error: SyncError, phase: Phase) -> None:
    bench = Bench()
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullChanges, error)
    assert bench.shows(phase)
    assert bench.status is not None
    assert bench.status.last_error == str(error)


def test_a_status_says_when_the_next_try_comes() -> None:
    bench = Bench()
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullChanges, RetryLater("Come back later.", after=77))
    assert bench.status is not None
    assert bench.status.retry_in == 77


def test_an_account_that_is_gone_is_asked_for_nothing_until_a_person_insists() -> None:
    bench = Bench()
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullChanges, AccountGone("This account was deleted."))
    assert bench.timers == {}
    bench.work = [said(1)]
    bench.hear(LocalCommitted())
    bench.hear(Poked(9))
    bench.hear(NetworkChanged(True))
    assert len(bench.all(PullChanges)) == 1
    bench.hear(SyncRequested(1))
    assert len(bench.all(Push)) == 1


def test_a_used_up_quota_is_waited_out_for_long() -> None:
    bench = Bench(uniform=0.0)
    bench.hear(SignedIn(ACCOUNT))
    bench.fail(PullChanges, QuotaExceeded("The server has no room left."))
    assert bench.last(SetTimer).after >= 150
