"""What the account dialog asks at a moment, as a pure function of what is true and how far the person is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from desktop.viewmodels import words
from desktop.viewmodels.status_words import unsynced
from storage.records import Account, AccountId
from sync.status import Phase


class Step(StrEnum):
    """What the dialog asks for."""

    CREDENTIALS = "credentials"
    ADOPTION = "adoption"
    ACCOUNTS = "accounts"
    SIGN_OUT = "sign-out"
    UNSENT = "unsent"
    GONE = "gone"


_REQUIRED: Final = (
    ("url", "Enter the server's address, for example http://127.0.0.1:8787."),
    ("key", "Enter the publishable key; the server prints it when it starts."),
    ("email", "Enter your e-mail address."),
    ("password", "Enter your password."),
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The active account, all that this computer knows, and the person's way through the dialog.

    `moving` picks chats for the account later than at sign-in; `entering` is the account that the credentials are for,
    `adding` asks for those of a new one, `listing` is the wish to see all accounts first; `unsent` counts what a sign-out
    could not send, `waiting` what each account has not sent.
    """

    account: Account | None = None
    known: Sequence[Account] = ()
    waiting: Mapping[AccountId, int] = field(default_factory=dict)
    unadopted: int = 0
    busy: bool = False
    error: str = ""
    just_signed_in: bool = False
    moving: bool = False
    leaving: bool = False
    adding: bool = False
    listing: bool = False
    entering: Account | None = None
    unsent: int = 0
    phase: Phase = Phase.SIGNED_OUT
    pending: int = 0
    in_memory: bool = False


@dataclass(frozen=True, slots=True)
class Props:
    """What the dialog and the account button show. `accounts` holds one plain row each."""

    step: str
    title: str
    signed_in: bool
    email: str
    initial: str
    label: str
    accounts: list[dict[str, object]]
    can_go_back: bool
    server: str
    key: str
    entered_email: str
    busy: bool
    error: str
    adopt_label: str
    unadopted: int
    consequence: str
    unsent_words: str
    memory_notice: str


def derive(inputs: Inputs) -> Props:
    """The dialog of a moment."""
    account, step = inputs.account, step_of(inputs)
    email = account.email if account else ""
    for_whom = inputs.entering or account
    return Props(
        step=step.value,
        title=_title(step, inputs),
        signed_in=account is not None,
        email=email,
        initial=email[:1].upper(),
        label=email or words.tr("Sign in"),
        accounts=[_row(each, inputs) for each in inputs.known],
        can_go_back=bool(inputs.known),
        server=for_whom.url if for_whom else "",
        key=for_whom.publishable_key if for_whom else "",
        entered_email=for_whom.email if for_whom and not inputs.adding else "",
        busy=inputs.busy,
        error=inputs.error,
        adopt_label=words.plural(
            inputs.unadopted, "Move 1 chat into this account…", "Move %n chats into this account…"
        ),
        unadopted=inputs.unadopted if account else 0,
        consequence=_consequence(inputs.pending),
        unsent_words=words.plural(
            inputs.unsent, "1 message is not yet synced", "%n messages are not yet synced"
        ),
        memory_notice=words.tr(
            "No keyring works on this computer, so you stay signed in only until Homing closes."
        )
        if inputs.in_memory
        else "",
    )


def step_of(inputs: Inputs) -> Step:
    """What comes first of all that could be asked."""
    if inputs.account is not None:
        if inputs.unsent:
            return Step.UNSENT
        if inputs.leaving:
            return Step.SIGN_OUT
        if (inputs.just_signed_in or inputs.moving) and inputs.unadopted:
            return Step.ADOPTION
    if inputs.adding or inputs.entering is not None or not inputs.known:
        return Step.CREDENTIALS
    if inputs.account is not None and not inputs.listing:
        if _is_gone(inputs.account, inputs):
            return Step.GONE
        if _must_sign_in(inputs):
            return Step.CREDENTIALS
    return Step.ACCOUNTS


def first_missing(**given: str) -> str:
    """What to ask for when a field is empty; empty when all are there."""
    return next((words.tr(ask) for name, ask in _REQUIRED if not given[name].strip()), "")


def host_of(url: str) -> str:
    """The server's name as a person knows it."""
    try:
        return urlsplit(url).netloc or url
    except ValueError:
        return url


def _must_sign_in(inputs: Inputs) -> bool:
    return inputs.account is not None and inputs.phase is Phase.NEEDS_SIGN_IN


def _is_gone(account: Account, inputs: Inputs) -> bool:
    return account.gone or (account == inputs.account and inputs.phase is Phase.ACCOUNT_GONE)


def _title(step: Step, inputs: Inputs) -> str:
    match step:
        case Step.CREDENTIALS if _must_sign_in(inputs) and not inputs.adding:
            return words.tr("Sign in again")
        case Step.CREDENTIALS:
            return words.tr("Add an account") if inputs.adding else words.tr("Sign in to sync")
        case Step.ADOPTION:
            return words.tr("You are signed in") if inputs.just_signed_in else words.tr("Move chats")
        case Step.ACCOUNTS:
            return words.tr("Accounts")
        case Step.SIGN_OUT:
            return words.tr("Sign out?")
        case Step.UNSENT:
            return words.plural(
                inputs.unsent, "1 message is not yet synced", "%n messages are not yet synced"
            )
        case Step.GONE:
            return words.tr("This account is gone")


def _row(account: Account, inputs: Inputs) -> dict[str, object]:
    current = inputs.account is not None and account.account_id == inputs.account.account_id
    state = _state(account, inputs, current=current)
    return {
        "accountId": str(account.account_id),
        "email": account.email,
        "initial": account.email[:1].upper(),
        "server": host_of(account.url),
        "state": state,
        "current": current,
        "spoken": ". ".join(filter(None, (account.email, host_of(account.url), state))),
    }


def _state(account: Account, inputs: Inputs, *, current: bool) -> str:
    if _is_gone(account, inputs):
        return words.tr("Gone from its server")
    if current and inputs.phase is Phase.NEEDS_SIGN_IN:
        return words.tr("Needs sign-in")
    if current:
        return words.tr("In use")
    held = unsynced(count) if (count := inputs.waiting.get(account.account_id, 0)) else ""
    if account.signed_in:
        return " · ".join(filter(None, (words.tr("Signed in"), held)))
    return " · ".join((words.tr("Signed out"), held or words.tr("its chats are closed")))


def _consequence(pending: int) -> str:
    kept = words.tr(
        "The account's chats leave this list. They stay on this computer and come back when you sign in again."
    )
    if not pending:
        return kept
    unsent = words.plural(
        pending,
        "1 message is not on the server yet: it is sent first.",
        "%n messages are not on the server yet: they are sent first.",
    )
    return f"{kept} {unsent}"


def find(known: Sequence[Account], account_id: AccountId) -> Account | None:
    """The account of that id."""
    return next((each for each in known if each.account_id == account_id), None)
