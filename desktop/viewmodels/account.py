"""The account dialog: sign in, several accounts, the signed-out chats, sign out, and an account that is gone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import Property, QObject, Signal, Slot

from desktop.engine import Engine
from desktop.viewmodels import words
from desktop.viewmodels.account_steps import Inputs, Props, derive, find, first_missing
from desktop.viewmodels.adoption import Adoption
from desktop.viewmodels.props import PropsObject, prop
from storage import accounts, chats
from storage.errors import StorageError
from storage.records import Account, AccountId
from storage.standing import unsynced
from storage.store import Store
from sync.errors import UnsentMessages
from sync.status import SyncStatus

_AFRESH: Final[Mapping[str, Any]] = {
    "just_signed_in": False,
    "moving": False,
    "leaving": False,
    "adding": False,
    "listing": False,
    "entering": None,
    "unsent": 0,
}
"""How far the person is when nothing has been asked yet."""


class AccountDialog(PropsObject[Props]):
    """Speaks with the engine; what is true about the accounts it reads from the store."""

    stepChanged = Signal()
    titleChanged = Signal()
    signedInChanged = Signal()
    emailChanged = Signal()
    initialChanged = Signal()
    labelChanged = Signal()
    accountsChanged = Signal()
    canGoBackChanged = Signal()
    serverChanged = Signal()
    keyChanged = Signal()
    enteredEmailChanged = Signal()
    busyChanged = Signal()
    errorChanged = Signal()
    adoptLabelChanged = Signal()
    unadoptedChanged = Signal()
    consequenceChanged = Signal()
    unsentWordsChanged = Signal()
    memoryNoticeChanged = Signal()
    accountChanged = Signal()
    refilled = Signal()
    """The form shall show the server, key and e-mail of another account."""
    finished = Signal()
    """Nothing is left to ask: the dialog may close."""

    def __init__(self, store: Store, engine: Engine, parent: QObject | None = None) -> None:
        self._store = store
        self._engine = engine
        self._adoption = Adoption(store)
        self._inputs = Inputs(account=self._read_account(), phase=engine.status.phase)
        super().__init__(derive(self._inputs), parent)

    @property
    def account(self) -> Account | None:
        """The active account, as the store has it."""
        return self._inputs.account

    def refresh(self) -> None:
        """Reads the accounts again after a commit touched them."""
        before = self._inputs.account
        self._fold(account=self._read_account(), known=self._read_known())
        if self._inputs.account != before:
            self.accountChanged.emit()

    def use_status(self, status: SyncStatus) -> None:
        """What the engine says about the session and about unsent work."""
        self._fold(phase=status.phase, pending=status.pending)

    @Slot()
    def use_memory(self) -> None:
        """Logins are not kept on this computer."""
        self._fold(in_memory=True)

    @Slot()
    def opened(self) -> None:
        """The dialog opens: without yesterday's error, with today's accounts and chats."""
        self._adoption.read()
        self._fold(
            **_AFRESH,
            error="",
            known=self._read_known(),
            waiting=self._read_waiting(),
            unadopted=self._read_unadopted(),
        )
        self.refilled.emit()

    @Slot(str, str, str, str)
    def sign_in(self, url: str, key: str, email: str, password: str) -> None:
        """Signs in with what the person typed."""
        self._enter(url, key, email, password, new=False)

    @Slot(str, str, str, str)
    def sign_up(self, url: str, key: str, email: str, password: str) -> None:
        """Creates the account and signs in."""
        self._enter(url, key, email, password, new=True)

    @Slot()
    def add(self) -> None:
        """Asks for another account's credentials."""
        self._fold(adding=True, entering=None, error="")
        self.refilled.emit()

    @Slot()
    def back(self) -> None:
        """To the list of accounts."""
        self._fold(**{**_AFRESH, "listing": True}, error="")

    @Slot(str)
    def choose(self, account_id: str) -> None:
        """Turns to another account; one that is signed out is asked for its password first."""
        account = find(self._inputs.known, AccountId(account_id))
        if account is None or self._inputs.busy:
            return
        if account == self._inputs.account:
            self._fold(listing=False)
            return
        if not account.signed_in:
            self._fold(entering=account, adding=False, error="")
            self.refilled.emit()
            return
        self._fold(busy=True, error="")
        self._engine.ask(
            lambda service: service.switch(account.account_id), lambda _: self._finish(), self._fail
        )

    @Slot()
    def ask_adoption(self) -> None:
        """Shows the signed-out chats, each with its mark."""
        self._adoption.read()
        self._fold(moving=True, unadopted=self._read_unadopted(), error="")

    @Slot()
    def adopt(self) -> None:
        """The chosen signed-out chats become the account's."""
        chosen = self._adoption.choice
        self._fold(busy=True, error="")
        self._engine.ask(lambda service: service.adopt(chosen), lambda _: self._finish(), self._fail)

    @Slot()
    def keep_here(self) -> None:
        """No: they stay on this computer only."""
        self._finish()

    @Slot()
    def ask_sign_out(self) -> None:
        """Shows what signing out means."""
        self._fold(leaving=True, error="")

    @Slot()
    def sign_out(self) -> None:
        """Sends what can be sent, then signs out; asks when something is left."""
        self._leave(seal=False)

    @Slot()
    def seal(self) -> None:
        """Signs out; what is unsent stays here, closed, until this account is back."""
        self._leave(seal=True)

    @Slot()
    def release(self) -> None:
        """The account is gone from its server: its chats become this computer's own."""
        account = self._inputs.account
        if account is not None and not self._inputs.busy:
            self._fold(busy=True, error="")
            self._engine.ask(
                lambda service: service.release(account.account_id), lambda _: self._finish(), self._fail
            )

    def _leave(self, *, seal: bool) -> None:
        if not self._inputs.busy:
            self._fold(busy=True, error="")
            self._engine.ask(
                lambda service: service.sign_out(seal=seal), lambda _: self._finish(), self._fail
            )

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
        self._adoption.read()
        self._fold(**{**_AFRESH, "just_signed_in": True}, busy=False, unadopted=self._read_unadopted())
        self._fold(phase=self._engine.status.phase)
        self.refresh()
        if not self._inputs.unadopted:
            self._finish()

    def _finish(self) -> None:
        self._fold(**_AFRESH, busy=False, error="", unadopted=self._read_unadopted())
        self.refresh()
        self.finished.emit()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, UnsentMessages):
            again = self._inputs.unsent == error.count
            text = words.tr("The server did not take them yet. Try again later, or keep them here.")
            self._fold(busy=False, unsent=error.count, error=text if again else "")
            return
        self._fold(busy=False, error=str(error) or words.tr("That did not work. Try again."))

    def _read_account(self) -> Account | None:
        try:
            return self._store.read(accounts.active)
        except StorageError:
            return None

    def _read_known(self) -> tuple[Account, ...]:
        try:
            return tuple(self._store.read(accounts.list_accounts))
        except StorageError:
            return ()

    def _read_waiting(self) -> dict[AccountId, int]:
        try:
            return self._store.read(
                lambda db: {
                    each.account_id: unsynced.counts(db, [each.account_id]).pending
                    for each in accounts.list_accounts(db)
                }
            )
        except StorageError:
            return {}

    def _read_unadopted(self) -> int:
        try:
            return self._store.read(chats.unadopted)
        except StorageError:
            return 0

    def _fold(self, **moved: object) -> None:
        self._inputs = replace(self._inputs, **moved)  # type: ignore[arg-type]  # the fields of Inputs, by name
        self._become(derive(self._inputs))

    step = prop(str, "step", stepChanged)
    title = prop(str, "title", titleChanged)
    signedIn = prop(bool, "signed_in", signedInChanged)
    email = prop(str, "email", emailChanged)
    initial = prop(str, "initial", initialChanged)
    label = prop(str, "label", labelChanged)
    accounts = prop(list, "accounts", accountsChanged)
    canGoBack = prop(bool, "can_go_back", canGoBackChanged)
    server = prop(str, "server", serverChanged)
    key = prop(str, "key", keyChanged)
    enteredEmail = prop(str, "entered_email", enteredEmailChanged)
    busy = prop(bool, "busy", busyChanged)
    error = prop(str, "error", errorChanged)
    adoptLabel = prop(str, "adopt_label", adoptLabelChanged)
    unadopted = prop(int, "unadopted", unadoptedChanged)
    consequence = prop(str, "consequence", consequenceChanged)
    unsentWords = prop(str, "unsent_words", unsentWordsChanged)
    memoryNotice = prop(str, "memory_notice", memoryNoticeChanged)
    adoption: Any = Property(QObject, lambda self: self._adoption, constant=True)
