"""`homing account`: sign up, in and out, switch between accounts, adopt chats, and say who is signed in."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from desktop.commands.options import GlobalOptions, HomingGroup, pass_options
from storage import accounts
from storage.records import Account, ChatId
from sync.errors import UnsentMessages
from sync.login.vault import chosen_kind

if TYPE_CHECKING:
    from storage.store import Store
    from sync.service import SyncService


@click.group(cls=HomingGroup)
def account() -> None:
    """Sign in to servers, sign out, switch between the accounts of this computer."""


def _credentials(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--adopt", is_flag=True, help="Move the chats written while signed out into the account."
        ),
        click.option("--email", help="The account's e-mail address."),
        click.option("--key", help="The server's publishable key."),
        click.option("--url", help="Where the server is."),
    ):
        command = option(command)
    return command


def ask_password(*, confirm: bool) -> str:
    """HOMING_PASSWORD, else what is typed at the prompt; ClickException where there is nobody to type."""
    given = os.environ.get("HOMING_PASSWORD")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise click.ClickException("There is no terminal to ask for the password: set HOMING_PASSWORD.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))


@contextmanager
def _service(options: GlobalOptions, store: "Store") -> Iterator["SyncService"]:
    from sync.service import SyncService

    service = SyncService(store, options.profile_dir, session_store=chosen_kind(), realtime=False)
    service.start()
    try:
        yield service
    finally:
        service.stop()


@account.command(name="sign-up")
@_credentials
@pass_options
def sign_up(
    options: GlobalOptions, url: str | None, key: str | None, email: str | None, *, adopt: bool
) -> None:
    """Create an account and sign in to it."""
    with options.store() as store, _service(options, store) as service:
        server, publishable_key, address = completed(_last(store), url, key, email)
        password = ask_password(confirm=True)
        _say_signed_in(options, service.sign_up(server, publishable_key, address, password, adopt=adopt))


@account.command(name="sign-in")
@_credentials
@pass_options
def sign_in(
    options: GlobalOptions, url: str | None, key: str | None, email: str | None, *, adopt: bool
) -> None:
    """Sign in to an existing account; what is not given is taken from the last one."""
    with options.store() as store, _service(options, store) as service:
        server, publishable_key, address = completed(_last(store), url, key, email)
        password = ask_password(confirm=False)
        _say_signed_in(options, service.sign_in(server, publishable_key, address, password, adopt=adopt))


def _last(store: "Store") -> Account | None:
    remembered = store.read(accounts.list_accounts)
    return remembered[-1] if remembered else None


def completed(
    last: Account | None, url: str | None, key: str | None, email: str | None
) -> tuple[str, str, str]:
    """What was given, and the rest from an account; UsageError when that does not tell it either."""
    url = url or (last.url if last else None)
    key = key or (last.publishable_key if last else None)
    email = email or (last.email if last else None)
    if not (url and key and email):
        raise click.UsageError("Say --url, --key and --email: no account on this computer tells them.")
    return url, key, email


def _say_signed_in(options: GlobalOptions, signing_in: Future[Account]) -> None:
    signed_in = signing_in.result()
    options.say(_document(signed_in), f"Signed in as {signed_in.email} on {signed_in.url}")


@account.command(name="sign-out")
@click.option(
    "--seal", is_flag=True, help="Leave unsent messages on this computer, closed, if they do not go out."
)
@pass_options
def sign_out(options: GlobalOptions, *, seal: bool) -> None:
    """Send what waits, then sign out. Everything stays on this computer until you sign in again."""
    with options.store() as store, _service(options, store) as service:
        try:
            service.sign_out(seal=seal).result()
        except UnsentMessages as error:
            raise click.ClickException(f"{_unsent(error.count)}: run homing sync, or add --seal.") from error
    options.say(
        {"signed_in": False}, "Signed out. Your chats stay on this computer, closed until you sign in again."
    )


def _unsent(count: int) -> str:
    return "One message is not sent yet" if count == 1 else f"{count} messages are not sent yet"


_who = click.argument("who", metavar="EMAIL-OR-ID")
_where = click.option("--url", help="Which server, when the address has an account on several.")


@account.command()
@click.argument("who", metavar="[EMAIL-OR-ID]", required=False)
@_where
@click.option("--none", "nobody", is_flag=True, help="Go on signed out; the account stays signed in.")
@pass_options
def switch(options: GlobalOptions, who: str | None, url: str | None, *, nobody: bool) -> None:
    """Go on with another account of this computer; the one so far stays signed in."""
    if nobody == (who is not None):
        raise click.UsageError("Say an account's e-mail address or id, or --none.")
    with options.store() as store, _service(options, store) as service:
        one = _chosen(store, who, url) if who is not None else None
        service.switch(one.account_id if one else None).result()
    if one is None:
        options.say({"signed_in": False}, "Nobody is signed in now. Go on with: homing account switch")
    else:
        options.say(_document(one), f"Now {_line(one)}")


@account.command()
@click.argument("chat_ids", metavar="[CHAT]...", nargs=-1)
@pass_options
def adopt(options: GlobalOptions, chat_ids: tuple[str, ...]) -> None:
    """Move chats that were written signed out, all or these, into the active account."""
    with options.store() as store, _service(options, store) as service:
        moved = service.adopt([ChatId(each) for each in chat_ids] or None).result()
    options.say({"adopted": moved}, f"Moved into the account: {moved}")


@account.command()
@_who
@_where
@pass_options
def release(options: GlobalOptions, who: str, url: str | None) -> None:
    """Make the chats of an account that was deleted on its server signed-out ones."""
    with options.store() as store, _service(options, store) as service:
        one = _chosen(store, who, url)
        released = service.release(one.account_id).result()
    options.say(
        {"account_id": one.account_id, "released": released}, f"Signed-out chats from {one.email}: {released}"
    )


@account.command()
@pass_options
def show(options: GlobalOptions) -> None:
    """Say who is signed in."""
    with options.store() as store:
        active = store.read(accounts.active)
    if active is None:
        options.say({"signed_in": False}, "Signed out. Sign in with: homing account sign-in")
    else:
        options.say(_document(active), _line(active))


@account.command(name="list")
@pass_options
def list_(options: GlobalOptions) -> None:
    """List every account that this profile remembers."""
    with options.store() as store:
        remembered = store.read(accounts.list_accounts)
        active = store.read(accounts.active)
    for one in remembered:
        is_active = active is not None and active.account_id == one.account_id
        options.say({**_document(one), "active": is_active}, f"{'*' if is_active else ' '} {_line(one)}")


def _chosen(store: "Store", who: str, url: str | None) -> Account:
    """The one account of this computer that is meant."""
    found = [
        one
        for one in store.read(accounts.list_accounts)
        if who in (one.account_id, one.email) or who.casefold() == one.email.casefold()
        if url is None or url.rstrip("/") == one.url
    ]
    if not found:
        raise click.ClickException(f"No account here is {who}: see homing account list.")
    if len(found) > 1:
        raise click.ClickException(
            f"Several accounts are {who}: add --url, or say the id from homing account list."
        )
    return found[0]


def _line(one: Account) -> str:
    """An account and what there is to know of its session."""
    if one.gone:
        return f"{one.email} on {one.url} (deleted on its server; homing account release keeps its chats)"
    state = "signed in" if one.signed_in else "signed out; sign in with: homing account sign-in"
    return f"{one.email} on {one.url} ({state})"


def _document(one: Account) -> dict[str, Any]:
    return {
        "account_id": one.account_id,
        "user_id": one.user_id,
        "email": one.email,
        "url": one.url,
        "signed_in": one.signed_in,
        "gone": one.gone,
    }
