"""`python -m tests.bench.lists`: how long lists take for a user with 100,000 deployments, and what reading all of them costs in memory.

A real Hoster process on loopback, over a database that was filled beforehand: each deployment has two variables, a release, an
ended job, five events and a billing event. The same requests are timed one after the other; then the list is walked from the newest to the oldest.
"""

import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from hoster.__main__ import MIGRATIONS
from shared import identity
from shared.clock import SystemClock
from shared.database import Database
from shared.identity import Identity, SignedRequest
from tests.bench.table import line, table
from tests.free_ports import free_port

DEPLOYMENTS = 100_000
TIMES = 300
MOST_P95_MS = 20.0
MOST_SEARCH_P95_MS = 150.0
"""All names of the user are read, also for the total."""
MOST_GROWTH = 16 * 1024 * 1024

CLOCK = SystemClock()
SECRET = "an identity secret of the bench, 32 bytes and more"
WHO = Identity(user_id="user_1", org_id="org_1", plan_id="pro", plan_limits="{}", key_id="sess_1")


def _id(prefix: str, number: int) -> str:
    """As ids are: in no order, so that neighbours in a list are strangers in an index."""
    return prefix + hashlib.sha256(f"{prefix}{number}".encode()).hexdigest()[:32]


LISTS = {
    "deployments, 50": "/api/v1/deployments",
    "deployments, 200": "/api/v1/deployments?limit=200",
    "deployments, 50 from the middle": "/api/v1/deployments?cursor={middle}",
    "deployments, 200 from the middle": "/api/v1/deployments?limit=200&cursor={middle}",
    "one deployment": f"/api/v1/deployments/{_id('dep_', 1)}",
    "its releases": f"/api/v1/deployments/{_id('dep_', 1)}/releases",
    "billing events, 50": "/api/v1/billing/events",
    "billing events, 200": "/api/v1/billing/events?limit=200",
    "its events": f"/api/v1/deployments/{_id('dep_', 1)}/monitoring/events?limit=1000",
    "its domains": f"/api/v1/deployments/{_id('dep_', 1)}/domains",
    "templates, 50": "/api/v1/templates",
    "templates with a word": "/api/v1/templates?q=database",
    "nodes": "/api/v1/nodes",
    "SSH keys": "/api/v1/ssh_keys",
    "me": "/api/v1/me",
    "stats": "/stats",
    "health": "/health",
}
SEARCHES = {
    "deployments with a rare name": "/api/v1/deployments?q=APP+77777",
    "deployments with a common name": "/api/v1/deployments?q=app",
    "deployments with a status that none has": "/api/v1/deployments?status=failed",
}


@dataclass(frozen=True, slots=True)
class Found:
    """By list; `cpu_ms` is the processor time of Hoster for one request, which other work on the machine does not change. `grown` is
    in bytes: the process's resident memory, after the walk less before it.
    """

    median_ms: dict[str, float]
    p95_ms: dict[str, float]
    cpu_ms: dict[str, float]
    walked: int
    grown: int


