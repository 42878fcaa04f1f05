"""The state of sync that a person sees at a glance: a value, whose words belong to the view."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """One word for what sync is doing, or for why it does nothing; each has its own remedy.

    Pending means: work is waiting for its next try. Busy and quota go on by themselves at the time that `retry_in` says,
    a full disk when there is room; nothing helps an account that is gone but another account.
    """

    SIGNED_OUT = "signed-out"
    OFFLINE = "offline"
    SYNCING = "syncing"
    PENDING = "pending"
    SYNCED = "synced"
    NEEDS_SIGN_IN = "needs-sign-in"
    BUSY = "busy"
    QUOTA = "quota"
    UPDATE_NEEDED = "update-needed"
    ACCOUNT_GONE = "account-gone"
    DISK_FULL = "disk-full"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """What the status line says. Times are RFC 3339 in UTC.

    Of `known` messages on the server `missing` are not on this device yet. `retry_in` is in seconds from the moment of
    publishing.
    """

    phase: Phase
    pending: int = 0
    rejected: int = 0
    oldest_pending_at: str | None = None
    last_success_at: str | None = None
    last_error: str | None = None
    conflicts: int = 0
    missing: int = 0
    known: int = 0
    retry_in: float | None = None
