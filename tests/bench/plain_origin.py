"""Blocking sockets for both ends of a relay: what is measured is the relay, not an event loop of the measurer's."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class PlainOrigin:
    listener: socket.socket

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def accept(self) -> socket.socket:
        """The next connection."""
        connection, _ = self.listener.accept()
        connection.settimeout(_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@contextmanager
def plain_origin() -> Iterator[PlainOrigin]:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        listener.settimeout(_PATIENCE)
        yield PlainOrigin(listener)


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive_until(sock: socket.socket, end: bytes) -> bytes:
    """All bytes up to and with `end`. Raises ConnectionError when the other side ends before."""
    received = b""
    while not received.endswith(end):
        data = sock.recv(65536)
        if not data:
            raise ConnectionError
        received += data
    return received
