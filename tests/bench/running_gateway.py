"""Redis, a small upstream and a gateway of several processes, all real, all on loopback, for the length of a `with`."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from redis import Redis

from tests.free_ports import free_port

REPOSITORY = Path(__file__).parents[2]
_START_WITHIN_S = 60.0

ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: {quota}, rate_per_minute: {rate}, burst: {burst},
          limits: {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: []}}}}
upstreams:
  app: {{targets: ["{upstream}"]}}
routes:
  - {{name: billing, path: "/bill*", priority: 60, auth_required: true, billing: true, upstream: app}}
  - {{name: api, path: "/api/*", priority: 50, auth_required: true, upstream: app}}
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the one plan there is. The rate is a minute's."""

    quota: int = -1
    rate: int = 600_000
    burst: int = 5_000


class RunningRedis:
    """May be paused, killed and started again; it keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def scripts_run(self) -> int:
        """How often a script was run, by `INFO commandstats`."""
        with Redis(port=self.port) as client:
            stats = client.info("commandstats")
        return sum(int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))

    def quota_used(self) -> int:
        """Of the only user there is."""
        with Redis(port=self.port) as client:
            (name,) = client.keys("apigate:*:quota:*")
            return int(client.get(name))

    def empty(self) -> None:
        with Redis(port=self.port) as client:
            client.flushall()


@dataclass(frozen=True, slots=True)
class RunningGateway:
    port: int
    process: subprocess.Popen[bytes]
    routes: Path
    redis: RunningRedis

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def sign_up(self, client: aiohttp.ClientSession, email: str) -> dict[str, str]:
        """The headers of somebody who is signed in."""
        credentials = {"email": email, "password": "correct horse battery"}
        async with client.post(f"{self.url}/mod/auth/register", json=credentials) as response:
            response.raise_for_status()
            return {"Authorization": f"Bearer {(await response.json())['token']}"}

    async def sign_in(self, client: aiohttp.ClientSession, email: str) -> dict[str, str]:
        credentials = {"email": email, "password": "correct horse battery"}
        async with client.post(f"{self.url}/mod/auth/login", json=credentials) as response:
            response.raise_for_status()
            return {"Authorization": f"Bearer {(await response.json())['token']}"}

    async def serving(self, client: aiohttp.ClientSession) -> list[dict[str, Any]]:
        async with client.get(f"{self.url}/stats") as response:
            relays = (await response.json())["processes"]["relays"]
        return [relay for relay in relays if relay["state"] == "serving"]


@asynccontextmanager
async def running_gateway(workers: int, limits: Limits | None = None) -> AsyncIterator[RunningGateway]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apigate-bench-")))
        upstream = await stack.enter_async_context(_upstream())
        redis = await asyncio.to_thread(RunningRedis, folder)
        stack.callback(redis.end)
        port = free_port()
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(upstream=upstream, **asdict(limits or Limits())))
        environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "GATEWAY_ROUTES": str(routes),
            "GATEWAY_DATA_DIR": str(folder / "data"),
            "GATEWAY_WORKERS": str(workers),
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            "IDENTITY_SECRET": "a-secret-for-measurements-of-32-bytes",
            "LOG_LEVEL": "error",
        }
        process = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-m", "gateway"], cwd=REPOSITORY, env=environment
        )
        stack.callback(_end, process)
        gateway = RunningGateway(port, process, routes, redis)
        await _until_all_serve(gateway, workers)
        yield gateway


async def _until_all_serve(gateway: RunningGateway, workers: int) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        try:
            async with aiohttp.ClientSession() as client:
                if len(await gateway.serving(client)) == (workers if workers > 1 else 0):
                    return
        except aiohttp.ClientError:
            """Not listening yet."""
        await asyncio.sleep(0.1)
    raise TimeoutError("the gateway did not come up")


@asynccontextmanager
async def _upstream() -> AsyncIterator[str]:
    """Answers after a millisecond, so that requests are in flight; `/api/stream` goes on until nobody listens."""

    async def stream(request: web.Request) -> web.StreamResponse:
        events = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await events.prepare(request)
        with suppress(ConnectionResetError):
            while True:
                await events.write(b": still here\n\n")
                await asyncio.sleep(1)
        return events

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(0.001)
        return web.Response(body=b"ok")

    app = web.Application()
    app.router.add_get("/api/stream", stream)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(35)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
