"""`python -m tests.bench.idle_streams [COUNT]`: what an idle event stream and an idle WebSocket cost a relay process.

Opens COUNT (5,000) of each, one kind after the other, sends one message through every hundredth, and lets them go.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from socket import socket

from tests.bench.plain_origin import PlainOrigin, connect, plain_origin, receive_until
from tests.bench.relay_process import MIB, raise_file_limit, relay_process, wait_until
from tests.bench.sse_delay import open_stream, send_event
from tests.bench.table import table

_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
_FRAME = b"\x81\x04ping"
_EVERY = 100

Open = Callable[[int, PlainOrigin], tuple[socket, socket]]
Send = Callable[[socket, socket], float]


@dataclass(frozen=True, slots=True)
class IdleCost:
    """`each`: bytes of the process's memory per stream. `left`: bytes it is larger by after all have gone."""

    each: float
    left: int
    seconds: float


def open_websocket(port: int, origin: PlainOrigin) -> tuple[socket, socket]:
    client = connect(port)
    client.sendall(_HANDSHAKE)
    upstream = origin.accept()
    receive_until(upstream, b"\r\n\r\n")
    upstream.sendall(_SWITCH)
    receive_until(client, b"\r\n\r\n")
    return client, upstream


def send_frame(client: socket, upstream: socket) -> float:
    started = time.perf_counter()
    upstream.sendall(_FRAME)
    receive_until(client, b"ping")
    return time.perf_counter() - started


def idle_cost(count: int, open_one: Open, send: Send) -> IdleCost:
    with plain_origin() as origin, relay_process(origin.port) as relay:
        files, before = relay.open_files, relay.resident
        started = time.monotonic()
        with ExitStack() as stack:
            pairs = []
            for _ in range(count):
                client, upstream = open_one(relay.port, origin)
                pairs.append((stack.enter_context(client), stack.enter_context(upstream)))
            each = (relay.resident - before) / count
            for client, upstream in pairs[::_EVERY]:
                send(client, upstream)
        wait_until(lambda: relay.open_files <= files, 20)
        return IdleCost(each, relay.resident - before, time.monotonic() - started)


def main(count: int) -> bool:
    raise_file_limit()
    costs = {
        "event stream": idle_cost(count, open_stream, send_event),
        "WebSocket": idle_cost(count, open_websocket, send_frame),
    }
    table(
        f"{count} idle streams of each kind in one relay process",
        [
            ("", "memory of each", "of all", "left after they have gone", "seconds"),
            *(
                (
                    kind,
                    f"{cost.each / 1024:.1f} KiB",
                    f"{cost.each * count / MIB:.1f} MiB",
                    f"{cost.left / MIB:.1f} MiB",
                    f"{cost.seconds:.1f}",
                )
                for kind, cost in costs.items()
            ),
        ],
    )
    return True


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
