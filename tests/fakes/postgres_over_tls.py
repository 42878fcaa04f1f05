"""A PostgreSQL that listens on loopback and takes TLS connections only."""

import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from server.postgres.binaries import find
from server.postgres.cluster import reachable
from server.postgres.supervisor import Postgres
from server.postgres.unprivileged import runner
from tests.fakes.waiting import wait_for


@contextmanager
def over_tls(folder: Path, cert: Path, key: Path) -> Iterator[str]:
    """The admin's connection string, without the client's side of TLS. `cert` must name 127.0.0.1."""
    with Postgres(folder / "tls") as postgres:
        made = postgres.start()
    user, data = runner(), folder / "tls" / "cluster" / "data"
    for source, name in ((cert, "server.crt"), (key, "server.key")):
        shutil.copy(source, data / name)
        user.own(data / name)
        (data / name).chmod(0o600)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conninfo = make_conninfo(made, host="127.0.0.1", port=port)
    words = ["ssl=on", "listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories="]
    command: list[str | Path] = [
        reachable(find(), user).path("postgres"),
        "-D",
        data,
        *(f"--{each}" for each in words),
    ]
    with (folder / "postgres.log").open("wb") as output:
        process = user.spawn(command, output)
    try:
        wait_for(lambda: _answers(conninfo))
        yield conninfo
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True
