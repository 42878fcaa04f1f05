"""`homing backup`: list, make and restore the copies of this computer's store."""

from pathlib import Path

import click

from desktop.commands.options import (
    GlobalOptions,
    HomingGroup,
    pass_options,
    told_in_one_line,
)
from storage.clock import utc_now
from storage.file import backups
from storage.file.backups import Backup
from storage.paths import STORE_NAME


@click.group(cls=HomingGroup)
def backup() -> None:
    """Copies of what this computer holds: one a day, the last seven, and one before each new version of the store."""


@backup.command(name="list")
@pass_options
def list_(options: GlobalOptions) -> None:
    """List the backups, newest first."""
    with told_in_one_line():
        for each in backups.list_backups(_path(options)):
            _say(options, each)


@backup.command()
@pass_options
def make(options: GlobalOptions) -> None:
    """Make a backup now."""
    with options.store() as store:
        made = backups.make(store.path, utc_now())
    if made is None:
        raise click.ClickException("There is nothing to back up yet.")
    _say(options, made)


@backup.command()
@click.argument("number", type=int)
@pass_options
def restore(options: GlobalOptions, number: int) -> None:
    """Put backup NUMBER in the place of the store. Close the window first.

    The present file is moved aside, and what is only in it comes along: messages not yet synced, drafts and edits.
    What the server changed since comes with the next sync.
    """
    from storage.rescue import salvage

    path = _path(options)
    with told_in_one_line():
        chosen = next((each for each in backups.list_backups(path) if each.number == number), None)
        if chosen is None:
            raise click.ClickException(f"There is no backup {number}: see homing backup list.")
        done = salvage.restore(path, chosen.path, utc_now())
    options.say(
        {"restored": number, "made_at": chosen.made_at, "aside": str(done.aside)},
        f"Restored the backup of {chosen.made_at}. The file so far is {done.aside}.",
    )


def _path(options: GlobalOptions) -> Path:
    return options.profile_dir / STORE_NAME


def _say(options: GlobalOptions, each: Backup) -> None:
    options.say(
        {"number": each.number, "made_at": each.made_at, "kind": each.kind, "file": str(each.path)},
        f"{each.number:>4}  {each.made_at}  {each.kind}",
    )
