"""`homing doctor`: check this computer's store and hold it against the server, or with --server examine the server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from desktop.commands.account import ask_password, completed
from desktop.commands.options import GlobalOptions, HomingCommand, pass_options, told_in_one_line
from storage import accounts
from storage.clock import utc_now
from storage.paths import STORE_NAME
from storage.records import Account
from storage.rescue import checking
from sync.doctor.findings import Finding, Level, ok
from sync.login.vault import chosen_kind

if TYPE_CHECKING:
    from sync.doctor.person import SignIn

_RESCUED: Final = ("store", "integrity", "references")
"""Checks whose failure only a fresh store mends."""


@click.command(cls=HomingCommand)
@click.option("--repair", is_flag=True, help="Mend what is wrong with this computer's store.")
@click.option("--server", is_flag=True, help="Examine the server instead of this computer's store.")
@click.option("--url", help="Another server than that of the account.")
@click.option("--key", help="The server's publishable key.")
@click.option("--email", help="The address to sign in with.")
@pass_options
def doctor(
    options: GlobalOptions,
    url: str | None,
    key: str | None,
    email: str | None,
    *,
    server: bool,
    repair: bool,
) -> None:
    """Check that all is well, one line a check. Exit status 1 when anything failed.

    Without options the store of this computer is examined, synced, and held against the server message by message;
    --repair mends what is wrong, and deletes nothing: a damaged file is moved aside, what is only in it is taken along,
    and chats that differ are filled again from the server. With --server Homing tries on the
    server what devices do, and leaves nothing that shows: as the signed-in account, or, with any of --url, --key and
    --email, as whoever signs in for it by password; what is not given is taken from the account.
    """
    if not server and (url or key or email):
        raise click.UsageError("--url, --key and --email go with --server.")
    if server and repair:
        raise click.UsageError("--repair is for this computer's store, not for a server.")
    with told_in_one_line():
        failed = _server(options, url, key, email) if server else _local(options, repair=repair)
    if failed:
        raise click.ClickException(f"Checks that failed: {failed}. Do what the lines marked fail say.")


def _local(options: GlobalOptions, *, repair: bool) -> int:
    path = options.profile_dir / STORE_NAME
    checks = list(checking.examine(path))
    if repair and any(not each.healthy and each.check in _RESCUED for each in checks):
        _say(options, _rescued(path))
        checks = list(checking.examine(path))
    fine = all(each.healthy for each in checks if each.check in _RESCUED)
    compared = list(_compared(options, repair=repair)) if fine and path.exists() else []
    if repair:
        checks = list(checking.examine(path))
    findings = [
        Finding(each.check, Level.OK if each.healthy else Level.FAIL, each.words) for each in checks
    ] + compared
    return sum(_say(options, finding) for finding in findings)


def _rescued(path: Path) -> Finding:
    from storage.rescue.salvage import rescue

    done = rescue(path, utc_now())
    return ok("repair", f"a fresh store holds all that could be read; the damaged file is {done.aside}")


def _compared(options: GlobalOptions, *, repair: bool) -> Iterator[Finding]:
    """Held against the server of the active account, if there is one."""
    from sync.backend import SupabaseBackend
    from sync.doctor.device import examine
    from sync.service import SyncService

    with options.store() as store:
        account = store.read(accounts.active)
        if account is None:
            return
        kind = chosen_kind()
        service = SyncService(store, options.profile_dir, session_store=kind, realtime=False)
        try:
            service.start()
            backend = SupabaseBackend(options.profile_dir, kind)
            yield from examine(store, account, backend, service.run_until_quiet, repair=repair)
        finally:
            service.stop()


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
