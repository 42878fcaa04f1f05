"""`homing serve`: the one-machine sync server."""

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options


@click.command(cls=HomingCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8787, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@click.option("--database-url", help="A PostgreSQL of your own; without it Homing runs one.")
@pass_options
def serve(options: GlobalOptions, host: str, port: int, database_url: str | None) -> None:
    """Run a sync server on this machine for your devices."""
    try:
        from server.errors import ServerError
        from server.serve import serve as run
        from server.settings import Settings
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"The server's libraries are not installed ({missing.name}): pip install 'homing[server]'"
        ) from missing

    def ready(url: str, publishable_key: str) -> None:
        options.say(
            {"url": url, "publishable_key": publishable_key},
            f"Homing serves at {url} with publishable key {publishable_key}",
        )

    try:
        run(options.data_dir, Settings(host=host, port=port, database_url=database_url), ready)
    except ServerError as error:
        raise click.ClickException(str(error)) from error