async def measure(deployments: int, times: int) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        await fill(Path(folder) / "hoster.db", deployments)
        async with _hoster(Path(folder)) as (base_url, pid), aiohttp.ClientSession() as session:
            _, middle = await _walk(session, base_url, deployments // 2)
            medians, p95s, cpu = {}, {}, {}
            for name, target in {**LISTS, **SEARCHES}.items():
                before = _processor_s(pid)
                took = await _times(session, base_url, target.format(middle=middle), times)
                cpu[name] = (_processor_s(pid) - before) / (times + 1) * 1000
                medians[name], p95s[name] = took[len(took) // 2], took[int(len(took) * 0.95)]
            resident = _resident(pid)
            walked, _ = await _walk(session, base_url, deployments + 1)
            return Found(medians, p95s, cpu, walked, _resident(pid) - resident)


async def fill(file: Path, deployments: int) -> None:
    """As many deployments of one user as asked for, with all that belongs to them."""
    database, now = await Database.open(file, MIGRATIONS), CLOCK.now()
    try:
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO users VALUES (?, ?, ?, 1)", (WHO.user_id, WHO.org_id, WHO.plan_id)
            )
            source = json.dumps({"image": "localhost/hello:1", "port": 8080})
            await connection.executemany(
                "INSERT INTO deployments (id, user_id, org_id, name, project_id, source, visibility, node_visibility, status,"
                " required_capabilities, cpu_millis, memory_mb, disk_mb, release_id, created_at, updated_at, started_at, folded_name)"
                " VALUES (?, ?, ?, ?, ?, ?, 'public', 'public', 'running', '[]', 250, 64, 64, ?, 1, 1, 1, casefold(?4))",
                (
                    (_id("dep_", n), WHO.user_id, WHO.org_id, f"App {n}", f"app-{n}", source, _id("rel_", n))
                    for n in range(deployments)
                ),
            )
            await connection.executemany(
                "INSERT INTO releases (id, deployment_id, source, cpu_millis, memory_mb, disk_mb, status, created_at)"
                " VALUES (?, ?, ?, 250, 64, 64, 'deployed', 1)",
                ((_id("rel_", n), _id("dep_", n), source) for n in range(deployments)),
            )
            for owner, prefix in (("deployment", "dep_"), ("release", "rel_")):
                await connection.executemany(
                    f"INSERT INTO {owner}_variables VALUES (?, ?, ?, NULL)",  # noqa: S608 - names from the line above
                    (
                        (_id(prefix, n), name, '"hello"')
                        for n in range(deployments)
                        for name in ("MESSAGE", "TITLE")
                    ),
                )
            await connection.executemany(
                "INSERT INTO jobs (id, deployment_id, kind, volumes, status, not_before, deadline_at, created_at, finished_at)"
                " VALUES (?, ?, 'start', 'keep', 'done', 1, 1, 1, ?)",
                ((_id("job_", n), _id("dep_", n), now) for n in range(deployments)),
            )
            await connection.executemany(
                "INSERT INTO deployment_events (deployment_id, type, message, origin, at) VALUES (?, 'deployment_running', 'up', ?, ?)",
                ((_id("dep_", n), f"move_{turn}", now) for turn in range(5) for n in range(deployments)),
            )
            await connection.executemany(
                "INSERT INTO billing_events VALUES (NULL, ?, ?, 'deployment.created', ?, 'deployment', ?, 202, 1)",
                ((_id("evt_", n), WHO.user_id, _id("dep_", n), f"req_{n}") for n in range(deployments)),
            )
    finally:
        await database.close()


@asynccontextmanager
async def _hoster(folder: Path) -> AsyncIterator[tuple[str, int]]:
    port = free_port()
    (folder / "secrets.key").write_bytes(b"k" * 32)
    (folder / "secrets.key").chmod(0o600)
    environment = {
        **os.environ, "IDENTITY_SECRET": SECRET, "HOSTER_DATA_DIR": str(folder), "HOSTER_PORT": str(port), "LOG_LEVEL": "warning",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "hoster", env=environment)
    base_url = f"http://127.0.0.1:{port}"
    try:
        await _up(base_url)
        yield base_url, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _up(base_url: str) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{base_url}/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


async def _get(session: aiohttp.ClientSession, base_url: str, target: str) -> tuple[bytes, float]:
    """The body, and the milliseconds until all of it was there."""
    signed = identity.sign(SECRET.encode(), WHO, SignedRequest("GET", target, "req"), int(CLOCK.now()))
    headers = {
        identity.USER_ID: WHO.user_id, identity.ORG_ID: WHO.org_id, identity.PLAN_ID: WHO.plan_id,
        identity.PLAN_LIMITS: WHO.plan_limits, identity.KEY_ID: WHO.key_id, identity.REQUEST_ID: "req",
        identity.SIGNATURE: signed,
    }  # fmt: skip
    began = time.perf_counter()
    async with session.get(base_url + target, headers=headers) as response:
        body = await response.read()
        response.raise_for_status()
    return body, (time.perf_counter() - began) * 1000


async def _times(session: aiohttp.ClientSession, base_url: str, target: str, times: int) -> list[float]:
    await _get(session, base_url, target)
    return sorted([(await _get(session, base_url, target))[1] for _ in range(times)])


async def _walk(session: aiohttp.ClientSession, base_url: str, most: int) -> tuple[int, str | None]:
    """How many there were, to the end or until `most`, and the cursor to go on from."""
    seen, cursor = 0, ""
    while True:
        body, _ = await _get(session, base_url, f"/api/v1/deployments?limit=200&cursor={cursor}")
        page = json.loads(body)
        seen += len(page["items"])
        cursor = page["next_cursor"]
        if cursor is None or seen >= most:
            return seen, cursor


def _processor_s(pid: int) -> float:
    """User and system time (proc(5), stat 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    found = asyncio.run(measure(DEPLOYMENTS, TIMES))
    rows = [
        (name, f"{found.median_ms[name]:.1f} ms", f"{p95:.1f} ms", f"{found.cpu_ms[name]:.1f} ms")
        for name, p95 in found.p95_ms.items()
    ]
    table(
        f"a user with {DEPLOYMENTS:,} deployments, {TIMES} requests each",
        [("list", "median", "p95", "processor"), *rows],
    )
    line(f"walked through {found.walked:,}: memory {found.grown / 2**20:+.1f} MiB")
    ok = (
        max(found.p95_ms[name] for name in LISTS) < MOST_P95_MS
        and max(found.p95_ms[name] for name in SEARCHES) < MOST_SEARCH_P95_MS
        and found.grown < MOST_GROWTH
        and found.walked == DEPLOYMENTS
    )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
