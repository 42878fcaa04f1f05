"""The words of every state, in one place and translatable; the states themselves are values without words."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import assert_never

from PySide6.QtCore import QCoreApplication, QDate, QLocale, QTime

from storage.records import Message, Role, SyncState
from sync.status import Phase, SyncStatus


def tr(text: str, n: int = -1) -> str:
    """The text in the person's language; `%n` becomes the number."""
    translated = QCoreApplication.translate("words", text, "", n)
    return translated.replace("%n", str(n))


def plural(n: int, one: str, many: str) -> str:
    """English needs two forms where no translation is loaded."""
    return tr(one if n == 1 else many, n)


@dataclass(frozen=True, slots=True)
class StatusWords:
    """The status line: an icon by name, a tone by name, one short line, and one sentence of explanation."""

    icon: str
    tone: str
    line: str
    explanation: str


def sync_status(status: SyncStatus) -> StatusWords:
    """What the status line says about sync."""
    waiting = plural(status.pending, "1 message not yet synced", "%n messages not yet synced")
    match status.phase:
        case Phase.SIGNED_OUT:
            return StatusWords(
                "computer",
                "quiet",
                tr("On this computer only · Sign in to sync"),
                tr(
                    "Everything you write is saved on this computer. Sign in to have it on your other devices too."
                ),
            )
        case Phase.OFFLINE:
            line = tr("Offline · %1").replace("%1", waiting) if status.pending else tr("Offline")
            return StatusWords(
                "cloud-off",
                "amber",
                line,
                tr(
                    "The server cannot be reached. Keep writing: it is saved here and syncs when you are back."
                ),
            )
        case Phase.SYNCING:
            return StatusWords("sync", "quiet", tr("Syncing…"), tr("Your messages are on their way."))
        case Phase.PENDING:
            return StatusWords(
                "clock",
                "amber",
                waiting[:1].upper() + waiting[1:],
                tr("Saved here; the next try comes by itself."),
            )
        case Phase.SYNCED:
            return _synced(status)
        case Phase.NEEDS_SIGN_IN:
            return StatusWords(
                "key",
                "amber",
                tr("Sign in again to sync"),
                tr(
                    "The server asks you to sign in again. Nothing is lost: everything stays on this computer."
                ),
            )
        case (
            Phase.ERROR
            | Phase.BUSY
            | Phase.QUOTA
            | Phase.UPDATE_NEEDED
            | Phase.ACCOUNT_GONE
            | Phase.DISK_FULL
        ):
            text = status.last_error or tr("Something went wrong. Try again with Sync now.")
            kept = tr("Everything you write stays safe on this computer, and Homing keeps trying.")
            return StatusWords("alert", "red", first_line(text), kept)
        case _:
            assert_never(status.phase)


def _synced(status: SyncStatus) -> StatusWords:
    if status.rejected:
        return StatusWords(
            "alert",
            "red",
            plural(status.rejected, "1 message set aside", "%n messages set aside"),
            tr("The server did not take it; the message says why and can be sent again."),
        )
    return StatusWords(
        "cloud-check", "quiet", tr("Synced"), tr("Everything on this computer is on the server too.")
    )


def badge(message: Message) -> str:
    """What stands under a message about where it lives."""
    match message.sync_state:
        case SyncState.PENDING:
            return tr("Saved here · not yet synced")
        case SyncState.SYNCED:
            return tr("Synced")
        case SyncState.REJECTED:
            reason = first_line(message.sync_error or tr("the server did not take it"))
            return tr("Set aside: %1").replace("%1", reason)
        case _:
            assert_never(message.sync_state)


def speaker(role: Role) -> str:
    """Who says a message, for a screen reader."""
    match role:
        case Role.USER:
            return tr("You")
        case Role.ASSISTANT:
            return tr("Assistant")
        case Role.SYSTEM:
            return tr("System")
        case _:
            assert_never(role)


def first_line(text: str) -> str:
    """One line of a longer text."""
    return text.strip().split("\n", 1)[0]


@lru_cache(maxsize=4096)
def local(moment: str) -> datetime:
    """An RFC 3339 moment on this computer's clock; the epoch where it cannot be read."""
    try:
        return datetime.fromisoformat(moment).astimezone()
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0).astimezone()


def day(when: date, today: date) -> str:
    """A day as people say it: Today, Yesterday, 14 November, with the year when it is another one."""
    if when == today:
        return tr("Today")
    if when == today - timedelta(days=1):
        return tr("Yesterday")
    return QLocale().toString(_qdate(when), "d MMMM" if when.year == today.year else "d MMMM yyyy")


def short_day(when: datetime, today: date) -> str:
    """As short as the chat list needs: the time today, else the day, else day and year."""
    if when.date() == today:
        return clock(when)
    return QLocale().toString(_qdate(when.date()), "d MMM" if when.year == today.year else "d MMM yyyy")


def clock(when: datetime) -> str:
    """The time of day in the person's own format."""
    return QLocale().toString(QTime(when.hour, when.minute), QLocale.FormatType.ShortFormat)


def moment(when: datetime, today: date) -> str:
    """A day and a time, in full."""
    return f"{day(when.date(), today)}, {clock(when)}"


def _qdate(when: date) -> QDate:
    return QDate(when.year, when.month, when.day)
