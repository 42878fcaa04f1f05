"""What can go wrong between this device and a server, named by the remedy.

SyncError
├── Unreachable          no answer: wait for the network; nothing was refused
│   └── CaptivePortal    the network's own page answers: somebody signs in to the network first
├── RetryLater           the server is busy or broken: wait, then ask again
├── QuotaExceeded        the server has no room or no budget left for this account: wait as for a busy one
├── SignInAgain          the login is not valid any more: the user signs in; nothing is erased
│   └── SessionOver      the server named one of the codes that end a session for good: only its tokens go
│       └── AccountGone  the server does not know the account any more: the data here stays, the person decides
├── UpdateNeeded         the server speaks a protocol this version does not know
│   └── UnknownFunction  the server lacks one function: what it did before goes on the older way
├── Refused              the server understood and said no: asking again will not help
├── UnsentMessages       signing out now would seal messages that no server has: send or seal them
└── NoKeyring            this computer has nowhere safe to keep the login
"""


class SyncError(Exception):
    """Base of all errors of this package. `str()` is one line for people that ends in what to do."""


class Unreachable(SyncError):
    """The request got no answer that could be the server's. It may have had its effect."""


class CaptivePortal(Unreachable):
    """Something between here and the server answers in its place: a login page of the network, a filter, a proxy."""


class RetryLater(SyncError):
    """The server asks for patience. `after` is its own figure in seconds, None when it named none."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class QuotaExceeded(SyncError):
    """The server's room or budget is used up. `after` as in RetryLater."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class SignInAgain(SyncError):
    """The session is over or the credentials are wrong; local data stays."""


class SessionOver(SignInAgain):
    """The server has ended this session for good: its tokens are worth nothing any more."""


class AccountGone(SessionOver):
    """The account was deleted on the server."""


class UpdateNeeded(SyncError):
    """The server answers in a way that this version cannot read."""


class UnknownFunction(UpdateNeeded):
    """The server is older than this version and lacks the function that was asked for."""


class Refused(SyncError):
    """A definite no. `code` is the SQLSTATE or the auth error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class UnsentMessages(SyncError):
    """Signing out found `count` messages that could not be sent; nothing was changed."""

    def __init__(self, count: int) -> None:
        what = "One message is" if count == 1 else f"{count} messages are"
        super().__init__(
            f"{what} not sent yet: sync first, or sign out and keep them sealed on this computer."
        )
        self.count = count


class NoKeyring(SyncError):
    """No keyring works here and none of the other session stores was chosen."""
