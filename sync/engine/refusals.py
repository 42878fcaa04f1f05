"""What a definite no of the server is about: the items of the call, the chat, or the account as a whole."""

from enum import Enum

from sync.errors import QuotaExceeded, Refused, RetryLater, SignInAgain, SyncError, Unreachable


class Fault(Enum):
    """Where the reason of a refusal lies."""

    ITEM = "something in the call cannot be accepted"
    SIZE = "the call is too large"
    UNKNOWN_CHAT = "the server does not know the chat"
    GONE_CHAT = "the chat was deleted"
    ACCOUNT = "nothing of this account would be accepted"


_BY_CODE = {
    "PT400": Fault.ITEM,
    "unencodable": Fault.ITEM,
    "PT413": Fault.SIZE,
    "413": Fault.SIZE,
    "PT404": Fault.UNKNOWN_CHAT,
    "PT410": Fault.GONE_CHAT,
    "PGRST102": Fault.ITEM,
}

_DATA_CLASSES = ("22", "23", "54")
"""SQLSTATE classes of data exceptions, violated constraints and exceeded limits."""


def fault(error: Refused) -> Fault:
    """Anything unknown is held against the account, so that a broken server sets no messages aside."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    is_sqlstate = len(error.code) == 5
    return Fault.ITEM if is_sqlstate and error.code.startswith(_DATA_CLASSES) else Fault.ACCOUNT


def concerns_all(error: SyncError) -> bool:
    """Whether every request would meet with this now, so that asking in the background must not go on by itself."""
    if isinstance(error, RetryLater):
        return error.after is not None
    return isinstance(error, Unreachable | SignInAgain | QuotaExceeded)
