"""The console script `homing`: global options, the list of commands, and how a failure is told."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import click

from desktop.commands import (
    account,
    backup,
    chat,
    doctor,
    messages,
    project,
    retry,
    serve,
    server,
    status,
    sync,
)
from desktop.commands.options import GlobalOptions, HomingGroup


@click.group(
    cls=HomingGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(version("homing"), prog_name="homing")
@click.pass_context
def main(context: click.Context) -> None:
    """Homing: AI chats that work offline and always find their way home.

    Without a command it opens the window.
    """
    if context.invoked_subcommand is None:
        _need_display()
        from desktop.app import run_window

        options = context.ensure_object(GlobalOptions)
        sys.exit(run_window(Path(options.data_dir), options.profile, sys.argv))


def _need_display() -> None:
    # Without one Qt aborts, and leaves a core dump.
    choices = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in choices):
        raise click.ClickException(
            "There is no display for the window: see `homing --help` for the commands."
        )


for command in (
    account.account,
    backup.backup,
    chat.chat,
    doctor.doctor,
    messages.history,
    messages.send,
    project.project,
    retry.retry,
    serve.serve,
    server.server,
    status.status,
    sync.sync,
):
    main.add_command(command)
