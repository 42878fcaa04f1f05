"""`homing sync`: push and pull until there is nothing left to do, or stay and keep at it."""

import signal
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options
from storage import accounts
from storage.errors import StorageError
from sync.login.vault import chosen_kind
from sync.status import SyncStatus

if TYPE_CHECKING:
    from storage.store import Store
    from sync.service import SyncService


@click.command(cls=HomingCommand)
@click.option("--watch", is_flag=True, help="Stay and keep syncing until interrupted.")
@pass_options
def sync(options: GlobalOptions, *, watch: bool) -> None:
    """Push what is pending, pull what is new, and exit when all is quiet."""
    from sync.service import SyncService

    with options.store() as store:
        kind = chosen_kind()
        if store.read(accounts.active) is None:
            raise click.ClickException("Nobody is signed in: sign in with homing account sign-in.")
        service = SyncService(store, options.profile_dir, session_store=kind, realtime=watch)
        try:
            service.start()
            if watch:
                _stay(options, service)
                return
            report = service.run_until_quiet()
            if service.holds_engine:
                _keep_backups(store)
        finally:
            service.stop()
    options.say(
        {
            "pushed": report.pushed,
            "pulled": report.pulled,
            "pending": report.pending,
            "rejected": report.rejected,
        },
        f"Pushed {report.pushed}, pulled {report.pulled}, "
        f"{report.pending} not yet synced, {report.rejected} set aside.",
    )
    if report.error:
        raise click.ClickException(report.error)


def _keep_backups(store: "Store") -> None:
    """Nobody else does it where no window ever opens. What was synced is synced, with a backup or without."""
    try:
        store.keep_backups()
    except StorageError as error:
        click.echo(f"No backup was made: {error}", err=True)


def _stay(options: GlobalOptions, service: "SyncService") -> None:
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())

    def tell(status: SyncStatus) -> None:
        reason = f" ({status.last_error})" if status.last_error else ""
        options.say(asdict(status), f"{status.phase}: {status.pending} not yet synced{reason}")

    unsubscribe = service.subscribe(tell)
    stopped.wait()
    unsubscribe()
