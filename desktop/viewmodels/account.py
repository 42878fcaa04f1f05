"""The account dialog: sign in, sign up, the question about signed-out chats, and sign out."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from desktop.engine import Engine
from desktop.viewmodels import words
from desktop.viewmodels.props import PropsObject, prop
from storage import accounts, chats
from storage.errors import StorageError
from storage.records import Account
from storage.store import Store


class Step(StrEnum):
    """What the dialog asks for."""

    CREDENTIALS = "credentials"
    ADOPTION = "adoption"
    SIGNED_IN = "signed-in"
    SIGN_OUT = "sign-out"


_REQUIRED: Final = (
    ("url", "Enter the server's address, for example http://127.0.0.1:8787."),
    ("key", "Enter the publishable key; the server prints it when it starts."),
    ("email", "Enter your e-mail address."),
    ("password", "Enter your password."),
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the dialog depends on: the account and the signed-out chats in the store, and how far the person is."""

    account: Account | None = None
    unadopted: int = 0
    busy: bool = False
    error: str = ""
    just_signed_in: bool = False
    leaving: bool = False
    needs_sign_in: bool = False
    pending: int = 0
    in_memory: bool = False


@dataclass(frozen=True, slots=True)
class Props:
    """What the dialog and the account button show."""

    step: str
    signed_in: bool
    email: str
    initial: str
    label: str
    server: str
    key: str
    busy: bool
    error: str
    question: str
    adopt_label: str
    unadopted: int
    consequence: str
    memory_notice: str


def derive(inputs: Inputs) -> Props:
    """The dialog of a moment."""
    account = inputs.account
    email = account.email if account else ""
    return Props(
        step=_step(inputs).value,
        signed_in=account is not None,
        email=email,
        initial=email[:1].upper(),
        label=email or words.tr("Sign in"),
        server=account.url if account else "",
        key=account.publishable_key if account else "",
        busy=inputs.busy,
        error=inputs.error,
        question=words.plural(
            inputs.unadopted,
            "Move 1 chat from this computer into your account?",
            "Move %n chats from this computer into your account?",
        ),
        adopt_label=words.plural(inputs.unadopted, "Move 1 chat here", "Move %n chats here"),
        unadopted=inputs.unadopted,
        consequence=_consequence(inputs.pending),
        memory_notice=words.tr(
            "No keyring works on this computer, so you stay signed in only until Homing closes."
        )
        if inputs.in_memory
        else "",
    )


def _step(inputs: Inputs) -> Step:
    if inputs.account is None or inputs.needs_sign_in:
        return Step.CREDENTIALS
    if inputs.leaving:
        return Step.SIGN_OUT
    if inputs.just_signed_in and inputs.unadopted:
        return Step.ADOPTION
    return Step.SIGNED_IN


def _consequence(pending: int) -> str:
    kept = words.tr(
        "The account's chats leave this list. They stay on this computer and come back when you sign in again."
    )
    if not pending:
        return kept
    unsent = words.plural(
        pending,
        "1 message is not on the server yet: it waits here until then.",
        "%n messages are not on the server yet: they wait here until then.",
    )
    return f"{kept} {unsent}"


def first_missing(**given: str) -> str:
    """What to ask for when a field is empty; empty when all are there."""
    return next((words.tr(ask) for name, ask in _REQUIRED if not given[name].strip()), "")


