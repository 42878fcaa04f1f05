"""A stand-in for a transaction pooler in front of PostgreSQL: it passes everything on but notifications."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

_NOTIFICATION: Final = b"A"


@contextmanager
def pooling(unix_socket: str) -> Iterator[int]:
    """The loopback port of a pooler before the PostgreSQL that listens there. No TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        opened: list[socket.socket] = []
        threads = [Thread(target=_accept, args=(listener, unix_socket, opened))]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Wakes accept(), which a close alone does not.
            listener.shutdown(socket.SHUT_RDWR)
            threads[0].join()
            for each in opened:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()


def _accept(listener: socket.socket, unix_socket: str, opened: list[socket.socket]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX)
        server.connect(unix_socket)
        opened += [client, server]
        Thread(target=_copy, args=(client, server), daemon=True).start()
        Thread(target=_answers, args=(server, client), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _answers(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError, EOFError):
        while True:
            head = _exactly(server, 5)
            body = _exactly(server, struct.unpack(">I", head[1:])[0] - 4)
            if head[:1] != _NOTIFICATION:
                client.sendall(head + body)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
