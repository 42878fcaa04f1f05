"""The words of every state, in one place and translatable; the states themselves are values without words."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import assert_never

from PySide6.QtCore import QCoreApplication, QDate, QLocale, QTime

from storage.records import Message, Role, SyncState


def tr(text: str, n: int = -1) -> str:
    """The text in the person's language; `%n` becomes the number."""
    translated = QCoreApplication.translate("words", text, "", n)
    return translated.replace("%n", QLocale().toString(n))


def plural(n: int, one: str, many: str) -> str:
    """English needs two forms where no translation is loaded."""
    return tr(one if n == 1 else many, n)


def badge(message: Message, *, conflict: bool = False) -> str:
    """What stands under a message about where it lives."""
    if conflict:
        return tr("Another text is on the server for this message")
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
