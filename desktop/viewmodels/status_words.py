"""The words of sync: for each state a sign, a tone, one line, one sentence, and what a person can do about it."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import assert_never

from desktop.viewmodels.words import first_line, plural, tr
from sync.status import Phase, SyncStatus


class Action(StrEnum):
    """What a person can do about a state."""

    SYNC_NOW = "syncNow"
    SIGN_IN = "statusSignIn"
    KEEP_CHATS = "keepChats"
    SHOW_ASIDE = "showAside"
    RETRY_ALL = "retryAll"


@dataclass(frozen=True, slots=True)
class StatusWords:
    """An icon and a tone by name, one short line, one sentence of explanation, and the buttons below it."""

    icon: str
    tone: str
    line: str
    explanation: str
    actions: tuple[Action, ...] = (Action.SYNC_NOW,)


def sync_status(status: SyncStatus, wait: float | None = None) -> StatusWords:
    """What the status line says. `wait` is in seconds from now to the next try, None when there is none to tell of."""
    match status.phase:
        case Phase.SIGNED_OUT:
            return StatusWords(
                "computer",
                "quiet",
                tr("On this computer only · Sign in to sync"),
                tr(
                    "Everything you write is saved on this computer. Sign in to have it on your other devices too."
                ),
                (Action.SIGN_IN,),
            )
        case Phase.SYNCING:
            return _fetching(status) or StatusWords(
                "sync", "quiet", tr("Syncing…"), tr("Your messages are on their way.")
            )
        case Phase.SYNCED:
            return (
                _aside(status)
                or _fetching(status)
                or StatusWords(
                    "cloud-check",
                    "quiet",
                    tr("Synced"),
                    tr("Everything in this account is on the server too."),
                )
            )
        case Phase.PENDING:
            said = StatusWords(
                "clock",
                "amber",
                _capital(unsynced(status.pending)) if status.pending else tr("Some changes not yet synced"),
                _with_next(tr("Saved here; the next try comes by itself."), wait),
            )
            return said if status.pending else _fetching(status) or said
        case Phase.OFFLINE | Phase.BUSY | Phase.QUOTA | Phase.DISK_FULL:
            return _waiting(status, wait)
        case Phase.NEEDS_SIGN_IN | Phase.ACCOUNT_GONE | Phase.UPDATE_NEEDED:
            return _asking(status.phase)
        case Phase.ERROR:
            text = status.last_error or tr("Something went wrong. Try again with Sync now.")
            kept = tr("Everything you write stays safe on this computer, and Homing keeps trying.")
            return StatusWords("alert", "red", first_line(text), kept)
        case _:
            assert_never(status.phase)


def unsynced(count: int) -> str:
    """How many messages wait."""
    return plural(count, "1 message not yet synced", "%n messages not yet synced")


def set_aside(count: int) -> str:
    """How many messages the server did not take."""
    return plural(count, "1 message set aside", "%n messages set aside")


def choices(count: int) -> str:
    """How many messages have two texts."""
    return plural(count, "1 message needs your choice", "%n messages need your choice")


def note(status: SyncStatus) -> str:
    """What else wants a person's eye, when the line speaks of something else."""
    refused = status.rejected - status.conflicts
    if status.phase is Phase.SYNCED and not status.conflicts:
        return ""
    if status.phase is not Phase.SYNCED and status.conflicts:
        return choices(status.conflicts)
    return set_aside(refused) if refused > 0 else ""


def percent(status: SyncStatus) -> int:
    """How much of the history is here; below 100 as long as something is missing."""
    return (status.known - status.missing) * 100 // status.known if status.known else 100


def next_try(wait: float) -> str:
    """When the next try comes, as exact as a person needs it."""
    if wait <= 60:
        return tr("next try within a minute")
    minutes = ceil(wait / 60)
    if minutes < 90:
        return tr("next try in about %n minutes", minutes)
    return tr("next try in about %n hours", ceil(minutes / 60))


def until_other_words(wait: float) -> float | None:
    """Seconds until `next_try` would say something else."""
    return wait - 60 * (ceil(wait / 60) - 1) if wait > 60 else None


