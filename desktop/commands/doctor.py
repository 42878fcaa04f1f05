"""`homing doctor`: check this computer's store, or with --server the server."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from desktop.commands.account import ask_password, completed
from desktop.commands.options import GlobalOptions, HomingCommand, pass_options, told_in_one_line
from storage import accounts, checking
from storage.paths import STORE_NAME
from storage.records import Account
from sync.doctor.findings import Finding, Level
from sync.login.vault import chosen_kind

if TYPE_CHECKING:
    from sync.doctor.person import SignIn


@click.command(cls=HomingCommand)
@click.option("--server", is_flag=True, help="Examine the server instead of this computer's store.")
@click.option("--url", help="Another server than that of the account.")
@click.option("--key", help="The server's publishable key.")
@click.option("--email", help="The address to sign in with.")
@pass_options
def doctor(
    options: GlobalOptions, url: str | None, key: str | None, email: str | None, *, server: bool
) -> None:
    """Check that all is well, one line a check. Exit status 1 when anything failed.

    Without options the store of this computer is read, and nothing is written. With --server Homing tries on the
    server what devices do, and leaves nothing that shows: as the signed-in account, or, with any of --url, --key and
    --email, as whoever signs in for it by password; what is not given is taken from the account.
    """
    if not server and (url or key or email):
        raise click.UsageError("--url, --key and --email go with --server.")
    with told_in_one_line():
        failed = _server(options, url, key, email) if server else _local(options)
    if failed:
        raise click.ClickException(f"Checks that failed: {failed}. Do what the lines marked fail say.")


def _local(options: GlobalOptions) -> int:
    findings = [
        Finding(each.check, Level.OK if each.healthy else Level.FAIL, each.words)
        for each in checking.examine(options.profile_dir / STORE_NAME)
    ]
    return sum(_say(options, finding) for finding in findings)


def _server(options: GlobalOptions, url: str | None, key: str | None, email: str | None) -> int:
    from sync.doctor.examination import examine
    from sync.doctor.person import of_profile

    active, last = _accounts(options)
    if active is not None and not (url or key or email):
        sign_in = of_profile(active, options.profile_dir, chosen_kind())
        return asyncio.run(_told(options, examine(active.url, active.publishable_key, sign_in)))
    server, publishable_key, address = completed(last, url, key, email)
    return asyncio.run(_told(options, examine(server, publishable_key, _by_password(address))))


def _by_password(email: str) -> "SignIn":
    from sync.doctor.person import with_password

    return with_password(email, ask_password(confirm=False))


def _accounts(options: GlobalOptions) -> tuple[Account | None, Account | None]:
    """The active account, and it or else the last one that was. Looking for them makes no store."""
    if not (options.profile_dir / STORE_NAME).exists():
        return None, None
    with options.store() as store:
        active, remembered = store.read(accounts.active), store.read(accounts.list_accounts)
    return active, active or (remembered[-1] if remembered else None)


async def _told(options: GlobalOptions, findings: AsyncIterator[Finding]) -> int:
    failed = 0
    async for finding in findings:
        failed += _say(options, finding)
    return failed


def _say(options: GlobalOptions, finding: Finding) -> bool:
    options.say(
        {"check": finding.check, "result": finding.level, "detail": finding.words},
        f"{finding.level:<4}  {finding.check:<18}  {finding.words}",
    )
    return finding.level is Level.FAIL
