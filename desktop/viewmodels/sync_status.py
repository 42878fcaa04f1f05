"""The status line and its details: how far this computer and the server agree, in words."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from PySide6.QtCore import QLocale, QObject, Qt, QTimer, Signal, Slot

from desktop.engine import Engine
from desktop.viewmodels import status_words, words
from desktop.viewmodels.props import PropsObject, prop
from desktop.viewmodels.status_words import Action
from sync.status import SyncStatus


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the words depend on. `due` is when the next try comes, on the monotonic clock."""

    status: SyncStatus
    signed_in: bool
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Props:
    """What the line and the popover show. An action is a name and its words."""

    phase: str
    icon: str
    tone: str
    line: str
    note: str
    explanation: str
    last_success: str
    pending_text: str
    rejected_text: str
    conflicts_text: str
    history_text: str
    last_error: str
    actions: list[dict[str, str]]


def derive(inputs: Inputs, now: datetime, wait: float | None = None) -> Props:
    """The words of a status, `wait` seconds before the next try."""
    status = inputs.status
    said = status_words.sync_status(status, wait)
    last = status.last_success_at
    actions = said.actions if inputs.signed_in else (Action.SIGN_IN,)
    return Props(
        phase=status.phase.value,
        icon=said.icon,
        tone=said.tone,
        line=said.line,
        note=status_words.note(status),
        explanation=said.explanation,
        last_success=words.moment(words.local(last), now.date()) if last else words.tr("Not yet"),
        pending_text=_count(status.pending),
        rejected_text=_count(status.rejected - status.conflicts),
        conflicts_text=_count(status.conflicts),
        history_text=_history(status),
        last_error=status.last_error or "",
        actions=[
            {"name": each.value, "text": status_words.action(each, status.phase)}
            for each in _offered(actions, status)
        ],
    )


def _offered(actions: tuple[Action, ...], status: SyncStatus) -> tuple[Action, ...]:
    if status.rejected and Action.SYNC_NOW in actions:
        return (*actions, Action.SHOW_ASIDE)
    return actions


def _count(number: int) -> str:
    return QLocale().toString(number) if number > 0 else ""


def _history(status: SyncStatus) -> str:
    if not status.missing:
        return ""
    here, known = QLocale().toString(status.known - status.missing), QLocale().toString(status.known)
    return words.tr("%1 of %2 messages").replace("%1", here).replace("%2", known)


class SyncStatusLine(PropsObject[Props]):
    """Folds the engine's status, the account and the time that passes into words."""

    phaseChanged = Signal()
    iconChanged = Signal()
    toneChanged = Signal()
    lineChanged = Signal()
    noteChanged = Signal()
    explanationChanged = Signal()
    lastSuccessChanged = Signal()
    pendingTextChanged = Signal()
    rejectedTextChanged = Signal()
    conflictsTextChanged = Signal()
    historyTextChanged = Signal()
    lastErrorChanged = Signal()
    actionsChanged = Signal()

    def __init__(
        self,
        engine: Engine,
        *,
        signed_in: bool,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        self._clock = clock
        self._inputs = Inputs(engine.status, signed_in)
        super().__init__(derive(self._inputs, datetime.now().astimezone()), parent)
        # One wake a minute at most, and only while something waits: the words are no finer.
        self._minute = QTimer(self, singleShot=True, timerType=Qt.TimerType.VeryCoarseTimer)
        self._minute.timeout.connect(self._show)
        engine.statusChanged.connect(self._fold_status)

    def use_account(self, *, signed_in: bool) -> None:
        """Whether an account is active."""
        self._inputs = replace(self._inputs, signed_in=signed_in)
        self._show()

    @Slot(object)
    def _fold_status(self, status: SyncStatus) -> None:
        due = None if status.retry_in is None else self._clock() + status.retry_in
        self._inputs = replace(self._inputs, status=status, due=due)
        self._show()

    @Slot()
    def _show(self) -> None:
        due = self._inputs.due
        wait = None if due is None else max(0.0, due - self._clock())
        self._become(derive(self._inputs, datetime.now().astimezone(), wait))
        change = status_words.until_other_words(wait) if wait is not None else None
        if change is None:
            self._minute.stop()
        else:
            self._minute.start(ceil(change) * 1000)

    phase = prop(str, "phase", phaseChanged)
    icon = prop(str, "icon", iconChanged)
    tone = prop(str, "tone", toneChanged)
    line = prop(str, "line", lineChanged)
    note = prop(str, "note", noteChanged)
    explanation = prop(str, "explanation", explanationChanged)
    lastSuccess = prop(str, "last_success", lastSuccessChanged)
    pendingText = prop(str, "pending_text", pendingTextChanged)
    rejectedText = prop(str, "rejected_text", rejectedTextChanged)
    conflictsText = prop(str, "conflicts_text", conflictsTextChanged)
    historyText = prop(str, "history_text", historyTextChanged)
    lastError = prop(str, "last_error", lastErrorChanged)
    actions = prop(list, "actions", actionsChanged)
