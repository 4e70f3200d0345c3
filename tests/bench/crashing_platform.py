"""The platform for the crash test: a gateway of several processes, Redis and an upstream, each killed at will and started again."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.free_ports import free_port

REPOSITORY = Path(__file__).parents[2]
WORKERS = 4
SECRET = "a-secret-for-crash-tests-of-32-bytes"
_LONGEST_PAUSE_S = 0.3

ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: 1000000, rate_per_minute: 6000000, burst: 50000,
          limits: {{max_deployments: 1000000, max_cpu_cores: 1000000, max_memory_mb: 1000000000, max_disk_mb: 1000000000, allowed_capabilities: []}}}}
upstreams:
  app:
    targets: ["http://127.0.0.1:{port}"]
    connect_timeout: 1s
    response_timeout: {response_timeout}
    reconcile: /internal/operations/{{request_id}}
routes:
  - name: billing
    path: /api/v1/deployments*
    methods: [POST, DELETE]
    priority: 55
    auth_required: true
    billing: true
    metering_expr: "status < 400 && 'x-event-type' in response_headers ? 1.0 : 0.0"
    upstream: app
"""


@dataclass
class Kept:
    """A process that is started again a moment after its end, as whoever runs a service does."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    chance: random.Random
    before_start: Callable[[], None] = lambda: None
    process: Process | None = None
    starts: int = 0

    async def keep(self) -> None:
        """Runs until cancelled; the process is then killed."""
        try:
            while True:
                await asyncio.to_thread(self.before_start)
                with self.log.open("ab") as log:
                    self.process = await asyncio.create_subprocess_exec(
                        *self.command, cwd=REPOSITORY, env=dict(self.environment), stdout=DEVNULL, stderr=log
                    )
                self.starts += 1
                await self.process.wait()
                await asyncio.sleep(self.chance.uniform(0, _LONGEST_PAUSE_S))
        finally:
            self.kill()

    def kill(self) -> bool:
        if self.process is None or self.process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            self.process.kill()
        return True


@dataclass
class Books:
    """What an upstream has performed, read from its own database. `body` makes an operation."""

    database: Path
    query: str
    body: object

    def operations(self) -> list[str]:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            found = [str(row[0]) for row in connection.execute(self.query)]
        connection.close()
        return found


@dataclass
class Platform:
    folder: Path
    url: str
    redis_port: int
    upstream_port: int
    gateway: Kept
    upstream: Kept
    redis: Kept
    books: Books
    _forget_memory: list[bool] = field(default_factory=lambda: [False])

    @property
    def usage_database(self) -> Path:
        return self.folder / "gateway" / "usage.db"

    def kill_relay(self, chance: random.Random) -> bool:
        relays = self.relays()
        if not relays:
            return False
        with suppress(ProcessLookupError):
            os.kill(chance.choice(relays), signal.SIGKILL)
        return True

    def kill_redis(self, *, emptied: bool) -> bool:
        """It comes back with nothing, or with what it had when it last saved, about a second before."""
        self._forget_memory[0] = emptied
        return self.redis.kill()

    def relays(self) -> list[int]:
        process = self.gateway.process
        if process is None or process.returncode is not None:
            return []
        with suppress(OSError):
            listing = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            return sorted(int(pid) for pid in listing.split())
        return []


@asynccontextmanager
async def crashing_platform(
    folder: Path, kind: str, chance: random.Random, response_timeout: str = "2s"
) -> AsyncIterator[Platform]:
    """`kind` of upstream: `hoster`, or `shop` (see `tests.servers.durable_shop`)."""
    port, redis_port, upstream_port = free_port(), free_port(), free_port()
    routes = folder / "routes.yaml"
    routes.write_text(ROUTES.format(port=upstream_port, response_timeout=response_timeout))
    upstream, books = _upstream(kind, folder, upstream_port, chance)
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "GATEWAY_ROUTES": str(routes),
        "GATEWAY_DATA_DIR": str(folder / "gateway"),
        "GATEWAY_WORKERS": str(WORKERS),
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "IDENTITY_SECRET": SECRET,
        "LOG_LEVEL": "info",
    }
    gateway = Kept([sys.executable, "-m", "gateway"], environment, folder / "gateway.log", chance)
    forget = [False]
    redis = Kept(
        _redis_command(redis_port, folder),
        {"PATH": os.environ["PATH"]},
        folder / "redis.log",
        chance,
        lambda: _forget(folder, forget),
    )
    platform = Platform(
        folder,
        f"http://127.0.0.1:{port}",
        redis_port,
        upstream_port,
        gateway,
        upstream,
        redis,
        books,
        forget,
    )
    tasks = [asyncio.ensure_future(kept.keep()) for kept in (redis, upstream, gateway)]
    try:
        yield platform
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _end_of(platform)


def _redis_command(port: int, folder: Path) -> Sequence[str]:
    saving = ("--save", "1 1", "--dbfilename", "redis.rdb")
    return ("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *saving)


def _upstream(kind: str, folder: Path, port: int, chance: random.Random) -> tuple[Kept, Books]:
    environment = {"PATH": os.environ["PATH"]}
    if kind == "shop":
        database = folder / "shop.db"
        command = [sys.executable, "-m", "tests.servers.durable_shop", str(port), str(database)]
        books = Books(database, "SELECT request_id FROM operations", {})
    else:
        environment |= {
            "IDENTITY_SECRET": SECRET,
            "HOSTER_PORT": str(port),
            "HOSTER_DATA_DIR": str(folder / "hoster"),
        }
        command = [sys.executable, "-m", "hoster"]
        order = {"name": "x", "source": {"image": "localhost/x:1", "port": 80}, "start": False}
        books = Books(folder / "hoster" / "hoster.db", "SELECT request_id FROM billing_events", order)
    return Kept(command, environment, folder / "upstream.log", chance), books


def _forget(folder: Path, forget: list[bool]) -> None:
    if forget[0]:
        (folder / "redis.rdb").unlink(missing_ok=True)
        forget[0] = False


async def _end_of(platform: Platform) -> None:
    """Relay processes end by themselves when their control process is gone."""
    for kept in (platform.gateway, platform.upstream, platform.redis):
        if kept.process is not None:
            await kept.process.wait()
