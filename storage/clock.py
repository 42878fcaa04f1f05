"""The time of day as the store writes it. Nothing is ever ordered by it (I30)."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The default clock."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """UTC to the millisecond, as `2026-11-21T09:00:00.123Z`. A moment without a zone counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
