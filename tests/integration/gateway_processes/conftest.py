"""A gateway of a control process and several relay processes, as an operator starts it."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.integration.gateway_data.conftest import (
    GatewayProcess,
    Upstream,
    Visitor,
    own_redis,
    session,
    sign_up,
    until,
    upstream,
)

__all__ = ["own_redis", "session", "sign_up", "upstream"]

WORKERS = 2
"""As few as can disagree: each takes most of a second of CPU to start. A test of more says so."""

STANDING_BY = 1

StartProcesses = Callable[..., Awaitable[GatewayProcess]]


@pytest.fixture
async def start_processes(
    tmp_path: Path, upstream: Upstream, free_port: Callable[[], int], redis_url: str
) -> AsyncIterator[StartProcesses]:
    started: list[GatewayProcess] = []

    async def start(workers: int = WORKERS, **settings: object) -> GatewayProcess:
        gateway = GatewayProcess(tmp_path, free_port(), redis_url)
        gateway.environment["GATEWAY_WORKERS"] = str(workers)
        gateway.write_routes(upstream.url, **({"rate": 600_000, "burst": 5000} | settings))
        started.append(gateway)
        await gateway.start()
        await until(lambda: len(children(gateway)) == workers + STANDING_BY)
        return gateway

    yield start
    for gateway in started:
        if gateway.process is not None and gateway.process.poll() is None:
            left = children(gateway)
            gateway.process.kill()
            gateway.process.wait(10)
            for pid in left:
                with suppress(ProcessLookupError):
                    kill(pid)
            await until(lambda left=left: not any(is_alive(pid) for pid in left))


def children(gateway: GatewayProcess) -> list[int]:
    """The processes of the gateway beside the one that was started."""
    assert gateway.process is not None
    listing = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []


def is_alive(pid: int) -> bool:
    # It may end between the opening of the file and the reading.
    with suppress(FileNotFoundError, ProcessLookupError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


async def serving(visitor: Visitor) -> list[dict[str, Any]]:
    relays = (await visitor.get("/stats"))["processes"]["relays"]
    return [relay for relay in relays if relay["state"] == "serving"]


async def until_all_serve(visitor: Visitor, workers: int = WORKERS) -> None:
    async def all_serve() -> bool:
        relays = (await visitor.get("/stats"))["processes"]["relays"]
        states = sorted(relay["state"] for relay in relays)
        return states == ["serving"] * workers + ["standby"] * STANDING_BY

    await until(all_serve)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def echo_url() -> AsyncIterator[str]:
    """An upstream that says again what it hears on a WebSocket."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for message in answer:
            await answer.send_str(str(message.data))
        return answer

    app = web.Application()
    app.router.add_get("/echo", echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
