"""A real upstream, and a real gateway process in front of it."""

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

REPOSITORY = Path(__file__).parents[3]
IDENTITY_SECRET = "a-secret-for-tests-of-at-least-32-bytes"

ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: {quota}, rate_per_minute: {rate}, burst: {burst},
          limits: {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: []}}}}
upstreams:
  hoster:
    targets: ["{target}"]
    connect_timeout: 1s
    response_timeout: {response_timeout}
    health: {{path: /health, interval: 1s}}
    reconcile: /internal/operations/{{request_id}}
routes:
  - name: billing
    match: regex
    path: ^/api/v1/deployments(/[^/]+(/(start|stop))?)?$
    methods: [POST, DELETE]
    priority: 55
    auth_required: true
    billing: true
    metering_expr: "status < 400 && 'x-event-type' in response_headers ? 1.0 : 0.0"
    on_counters_failure: {on_counters_failure}
    upstream: hoster
  - {{name: api, path: "/api/*", priority: 50, auth_required: true, upstream: hoster}}
  - {{name: front, path: "/*", priority: 10, auth_required: false, upstream: hoster}}
"""


@dataclass
class Upstream:
    """Performs operations under the gateway's request id, as Hoster does, and remembers what it was sent."""

    url: str = ""
    performed: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    performed_one: asyncio.Event = field(default_factory=asyncio.Event)
    cancels: bool = False
    cancelled: set[str] = field(default_factory=set)
    streams: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": [
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers
                ],
                "body": body,
            }
        )
        if request.path.startswith("/internal/operations/"):
            return self.reconcile(request.method, request.path.rsplit("/", 1)[1])
        if request.path == "/api/v1/deployments" and request.method == "POST":
            return await self.create(request)
        if request.path == "/api/v1/stream":
            return await self.stream(request)
        return web.json_response({"path": request.path})

    def reconcile(self, method: str, request_id: str) -> web.Response:
        if request_id in self.performed:
            return web.json_response(
                {"request_id": request_id, "event_type": self.performed[request_id], "status": 202}
            )
        if method == "DELETE" and self.cancels:
            self.cancelled.add(request_id)
        gone = request_id in self.cancelled
        return web.json_response({"cancellable": self.cancels}, status=410 if gone else 404)

    async def stream(self, request: web.Request, status: int = 200) -> web.StreamResponse:
        """Goes on until `hold` is set; `streams` do."""
        headers = {"Content-Type": "text/event-stream", "X-Event-Type": "deployment.created"}
        answer = web.StreamResponse(status=status, headers=headers)
        await answer.prepare(request)
        self.streams += 1
        try:
            while not self.hold.is_set():
                await answer.write(b": still here\n\n")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.hold.wait(), 0.1)
            await answer.write(b"event: end\n\n")
        finally:
            self.streams -= 1
        return answer

    async def create(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("do", "perform")
        if wanted == "fail":
            return web.json_response({}, status=422)
        if wanted == "repeat":
            return web.json_response({}, status=200)
        if wanted in {"perform", "perform-then-hold"}:
            self.performed[request.headers["X-Request-ID"]] = "deployment.created"
            self.performed_one.set()
        if wanted == "perform-then-tell":
            self.performed[request.headers["X-Request-ID"]] = "deployment.created"
            return await self.stream(request, status=202)
        if wanted.endswith("hold") or wanted == "hold-then-perform":
            self.performed_one.set()
            await self.hold.wait()
        if wanted == "hold-then-perform":
            self.performed[request.headers["X-Request-ID"]] = "deployment.created"
        return web.json_response({}, status=202, headers={"X-Event-Type": "deployment.created"})


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    found = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    found.hold.set()
    await runner.cleanup()


class GatewayProcess:
    """`python -m gateway` as an operator runs it. Started again, it finds its data where it left it."""

    def __init__(self, folder: Path, port: int, redis_url: str | None) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.routes = folder / "routes.yaml"
        self.environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "GATEWAY_ROUTES": str(self.routes),
            "GATEWAY_DATA_DIR": str(folder / "data"),
            "IDENTITY_SECRET": IDENTITY_SECRET,
            "LOG_LEVEL": "info",
        }
        if redis_url is not None:
            self.environment["REDIS_URL"] = redis_url
        self.process: subprocess.Popen[bytes] | None = None

    def write_routes(self, target: str, **settings: object) -> None:
        defaults: dict[str, object] = {
            "quota": 1000,
            "rate": 6000,
            "burst": 1000,
            "on_counters_failure": "closed",
            "response_timeout": "5s",
        }
        self.routes.write_text(ROUTES.format(target=target, **(defaults | settings)))

    async def start(self) -> None:
        log = (self.folder / "gateway.log").open("ab")
        self.process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-m", "gateway"],
            cwd=REPOSITORY,
            env=self.environment,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + 30
        async with aiohttp.ClientSession() as session:
            while True:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                try:
                    async with session.get(f"{self.url}/health") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(40)

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()