class AccountDialog(PropsObject[Props]):
    """Speaks with the engine; what is true about the account it reads from the store."""

    stepChanged = Signal()
    signedInChanged = Signal()
    emailChanged = Signal()
    initialChanged = Signal()
    labelChanged = Signal()
    serverChanged = Signal()
    keyChanged = Signal()
    busyChanged = Signal()
    errorChanged = Signal()
    questionChanged = Signal()
    adoptLabelChanged = Signal()
    unadoptedChanged = Signal()
    consequenceChanged = Signal()
    memoryNoticeChanged = Signal()
    accountChanged = Signal()
    finished = Signal()
    """Nothing is left to ask: the dialog may close."""

    def __init__(self, store: Store, engine: Engine, parent: QObject | None = None) -> None:
        self._store = store
        self._engine = engine
        self._inputs = Inputs(account=self._read_account())
        super().__init__(derive(self._inputs), parent)

    @property
    def account(self) -> Account | None:
        """The active account, as the store has it."""
        return self._inputs.account

    def refresh(self) -> None:
        """Reads the account again after a commit touched it."""
        before = self._inputs.account
        self._fold(account=self._read_account())
        if self._inputs.account != before:
            self.accountChanged.emit()

    def use_status(self, *, needs_sign_in: bool, pending: int) -> None:
        """What the engine says about the session and about unsent work."""
        self._fold(needs_sign_in=needs_sign_in, pending=pending)

    @Slot()
    def use_memory(self) -> None:
        """Logins are not kept on this computer."""
        self._fold(in_memory=True)

    @Slot()
    def opened(self) -> None:
        """The dialog opens: without yesterday's error, with today's count."""
        self._fold(error="", leaving=False, just_signed_in=False, unadopted=self._read_unadopted())

    @Slot(str, str, str, str)
    def sign_in(self, url: str, key: str, email: str, password: str) -> None:
        """Signs in with what the person typed."""
        self._enter(url, key, email, password, new=False)

    @Slot(str, str, str, str)
    def sign_up(self, url: str, key: str, email: str, password: str) -> None:
        """Creates the account and signs in."""
        self._enter(url, key, email, password, new=True)

    @Slot()
    def adopt(self) -> None:
        """Yes: the signed-out chats become the account's."""
        self._fold(busy=True, error="")
        self._engine.ask(lambda service: service.adopt(), lambda _: self._finish(), self._fail)

    @Slot()
    def keep_here(self) -> None:
        """No: they stay on this computer only."""
        self._finish()

    @Slot()
    def ask_sign_out(self) -> None:
        """Shows what signing out means."""
        self._fold(leaving=True, error="")

    @Slot()
    def stay(self) -> None:
        """Rather not sign out."""
        self._fold(leaving=False)

    @Slot()
    def sign_out(self) -> None:
        """Signs out."""
        self._fold(busy=True, error="")
        self._engine.ask(lambda service: service.sign_out(), lambda _: self._finish(), self._fail)

    def _enter(self, url: str, key: str, email: str, password: str, *, new: bool) -> None:
        missing = first_missing(url=url, key=key, email=email, password=password)
        self._fold(error=missing, busy=not missing)
        if missing:
            return
        url, key, email = url.strip(), key.strip(), email.strip()
        self._engine.ask(
            lambda service: (service.sign_up if new else service.sign_in)(
                url, key, email, password, adopt=False
            ),
            lambda _: self._entered(),
            self._fail,
        )

    def _entered(self) -> None:
        self._fold(busy=False, just_signed_in=True, needs_sign_in=False, unadopted=self._read_unadopted())
        self.refresh()
        if not self._inputs.unadopted:
            self._finish()

    def _finish(self) -> None:
        self._fold(
            busy=False, error="", just_signed_in=False, leaving=False, unadopted=self._read_unadopted()
        )
        self.refresh()
        self.finished.emit()

    def _fail(self, error: BaseException) -> None:
        self._fold(busy=False, error=str(error) or words.tr("That did not work. Try again."))

    def _read_account(self) -> Account | None:
        try:
            return self._store.read(accounts.active)
        except StorageError:
            return None

    def _read_unadopted(self) -> int:
        try:
            return self._store.read(chats.unadopted)
        except StorageError:
            return 0

    def _fold(self, **moved: object) -> None:
        self._inputs = replace(self._inputs, **moved)  # type: ignore[arg-type]  # the fields of Inputs, by name
        self._become(derive(self._inputs))

    step = prop(str, "step", stepChanged)
    signedIn = prop(bool, "signed_in", signedInChanged)
    email = prop(str, "email", emailChanged)
    initial = prop(str, "initial", initialChanged)
    label = prop(str, "label", labelChanged)
    server = prop(str, "server", serverChanged)
    key = prop(str, "key", keyChanged)
    busy = prop(bool, "busy", busyChanged)
    error = prop(str, "error", errorChanged)
    question = prop(str, "question", questionChanged)
    adoptLabel = prop(str, "adopt_label", adoptLabelChanged)
    unadopted = prop(int, "unadopted", unadoptedChanged)
    consequence = prop(str, "consequence", consequenceChanged)
    memoryNotice = prop(str, "memory_notice", memoryNoticeChanged)
