"""A client that asks at fixed moments, whether or not it has been answered: an open loop, as visitors are.

Latency counts from the moment at which a request was due, so that a server which stalls pays for all who wait meanwhile.
"""

import select
import socket
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from tests.bench.peers.load import LoadFailed, persistently

_CONNECTIONS = 64
_LAST_WORD_S = 5.0


@dataclass(frozen=True, slots=True)
class Latencies:
    p50_ms: float
    p99_ms: float


@dataclass(slots=True, eq=False)
class _Asking:
    """A connection, when its request was due, and what has come of the answer."""

    link: socket.socket
    due: float = 0.0
    received: bytes = b""

    def fileno(self) -> int:
        return self.link.fileno()

    def is_answered(self) -> bool:
        """Takes what has come. Raises LoadFailed for another answer than 200."""
        self.received += self.link.recv(65536)
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise LoadFailed(head.partition(b"\r\n")[0].decode(errors="replace"))
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return len(body) == length


def constant_rate(url: str, headers: Mapping[str, str], rate: int, seconds: float) -> Latencies:
    """Raises LoadFailed."""
    return persistently(partial(_one_load, url, headers, rate, seconds))


def _one_load(url: str, headers: Mapping[str, str], rate: int, seconds: float) -> Latencies:
    place = urlsplit(url)
    address = (str(place.hostname), int(place.port or 80))
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n{fields}\r\n".encode()
    idle = [_Asking(_connected(address)) for _ in range(_CONNECTIONS)]
    everyone = list(idle)
    try:
        return _summary(_ask(idle, request, rate, int(rate * seconds)))
    finally:
        for each in everyone:
            each.link.close()


def _ask(idle: list[_Asking], request: bytes, rate: int, count: int) -> list[float]:
    waiting: set[_Asking] = set()
    taken: list[float] = []
    sent, begun = 0, time.perf_counter() + 0.01
    give_up = begun + count / rate + _LAST_WORD_S
    while len(taken) < count:
        now = time.perf_counter()
        if now > give_up:
            raise LoadFailed(f"{len(taken)} of {count} requests were answered in time")
        while sent < count and idle and begun + sent / rate <= now:
            each = idle.pop()
            each.due, each.received = begun + sent / rate, b""
            each.link.sendall(request)
            waiting.add(each)
            sent += 1
        pause = begun + sent / rate - time.perf_counter() if sent < count and idle else _LAST_WORD_S
        for each in select.select(waiting, (), (), max(pause, 0.0))[0]:
            if each.is_answered():
                taken.append(time.perf_counter() - each.due)
                waiting.discard(each)
                idle.append(each)
    return taken


def _summary(taken: list[float]) -> Latencies:
    percentiles = statistics.quantiles(taken, n=100)
    return Latencies(percentiles[49] * 1e3, percentiles[98] * 1e3)


def _connected(address: tuple[str, int]) -> socket.socket:
    link = socket.create_connection(address, timeout=_LAST_WORD_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link
