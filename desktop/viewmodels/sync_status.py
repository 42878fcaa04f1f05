"""The status line and its details: how far this computer and the server agree, in words."""

from dataclasses import dataclass, replace
from datetime import datetime

from PySide6.QtCore import QObject, Signal, Slot

from desktop.engine import Engine
from desktop.viewmodels import words
from desktop.viewmodels.props import PropsObject, prop
from sync.status import Phase, SyncStatus


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the words depend on."""

    status: SyncStatus
    signed_in: bool


@dataclass(frozen=True, slots=True)
class Props:
    """What the line and the popover show."""

    phase: str
    icon: str
    tone: str
    line: str
    explanation: str
    last_success: str
    pending_text: str
    rejected_text: str
    last_error: str
    can_sync: bool
    wants_sign_in: bool


def derive(inputs: Inputs, now: datetime) -> Props:
    """The words of a status."""
    status = inputs.status
    said = words.sync_status(status)
    last = status.last_success_at
    return Props(
        phase=status.phase.value,
        icon=said.icon,
        tone=said.tone,
        line=said.line,
        explanation=said.explanation,
        last_success=words.moment(words.local(last), now.date()) if last else words.tr("Not yet"),
        pending_text=str(status.pending),
        rejected_text=str(status.rejected) if status.rejected else "",
        last_error=status.last_error or "",
        can_sync=inputs.signed_in and status.phase not in {Phase.SIGNED_OUT, Phase.NEEDS_SIGN_IN},
        wants_sign_in=not inputs.signed_in or status.phase in {Phase.SIGNED_OUT, Phase.NEEDS_SIGN_IN},
    )


class SyncStatusLine(PropsObject[Props]):
    """Folds the engine's status and the account into words."""

    phaseChanged = Signal()
    iconChanged = Signal()
    toneChanged = Signal()
    lineChanged = Signal()
    explanationChanged = Signal()
    lastSuccessChanged = Signal()
    pendingTextChanged = Signal()
    rejectedTextChanged = Signal()
    lastErrorChanged = Signal()
    canSyncChanged = Signal()
    wantsSignInChanged = Signal()

    def __init__(self, engine: Engine, *, signed_in: bool, parent: QObject | None = None) -> None:
        self._engine = engine
        self._inputs = Inputs(engine.status, signed_in)
        super().__init__(derive(self._inputs, datetime.now().astimezone()), parent)
        engine.statusChanged.connect(self._fold_status)

    def use_account(self, *, signed_in: bool) -> None:
        """Whether an account is active."""
        self._fold(replace(self._inputs, signed_in=signed_in))

    @Slot()
    def sync_now(self) -> None:
        """The person does not want to wait."""
        self._engine.sync_now()

    @Slot(object)
    def _fold_status(self, status: SyncStatus) -> None:
        self._fold(replace(self._inputs, status=status))

    def _fold(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._become(derive(inputs, datetime.now().astimezone()))

    phase = prop(str, "phase", phaseChanged)
    icon = prop(str, "icon", iconChanged)
    tone = prop(str, "tone", toneChanged)
    line = prop(str, "line", lineChanged)
    explanation = prop(str, "explanation", explanationChanged)
    lastSuccess = prop(str, "last_success", lastSuccessChanged)
    pendingText = prop(str, "pending_text", pendingTextChanged)
    rejectedText = prop(str, "rejected_text", rejectedTextChanged)
    lastError = prop(str, "last_error", lastErrorChanged)
    canSync = prop(bool, "can_sync", canSyncChanged)
    wantsSignIn = prop(bool, "wants_sign_in", wantsSignInChanged)
