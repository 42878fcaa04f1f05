"""The database behind a command of the operator: of the server that serves, else started for as long as it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from server import ownership
from server.database import APPLICATION, LISTENER
from server.errors import AlreadyServing, DatabaseUnavailable
from server.postgres import cluster, given
from server.postgres.supervisor import DATABASE, Postgres
from server.postgres.unprivileged import runner


@contextmanager
def open_database(root: Path, url: str | None, *, alone: bool = False, make: bool = False) -> Iterator[str]:
    """The connection string of the database's owner: of the given url, else of the cluster under `root`.

    With `alone` nobody may serve it meanwhile, with `make` a cluster that is not there yet is made.
    Raises AlreadyServing, NothingServed, FolderUnusable and DatabaseUnavailable.
    """
    ownership.require_own(root)
    if url is not None:
        given.describe(url)
        if alone:
            _refuse_servers(url)
        yield url
        return
    with ownership.in_one_line(root):
        place = cluster.locate(root, runner())
        ownership.require_served(root, place.major or make)
    postgres = Postgres(root)
    try:
        try:
            conninfo = postgres.start()
        except AlreadyServing:
            if alone:
                raise
            conninfo = _of_the_running_server(place)
        yield conninfo
    finally:
        postgres.stop()


def one_line(error: psycopg.Error) -> str:
    """What PostgreSQL said, for the middle of a sentence."""
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__


def _refuse_servers(url: str) -> None:
    with psycopg.connect(url) as db:
        serving = db.execute(
            "select from pg_stat_activity where datname = current_database() and application_name = any (%s)",
            [[APPLICATION, LISTENER]],
        ).fetchone()
    if serving is not None:
        raise AlreadyServing("A homing serve uses the given database: stop it first.")


def _of_the_running_server(place: cluster.Cluster) -> str:
    try:
        host, port = place.address()
        conninfo = make_conninfo(
            host=host, port=port, user=cluster.ADMIN, password=place.password(), dbname=DATABASE
        )
        psycopg.connect(conninfo, connect_timeout=10).close()
    except (OSError, ValueError, IndexError, psycopg.Error):
        raise DatabaseUnavailable(
            "The server that runs here is starting or stopping: try again in a moment."
        ) from None
    return conninfo
