"""The options every command takes, before or after its name, and the errors every command translates."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from platformdirs import user_data_path

from storage.errors import StorageError, StoreCorrupt
from storage.paths import STORE_NAME, profile_dir
from sync.errors import SyncError

if TYPE_CHECKING:
    from storage.store import Store


def _default_data_dir() -> Path:
    # Not click's own envvar: each command repeats the option, and the variable would win over one given before it.
    chosen = os.environ.get("HOMING_DATA_DIR")
    return Path(chosen) if chosen else user_data_path("homing", appauthor=False)


@dataclass
class GlobalOptions:
    """What the global options say, shared by a command and its groups."""

    data_dir: Path = field(default_factory=_default_data_dir)
    profile: str = "default"
    as_json: bool = False

    @property
    def profile_dir(self) -> Path:
        """Where this profile's store, locks and sessions are. ClickException for a name that is none."""
        try:
            return profile_dir(self.data_dir, self.profile)
        except ValueError as error:
            raise click.ClickException(str(error)) from error

    @contextmanager
    def store(self) -> Iterator["Store"]:
        """Open the local store for the time of one command."""
        from storage.store import Store

        with told_in_one_line():
            store = Store.open(self.profile_dir / STORE_NAME)
            try:
                yield store
            finally:
                store.close()

    def say(self, document: Mapping[str, Any], text: str) -> None:
        """Print one result: the document with --json, the text without."""
        click.echo(json.dumps(document, ensure_ascii=False) if self.as_json else text)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn the expected errors into exit status 1 with one line on stderr."""
    try:
        yield
    except StoreCorrupt as error:
        raise click.ClickException(
            " ".join(f"{error} (homing doctor --repair, or open the window)".split())
        ) from error
    except (StorageError, SyncError) as error:
        raise click.ClickException(" ".join(str(error).split())) from error


def _set(name: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: object) -> None:
        options = context.ensure_object(GlobalOptions)
        if value is not None:
            setattr(options, name, value)

    return callback


def _global_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--data-dir"],
            type=click.Path(file_okay=False, path_type=Path),
            expose_value=False,
            callback=_set("data_dir"),
            help="Where everything is kept; else $HOMING_DATA_DIR.",
        ),
        click.Option(
            ["--profile"],
            expose_value=False,
            callback=_set("profile"),
            help="Which of several separate stores to use.",
        ),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_set("as_json"),
            help="Answer in JSON.",
        ),
    ]


class HomingCommand(click.Command):
    """A command that also takes the global options after its name."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters and the global ones."""
        return [*super().get_params(ctx), *_global_options()]


class HomingGroup(click.Group):
    """A group whose commands and groups all take the global options."""

    command_class = HomingCommand

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the group's own parameters and the global ones."""
        return [*super().get_params(ctx), *_global_options()]


pass_options = click.make_pass_decorator(GlobalOptions, ensure=True)
