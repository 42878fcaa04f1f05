"""`homing serve`: the one-machine sync server."""

from pathlib import Path
from typing import Any

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options
from desktop.commands.server import told_in_one_line

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=HomingCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8787, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@click.option(
    "--database-url",
    envvar="HOMING_DATABASE_URL",
    help="A PostgreSQL of your own; without it Homing runs one. Else $HOMING_DATABASE_URL.",
)
@click.option("--tls-cert", type=_FILE, help="The certificate chain to serve https with (PEM).")
@click.option("--tls-key", type=_FILE, help="Its private key (PEM). Renewed files are picked up.")
@click.option("--public-url", help="Where a proxy offers this server, like https://sync.example.org.")
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    metavar="ADDRESS",
    help="An address or network whose X-Forwarded headers count; may be given again.",
)
@click.option("--metrics", is_flag=True, help="Answer GET /metrics to this machine, for Prometheus.")
@click.option(
    "--smtp-url",
    envvar="HOMING_SMTP_URL",
    help="Where mail goes out, like smtps://user:password@mail.example.org. Else $HOMING_SMTP_URL.",
)
@click.option("--mail-from", help="The sender of mails.")
@pass_options
def serve(options: GlobalOptions, /, **chosen: Any) -> None:  # noqa: ANN401  # the options by their names
    """Run a sync server on this machine for your devices."""

    def ready(url: str, publishable_key: str) -> None:
        options.say(
            {"url": url, "publishable_key": publishable_key},
            f"Homing serves at {url} with publishable key {publishable_key}",
        )

    with told_in_one_line():
        from server.serve import serve as run
        from server.settings import Settings

        run(options.data_dir, Settings(**chosen), ready)
