"""The state of sync that a person sees at a glance: a value, whose words belong to the view."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """One word for what sync is doing. Pending means: work is waiting for its next try."""

    SIGNED_OUT = "signed-out"
    OFFLINE = "offline"
    SYNCING = "syncing"
    PENDING = "pending"
    SYNCED = "synced"
    NEEDS_SIGN_IN = "needs-sign-in"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """What the status line says. Times are RFC 3339 in UTC."""

    phase: Phase
    pending: int = 0
    rejected: int = 0
    oldest_pending_at: str | None = None
    last_success_at: str | None = None
    last_error: str | None = None
