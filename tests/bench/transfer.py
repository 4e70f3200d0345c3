"""`python -m tests.bench.transfer [MIB]`: a large upload and a large download through one relay process (1 GiB each way).

States throughput, and by how much the process grew at its largest: bodies are streamed, so that is a few buffers.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.plain_origin import connect, plain_origin, receive_until
from tests.bench.relay_process import MIB, relay_process
from tests.bench.table import table

MOST_GROWTH = 8 * MIB
_PIECE = bytes(MIB // 4)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`grown`: bytes, at the largest moment."""

    seconds: float
    grown: int


def upload(size: int) -> Transfer:
    def origin(connection: socket.socket) -> None:
        head, _, early = _head(connection)
        assert head.startswith(b"PUT ")
        assert _receive(connection, size - len(early)) == size - len(early)
        connection.sendall(_OK)

    def client(connection: socket.socket) -> None:
        connection.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        _send(connection, size)
        assert receive_until(connection, b"ok").startswith(b"HTTP/1.1 200 ")

    return _measure(origin, client)


def download(size: int) -> Transfer:
    def origin(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        _send(connection, size)

    def client(connection: socket.socket) -> None:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, early = _head(connection)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert _receive(connection, size - len(early)) == size - len(early)

    return _measure(origin, client)


def _measure(
    origin_end: Callable[[socket.socket], None], client_end: Callable[[socket.socket], None]
) -> Transfer:
    with plain_origin() as origin, relay_process(origin.port) as relay:

        def serve() -> None:
            with origin.accept() as connection:
                origin_end(connection)

        serving = threading.Thread(target=serve)
        serving.start()
        before = relay.resident
        relay.forget_peak()
        started = time.monotonic()
        with connect(relay.port) as client:
            client_end(client)
        seconds = time.monotonic() - started
        grown = relay.peak - before
        serving.join()
    return Transfer(seconds, grown)


def _head(connection: socket.socket) -> tuple[bytes, bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    return received.partition(b"\r\n\r\n")


def _send(connection: socket.socket, size: int) -> None:
    for start in range(0, size, len(_PIECE)):
        connection.sendall(_PIECE[: size - start])


def _receive(connection: socket.socket, size: int) -> int:
    buffer = bytearray(len(_PIECE))
    received = 0
    while received < size and (taken := connection.recv_into(buffer)):
        received += taken
    return received


def main(mib: int) -> bool:
    transfers = {"up": upload(mib * MIB), "down": download(mib * MIB)}
    table(
        f"{mib} MiB through one relay process",
        [
            ("", "seconds", "MiB/s", "memory growth at most"),
            *(
                (way, f"{one.seconds:.2f}", f"{mib / one.seconds:.0f}", f"{one.grown / MIB:.2f} MiB")
                for way, one in transfers.items()
            ),
        ],
    )
    return all(one.grown < MOST_GROWTH for one in transfers.values())


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024))
