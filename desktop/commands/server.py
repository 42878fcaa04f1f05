"""`homing server`: what an operator does to a server of this machine, whether it serves or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click

from desktop.commands.options import GlobalOptions, HomingGroup, pass_options

_DATABASE_URL = click.option(
    "--database-url",
    envvar="HOMING_DATABASE_URL",
    help="The database that was given to homing serve, if one was. Else $HOMING_DATABASE_URL.",
)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=HomingGroup)
def server() -> None:
    """Back up, restore and look after a server of this machine."""


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn what the server package raises, or its absence, into exit status 1 with one line on stderr."""
    from server.errors import ServerError

    try:
        yield
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"The server's libraries are not installed ({missing.name}): pip install 'homing[server]'"
        ) from missing
    except ServerError as error:
        raise click.ClickException(" ".join(str(error).split())) from error


@server.command()
@click.argument("file", type=_FILE)
@_DATABASE_URL
@pass_options
def backup(options: GlobalOptions, file: Path, database_url: str | None) -> None:
    """Write everything but the keys to FILE, also while the server serves."""
    root = options.data_dir / "server"
    with told_in_one_line():
        from server.upkeep.backups import back_up
        from server.upkeep.database import open_database

        with open_database(root, database_url) as conninfo:
            made = back_up(conninfo, file, root)
    options.say(
        asdict(made),
        f"Backed up to {made.file} ({made.octets} bytes). The keys in {root} are not in it: keep a copy of them too.",
    )


@server.command()
@click.argument("file", type=_FILE)
@_DATABASE_URL
@pass_options
def restore(options: GlobalOptions, file: Path, database_url: str | None) -> None:
    """Put a backup in the place of what is there. The server must not serve meanwhile."""
    with told_in_one_line():
        from server.upkeep.backups import restore as put_back
        from server.upkeep.database import open_database

        with open_database(options.data_dir / "server", database_url, alone=True, make=True) as conninfo:
            restored = put_back(conninfo, file)
    options.say(
        asdict(restored),
        f"Restored {restored.users} users and {restored.chats} chats. Devices send what it lacks when they come. "
        f"What was there before is kept as database {restored.earlier} until the next restore.",
    )


@server.command(name="begin-epoch")
@_DATABASE_URL
@pass_options
def begin_epoch(options: GlobalOptions, database_url: str | None) -> None:
    """Tell every device to compare everything, after the database was put back by other means."""
    with told_in_one_line():
        from server.upkeep.condition import begin_epoch as begin
        from server.upkeep.database import open_database

        with open_database(options.data_dir / "server", database_url) as conninfo:
            moved = begin(conninfo)
    options.say({"owners": moved}, f"A new epoch began for {moved} people.")


@server.command(name="rotate-keys")
@click.option("--publishable", is_flag=True, help="Draw a new publishable key too; the old one goes on.")
@click.option("--revoke", is_flag=True, help="End the replaced keys at once: everybody signs in again.")
@pass_options
def rotate_keys(options: GlobalOptions, *, publishable: bool, revoke: bool) -> None:
    """Sign with a new key from now on. A server that serves picks it up."""
    with told_in_one_line():
        from server.keys import rotate

        keys = rotate(options.data_dir / "server", publishable=publishable, revoke=revoke)
    older = len(keys.older_secrets)
    options.say(
        {"publishable_key": keys.publishable, "older_signing_keys": older},
        f"A new key signs. Publishable key: {keys.publishable}. Older signing keys that still count: {older}.",
    )


@server.command()
@_DATABASE_URL
@pass_options
def status(options: GlobalOptions, database_url: str | None) -> None:
    """Show the versions, how many people and chats there are, the size, and the last backup."""
    root = options.data_dir / "server"
    with told_in_one_line():
        from server.upkeep.backups import last_backup
        from server.upkeep.condition import examine
        from server.upkeep.database import open_database

        with open_database(root, database_url) as conninfo:
            condition = examine(conninfo)
        last = last_backup(root)
    document = {
        "version": version("homing"),
        **asdict(condition),
        "last_backup": asdict(last) if last is not None else None,
    }
    lines = [
        f"Homing       {document['version']}",
        f"PostgreSQL   {condition.postgresql}",
        f"Schema       {condition.schema_version or 'none'}",
        f"Serving      {'yes' if condition.serving else 'no'}",
        f"Users        {_known(condition.users)}",
        f"Chats        {_known(condition.chats)}",
        f"Size         {condition.octets} bytes",
        f"Last backup  {f'{last.made_at} to {last.file}' if last is not None else 'never'}",
    ]
    options.say(document, "\n".join(lines))


def _known(count: int | None) -> str:
    return "not known: this login does not see everybody's rows" if count is None else str(count)