def history_note(phase: Phase, *, all_missing: bool = False) -> str:
    """What stands where messages are on the server only."""
    if phase in {Phase.SYNCING, Phase.SYNCED, Phase.PENDING}:
        return tr("Fetching messages…") if all_missing else tr("Fetching older messages…")
    where = tr("The messages are on the server.") if all_missing else tr("Older messages are on the server.")
    match phase:
        case Phase.OFFLINE:
            when = tr("They come when you are online.")
        case Phase.SIGNED_OUT | Phase.NEEDS_SIGN_IN:
            when = tr("They come when you sign in.")
        case Phase.ACCOUNT_GONE:
            return tr("Older messages were on the server only.")
        case _:
            when = tr("They come when sync goes on.")
    return f"{where} {when}"


def action(what: Action, phase: Phase) -> str:
    """A button's words."""
    match what:
        case Action.SYNC_NOW:
            return tr("Sync now")
        case Action.SIGN_IN:
            return tr("Sign in") if phase is Phase.SIGNED_OUT else tr("Sign in again")
        case Action.KEEP_CHATS:
            return tr("Keep the chats on this computer")
        case Action.SHOW_ASIDE:
            return tr("Show")
        case Action.RETRY_ALL:
            return tr("Retry all")
        case _:
            assert_never(what)


def _aside(status: SyncStatus) -> StatusWords | None:
    if status.conflicts:
        return StatusWords(
            "versions",
            "amber",
            choices(status.conflicts),
            tr("The server holds another text for the same message. Both are kept until you choose."),
            (Action.SHOW_ASIDE, Action.RETRY_ALL)
            if status.rejected > status.conflicts
            else (Action.SHOW_ASIDE,),
        )
    if status.rejected:
        return StatusWords(
            "alert",
            "red",
            set_aside(status.rejected),
            plural(
                status.rejected,
                "The server did not take it. Nothing is lost: the message says why and can be sent again.",
                "The server did not take them. Nothing is lost: each says why and can be sent again.",
            ),
            (Action.SHOW_ASIDE, Action.RETRY_ALL),
        )
    return None


def _fetching(status: SyncStatus) -> StatusWords | None:
    if not status.missing:
        return None
    return StatusWords(
        "history",
        "quiet",
        tr("Fetching history · %1 %").replace("%1", str(percent(status))),
        tr("Your newest messages are here. Older ones come by themselves, what you look at first."),
    )


def _waiting(status: SyncStatus, wait: float | None) -> StatusWords:
    """What goes on by itself."""
    icon, line, explanation = _WAITING[status.phase]
    said = tr(line)
    if status.phase is Phase.OFFLINE and status.pending:
        said = f"{said} · {unsynced(status.pending)}"
    elif status.phase is Phase.BUSY and wait is not None:
        said, wait = f"{said} · {next_try(wait)}", None
    return StatusWords(icon, "amber", said, _with_next(tr(explanation), wait))


def _asking(phase: Phase) -> StatusWords:
    """What waits for a person."""
    icon, line, explanation, actions = _ASKING[phase]
    return StatusWords(icon, "amber", tr(line), tr(explanation), actions)


def _with_next(explanation: str, wait: float | None) -> str:
    return f"{explanation} {_capital(next_try(wait))}." if wait is not None else explanation


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_WAITING = {
    Phase.OFFLINE: (
        "cloud-off",
        "Offline",
        "The server cannot be reached. Keep writing: it is saved here and syncs when you are back.",
    ),
    Phase.BUSY: (
        "hourglass",
        "Server busy",
        "The server asks for a little patience. Everything is saved here and goes out by itself.",
    ),
    Phase.QUOTA: (
        "cloud-full",
        "No room left on the server",
        "The server has no room left for this account. Everything is saved here and goes out when there is some.",
    ),
    Phase.DISK_FULL: (
        "disk",
        "Disk full · sync is paused",
        "There is no room left on this computer's disk. Free some space: nothing is lost, and sync goes on by itself.",
    ),
}

_ASKING = {
    Phase.NEEDS_SIGN_IN: (
        "key",
        "Sign in again to sync",
        "The server asks you to sign in again. Nothing is lost: everything stays on this computer.",
        (Action.SIGN_IN,),
    ),
    Phase.ACCOUNT_GONE: (
        "person-off",
        "This account is gone from its server",
        "The server does not know this account any more. Your chats are safe: keep them on this computer.",
        (Action.KEEP_CHATS,),
    ),
    Phase.UPDATE_NEEDED: (
        "update",
        "Update Homing to sync",
        "This server needs a newer Homing. Until you update, everything you write is saved on this computer.",
        (Action.SYNC_NOW,),
    ),
}
