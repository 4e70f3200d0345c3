"""`python -m tests.bench.redeploys`: twenty redeploys while visitors keep asking. Lost may be none of at least 50,000 requests.

The visitors keep connections, open new ones, send bodies and read slow answers. Besides: how long from the moment that the new release's
container was started, or was seen healthy, to its first answer to a visitor.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import uvloop

from tests.bench.nginx_app import nginx_image
from tests.bench.steady_load import Load
from tests.bench.table import line, table
from tests.free_ports import free_port
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.deploying import services_of
from tests.integration.worker_deploys.docker_cli import remove_everything_of

REDEPLOYS = 20
REQUESTS = 50_000
MOST_P95_MS = 250.0


@dataclass(frozen=True, slots=True)
class Redeploys:
    """Milliseconds to the first new answer, sorted: from the start of the container, and from the probe that found it healthy."""

    load: Load
    from_start: list[float]
    from_healthy: list[float]
    seconds: float


def p95(values: list[float]) -> float:
    return values[min(len(values) - 1, int(len(values) * 0.95))]


async def measure(image: str, folder: Path, redeploys: int, requests: int) -> Redeploys:
    async with aiohttp.ClientSession() as session:
        agent = Agent(folder, (free_port(), free_port()), session)
        try:
            await agent.start()
            return await _measure(agent, image, redeploys, requests)
        finally:
            await agent.stop()
            remove_everything_of(agent.instance)


async def _measure(agent: Agent, image: str, redeploys: int, requests: int) -> Redeploys:
    body = {"project_id": "site", "org_id": "org_a", "visibility": "public"}
    await agent.commander.ok("POST", "/projects", body)
    await _deploy(agent, image, "v0")
    load = Load(int(agent.mesh.rpartition(":")[2]))
    begun = asyncio.get_running_loop().time()
    from_start, from_healthy = [], []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        for turn in range(1, redeploys + 1):
            deploy, started_at = await _deploy(agent, image, f"v{turn}")
            seen = load.first_seen.get(f"v{turn}")
            while seen is None:
                await asyncio.sleep(0.05)
                seen = load.first_seen.get(f"v{turn}")
            checking = next(step for step in deploy["steps"] if step["name"] == "checking")
            from_start.append((seen - started_at) * 1000)
            from_healthy.append((seen - _unix(checking["finished_at"])) * 1000)
            while load.total < requests * turn / redeploys:
                await asyncio.sleep(0.1)
        load.stop.set()
    seconds = asyncio.get_running_loop().time() - begun
    return Redeploys(load, sorted(from_start), sorted(from_healthy), seconds)


async def _deploy(agent: Agent, image: str, text: str) -> tuple[dict[str, list[dict[str, str]]], float]:
    """The deploy's record, and when its container was started."""
    await agent.commander.ok("POST", "/projects/site/env", {"env": {"TEXT": text}})
    body = {"image": image, "port": 8080, "healthcheck": {"path": "/"}}
    deploy = await agent.commander.ok("POST", "/projects/site/deploy?wait=60", body)
    assert deploy["status"] == "active", deploy
    [service] = await services_of(agent.commander, "site")
    return deploy, _unix(service["started_at"])


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def show(found: Redeploys) -> None:
    load = found.load
    rows = [("requests", "answered"), *((kind, str(count)) for kind, count in load.answered.items())]
    table(
        f"{len(found.from_start)} redeploys in {found.seconds:.0f} s",
        [*rows, ("lost", str(len(load.failed)))],
    )
    for what, values in (("container started", found.from_start), ("seen healthy", found.from_healthy)):
        median = values[len(values) // 2]
        line(f"{what} to first new answer: median {median:.0f} ms, p95 {p95(values):.0f} ms")
    for failure in load.failed[:10]:
        line(f"lost: {failure}")


def main() -> int:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "image").mkdir()
        (folder / "agent").mkdir()
        with nginx_image(folder / "image") as image:
            found = uvloop.run(measure(image, folder / "agent", REDEPLOYS, REQUESTS))
    show(found)
    enough = found.load.total >= REQUESTS and p95(found.from_healthy) < MOST_P95_MS
    return 0 if enough and not found.load.failed else 1


if __name__ == "__main__":
    sys.exit(main())