StartGateway = Callable[..., Awaitable[GatewayProcess]]


@pytest.fixture
async def start_gateway(
    tmp_path: Path, upstream: Upstream, free_port: Callable[[], int]
) -> AsyncIterator[StartGateway]:
    started: list[GatewayProcess] = []

    async def start(redis_url: str | None = None, workers: str = "1", **settings: object) -> GatewayProcess:
        gateway = GatewayProcess(tmp_path, free_port(), redis_url)
        gateway.environment["GATEWAY_WORKERS"] = workers
        gateway.write_routes(upstream.url, **settings)
        started.append(gateway)
        await gateway.start()
        return gateway

    yield start
    for gateway in started:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait(10)


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout_s: float = 45.0) -> None:
    """Polls; the conditions of other processes cannot be waited for in another way."""
    deadline = time.monotonic() + timeout_s
    while True:
        holds = condition()
        if await holds if inspect.isawaitable(holds) else holds:
            return
        assert time.monotonic() < deadline, "this did not happen in time"
        await asyncio.sleep(0.02)


@dataclass
class Visitor:
    """A signed-in user of the gateway."""

    session: aiohttp.ClientSession
    url: str
    user: dict[str, Any]
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def create(
        self, do: str = "perform", client: aiohttp.ClientSession | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """Asked again where Redis was late: on a busy machine it misses its 50 ms now and then, and nothing was done."""
        while True:
            status, headers, body = await self.create_once(do, client)
            if status != 503 or body["code"] != "counters_unavailable":
                return status, headers, body
            await asyncio.sleep(float(headers["Retry-After"]))

    async def create_once(
        self, do: str = "perform", client: aiohttp.ClientSession | None = None
    ) -> tuple[int, dict[str, str], Any]:
        async with (client or self.session).post(
            f"{self.url}/api/v1/deployments?do={do}", headers=self.headers
        ) as response:
            return response.status, dict(response.headers), json.loads(await response.read() or b"null")

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            return await response.json()


SignUp = Callable[..., Awaitable[Visitor]]
OwnRedis = tuple[str, subprocess.Popen[bytes]]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


@pytest.fixture
def sign_up(session: aiohttp.ClientSession) -> SignUp:
    async def register(gateway: GatewayProcess, email: str = "ada@example.org") -> Visitor:
        credentials = {"email": email, "password": "correct horse battery"}
        async with session.post(f"{gateway.url}/mod/auth/register", json=credentials) as response:
            if response.status == 409:
                async with session.post(f"{gateway.url}/mod/auth/login", json=credentials) as again:
                    body = await again.json()
            else:
                assert response.status == 201, await response.text()
                body = await response.json()
        return Visitor(session, gateway.url, body["user"], body["token"])

    return register


@pytest.fixture
def own_redis(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[OwnRedis]:
    """A Redis that the test may stop, freeze and empty."""
    port = free_port()
    command = [
        "redis-server",
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0", process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait(10)
