"""`python -m tests.bench.exchange_cost [--profile]`: what an exchange costs in Python, without the kernel's part.

A whole gateway is opened (accounts, journal, counters in the process). Then one client's and one upstream's connection are fed bytes by hand, their
transports being lists. What is left is the relay's and the pipeline's own work; the least of many rounds is hardly disturbed by what else the machine does.
`--profile` prints where it goes, by function, in one lane: of the sources, so `make native-clean` first.
"""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import uvloop

from gateway.app import open_gateway
from gateway.config import Config
from gateway.relay_side import Outside
from gateway.routes.current import CurrentRoutes, read_routes
from shared.clock import SystemClock
from shared.ids import request_ids
from shared.log import configure_logging
from shared.relay.client_connection import ClientConnection
from shared.relay.engine import Engine
from shared.relay.upstream_connection import UpstreamConnection

ROUTES = """
version: 1
default_plan: free
plans:
  free: {requests_per_month: -1, rate_per_minute: 60000000, burst: 5000000,
         limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: []}}
upstreams:
  app: {targets: ["http://127.0.0.1:1"]}
routes:
  - {name: bill, path: "/bill/*", priority: 60, auth_required: true, billing: true, metering_expr: "1.0", upstream: app}
  - {name: api, path: "/api/*", priority: 50, auth_required: true, upstream: app}
  - {name: public, path: "/*", priority: 10, auth_required: false, upstream: app}
"""
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 05:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 100\r\nConnection: keep-alive\r\n\r\n" + b"x" * 100
)
PATHS = {"public": "/index.html", "authenticated": "/api/v1/things", "billing": "/bill/v1/things"}
ROUND = 5
PROFILED = 5000

Lanes = dict[str, Callable[[], None]]


class ListTransport:
    """As much of a transport as the relay uses."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing is ever buffered."""

    def abort(self) -> None:
        """Nobody is at the other end."""

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


def exchange(
    engine: Engine, client: ClientConnection, upstream: UpstreamConnection, request: bytes
) -> Callable[[], None]:
    told = client.socket._transport

    def once() -> None:
        client.data_received(request)
        engine.outbox._send()
        upstream.data_received(ANSWER)
        engine.outbox._send()

    once()
    assert told.written[-1].startswith(b"HTTP/1.1 200"), told.written  # type: ignore[attr-defined]
    return once


async def quickest(lanes: Lanes, rounds: int) -> dict[str, float]:
    """Microseconds of an exchange in each lane."""
    best = dict.fromkeys(lanes, float("inf"))
    for _ in range(rounds):
        for lane, once in lanes.items():
            begun = time.perf_counter()
            for _ in range(ROUND):
                once()
            best[lane] = min(best[lane], (time.perf_counter() - begun) / ROUND * 1e6)
        await asyncio.sleep(0)
    return best


def profile(once: Callable[[], None], stream: TextIO) -> pstats.Stats:
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(PROFILED):
        once()
    profiler.disable()
    return pstats.Stats(profiler, stream=stream).sort_stats("tottime")


async def run(arguments: argparse.Namespace, folder: Path) -> None:
    async with open_lanes(folder) as lanes:
        if arguments.count:
            for _ in range(arguments.count):
                lanes[arguments.lane]()
        elif arguments.profile:
            profile(lanes[arguments.profile], sys.stdout).print_stats(45)
        else:
            for lane, cost in (await quickest(lanes, arguments.rounds)).items():
                sys.stdout.write(f"{lane:<14} {cost:6.1f} us of Python per exchange\n")


@asynccontextmanager
async def open_lanes(folder: Path) -> AsyncIterator[Lanes]:
    """An exchange of each lane, to be run as often as one likes."""
    configure_logging("bench", "error", "json")
    routes = folder / "routes.yaml"
    routes.write_text(ROUTES)
    environment = {
        "GATEWAY_ROUTES": str(routes),
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "IDENTITY_SECRET": "a-secret-for-measurements-of-32-bytes",
        "LOG_LEVEL": "error",
    }
    clock = SystemClock()
    current = CurrentRoutes(routes, environment, read_routes(routes, environment))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        outside = Outside(clock, request_ids(clock), lambda: None)
        async with open_gateway(Config.from_env(environment), current, listener, outside) as gateway:
            token = await sign_up(listener.getsockname()[1])
            engine: Any = gateway.relay._engine
            pool = engine.pool(current.table().upstreams["app"].spec)
            place = pool._places[0]
            upstream = UpstreamConnection(place, engine.limits, engine.ticker, engine.outbox, 300.0)
            upstream.connection_made(ListTransport())  # type: ignore[arg-type]
            place.idle.append(upstream)
            lanes = {}
            for lane, path in PATHS.items():
                client = ClientConnection(engine)
                client.connection_made(ListTransport())  # type: ignore[arg-type]
                lanes[lane] = exchange(engine, client, upstream, request_of(lane, path, token))
            yield lanes
            place.idle.clear()
            engine.clients.clear()


def request_of(lane: str, path: str, token: str) -> bytes:
    credential = "" if lane == "public" else f"Authorization: Bearer {token}\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8082\r\nUser-Agent: wrk\r\nAccept: */*\r\n{credential}\r\n".encode()


async def sign_up(port: int) -> str:
    """A token that is in every cache, of a user whose counters are filled."""
    credentials = {"email": "me@example.com", "password": "correct horse battery"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        async with client.post("/mod/auth/register", json=credentials) as response:
            token = str(json.loads(await response.read())["token"])
        headers = {"Authorization": f"Bearer {token}"}
        for path in PATHS.values():
            async with client.get(path, headers=headers) as response:
                assert response.status == 502, response.status
    return token


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.exchange_cost")
    parser.add_argument("--profile", choices=sorted(PATHS), help="print where the time of one lane goes")
    parser.add_argument("--rounds", type=int, default=4000)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--lane", default="public", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exchange-cost-", dir=os.environ.get("TMPDIR")) as folder:
        uvloop.run(run(arguments, Path(folder)))


if __name__ == "__main__":
    main()
