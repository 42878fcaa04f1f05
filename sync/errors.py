"""What can go wrong between this device and a server, named by the remedy.

SyncError
├── Unreachable      no answer: wait for the network; nothing was refused
├── RetryLater       the server is busy or broken: wait, then ask again
├── SignInAgain      the login is not valid any more: the user signs in; nothing is erased
│   └── SessionOver  the server named one of the codes that end a session for good: only its tokens go
├── UpdateNeeded     the server speaks a protocol this version does not know
├── Refused          the server understood and said no: asking again will not help
└── NoKeyring        this computer has nowhere safe to keep the login
"""


class SyncError(Exception):
    """Base of all errors of this package. `str()` is one line for people that ends in what to do."""


class Unreachable(SyncError):
    """The request got no answer that could be the server's. It may have had its effect."""


class RetryLater(SyncError):
    """The server asks for patience. `after` is its own figure in seconds, None when it named none."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class SignInAgain(SyncError):
    """The session is over or the credentials are wrong; local data stays."""


class SessionOver(SignInAgain):
    """The server has ended this session for good: its tokens are worth nothing any more."""


class UpdateNeeded(SyncError):
    """The server answers in a way that this version cannot read."""


class Refused(SyncError):
    """A definite no. `code` is the SQLSTATE or the auth error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NoKeyring(SyncError):
    """No keyring works here and none of the other session stores was chosen."""
