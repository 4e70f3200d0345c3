"""`python -m tests.bench.sse_delay [EVENTS]`: how much later an event arrives because of the relay, and how soon the upstream
learns that a client has gone.
"""

import contextlib
import socket
import statistics
import sys
import time
from dataclasses import dataclass

from tests.bench.plain_origin import PlainOrigin, connect, plain_origin, receive_until
from tests.bench.relay_process import relay_process
from tests.bench.table import table

MOST_DELAY = 0.002
MOST_LINGERING = 1.0
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENT = b"c\r\ndata: ping\n\n\r\n"
_REQUEST = b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"
_PAUSE = 0.001
_CLIENTS = 20


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds."""

    median: float
    p99: float


def open_stream(port: int, origin: PlainOrigin) -> tuple[socket.socket, socket.socket]:
    """Both ends of an event stream: the client's and the origin's."""
    client = connect(port)
    client.sendall(_REQUEST)
    upstream = origin.accept()
    receive_until(upstream, b"\r\n\r\n")
    upstream.sendall(_HEAD)
    receive_until(client, b"\r\n\r\n")
    return client, upstream


def send_event(client: socket.socket, upstream: socket.socket) -> float:
    """Seconds until the client has it."""
    started = time.perf_counter()
    upstream.sendall(_EVENT)
    receive_until(client, b"\n\n\r\n")
    return time.perf_counter() - started


def event_delays(events: int) -> tuple[Delays, Delays]:
    """Without and with the relay in between."""
    with plain_origin() as origin, relay_process(origin.port) as relay:
        return _delays(origin.port, origin, events), _delays(relay.port, origin, events)


def _delays(port: int, origin: PlainOrigin, events: int) -> Delays:
    client, upstream = open_stream(port, origin) if port != origin.port else _direct(origin)
    with client, upstream:
        taken = []
        for _ in range(events):
            time.sleep(_PAUSE)
            taken.append(send_event(client, upstream))
    return Delays(statistics.median(taken), statistics.quantiles(taken, n=100)[98])


def _direct(origin: PlainOrigin) -> tuple[socket.socket, socket.socket]:
    client = connect(origin.port)
    return client, origin.accept()


def lingering() -> list[float]:
    """Seconds from a client's leaving to the end of its request at the upstream."""
    with plain_origin() as origin, relay_process(origin.port) as relay:
        taken = []
        for _ in range(_CLIENTS):
            client, upstream = open_stream(relay.port, origin)
            client.close()
            started = time.perf_counter()
            with upstream, contextlib.suppress(ConnectionError):  # a reset is an end as well
                assert upstream.recv(1) == b""
            taken.append(time.perf_counter() - started)
        return taken


def main(events: int) -> bool:
    direct, relayed = event_delays(events)
    left = lingering()
    median, p99 = relayed.median - direct.median, relayed.p99 - direct.p99
    table(
        f"{events} events, {_CLIENTS} clients that vanish",
        [
            ("", "median", "p99"),
            ("direct", f"{direct.median * 1000:.3f} ms", f"{direct.p99 * 1000:.3f} ms"),
            ("through the relay", f"{relayed.median * 1000:.3f} ms", f"{relayed.p99 * 1000:.3f} ms"),
            ("added", f"{median * 1000:.3f} ms", f"{p99 * 1000:.3f} ms"),
            (
                "upstream ended after",
                f"{statistics.median(left) * 1000:.3f} ms",
                f"{max(left) * 1000:.3f} ms (max)",
            ),
        ],
    )
    return p99 < MOST_DELAY and max(left) < MOST_LINGERING


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
