"""`python -m tests.bench.many_redeploys`: a hundred redeploys of one project, every fifth of them built from git; what is left is bounded.

Before and after are counted: containers, networks and images of ours, layers built on our image, the database, the logs of our
containers, and whether what is not ours is exactly as it was.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvloop

from tests.bench.nginx_app import nginx_image
from tests.bench.table import table
from tests.free_ports import free_port
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    descendants,
    docker,
    inspect,
    network_ids,
    remove_everything_of,
)
from tests.integration.worker_deploys.repositories import Repository
from worker.runtime import labels

REDEPLOYS = 100
BUILT_EVERY = 5
MOST_IMAGES = 5
PATIENCE_S = 60.0
MOST_DATABASE = 8 * 1024 * 1024
"""With its write-ahead log, which alone may take four."""


@dataclass(frozen=True, slots=True)
class Left:
    """`layers` are all images that were built on ours; `logs` the bytes that the engine keeps of what our containers say."""

    containers: int
    networks: int
    images: int
    layers: int
    database: int
    logs: int


@dataclass(frozen=True, slots=True)
class Many:
    """`early` is what was there after the first turns, when everything that is kept was there once."""

    early: Left
    late: Left
    after_removal: Left
    foreign_untouched: bool

    def is_bounded(self) -> bool:
        small = self.late.database < MOST_DATABASE
        same = (self.early.containers, self.early.networks) == (self.late.containers, self.late.networks)
        few = self.late.images <= MOST_IMAGES and self.late.layers <= self.early.layers + 10
        gone = (self.after_removal.containers, self.after_removal.networks, self.after_removal.layers) == (
            0,
            0,
            0,
        )
        return small and same and few and gone and self.foreign_untouched


async def measure(image: str, folder: Path, redeploys: int) -> Many:
    foreign = docker("create", "--label", "io.plane.instance=w_other", image).strip()
    volume = docker("volume", "create").strip()
    async with aiohttp.ClientSession() as session:
        agent = Agent(folder, (free_port(), free_port()), session)
        try:
            await agent.start({"WORKER_SECRET": SECRET, "WORKER_ALLOW_LOCAL_GIT": "1"})
            left = await _redeploy(agent, image, Repository(folder / "repository"), redeploys)
            here = (
                volume in docker("volume", "ls", "-q").split()
                and inspect(foreign)["State"]["Status"] == "created"
            )
            return Many(*left, foreign_untouched=here and bool(inspect(image)))
        finally:
            await agent.stop()
            remove_everything_of(agent.instance)
            docker("rm", foreign)
            docker("volume", "rm", volume)


async def _redeploy(
    agent: Agent, image: str, repository: Repository, redeploys: int
) -> tuple[Left, Left, Left]:
    project = {"project_id": "site", "org_id": "org_a", "visibility": "public"}
    await agent.commander.ok("POST", "/projects", project)
    early = None
    for turn in range(redeploys):
        await agent.commander.ok("POST", "/projects/site/env", {"env": {"TEXT": f"v{turn}"}})
        source: dict[str, object] = {"image": image}
        if turn % BUILT_EVERY == 0:
            files = {"Dockerfile": f"FROM {image}\nCOPY page /page\n", "page": f"{turn}"}
            await asyncio.to_thread(repository.commit, files)
            source = {"git": {"url": repository.url}}
        body = {**source, "port": 8080, "healthcheck": {"path": "/"}}
        deploy = await agent.commander.ok("POST", "/projects/site/deploy?wait=60", body)
        assert deploy["status"] == "active", deploy
        if turn == BUILT_EVERY:
            early = await _left(agent, image, lambda left: left.images <= MOST_IMAGES)
    late = await _left(agent, image, lambda left: left.images <= MOST_IMAGES)
    await agent.commander.ok("DELETE", "/projects/site")
    assert early is not None
    return early, late, await _left(agent, image, lambda left: left.layers == 0)


async def _left(agent: Agent, image: str, is_enough: Callable[[Left], bool]) -> Left:
    """Images go in the background: what is left once that is little enough, or after a minute."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        await asyncio.sleep(2)
        left = await asyncio.to_thread(_count, agent, image)
        if is_enough(left) or asyncio.get_running_loop().time() > deadline:
            return left


def _count(agent: Agent, image: str) -> Left:
    containers = container_ids(agent.instance)
    ours = docker("images", "-q", f"--filter=label={labels.INSTANCE}={agent.instance}")
    logs = [Path(inspect(container)["LogPath"]) for container in containers]
    return Left(
        containers=len(containers),
        networks=len(network_ids(agent.instance)),
        images=len(set(ours.split())),
        layers=len(descendants(image)),
        database=sum(file.stat().st_size for file in (agent.folder / "data").glob("worker.db*")),
        logs=sum(log.stat().st_size for log in logs if log.exists()),
    )


def show(found: Many, redeploys: int) -> None:
    rows = [("", "early", "at the end", "project deleted")]
    for name in ("containers", "networks", "images", "layers", "database", "logs"):
        states = (found.early, found.late, found.after_removal)
        rows.append((name, *(str(getattr(state, name)) for state in states)))
    table(f"{redeploys} redeploys", rows)
    table("not ours", [("untouched", str(found.foreign_untouched))])


def main() -> int:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "image").mkdir()
        (folder / "agent").mkdir()
        with nginx_image(folder / "image") as image:
            found = uvloop.run(measure(image, folder / "agent", REDEPLOYS))
    show(found, REDEPLOYS)
    return 0 if found.is_bounded() else 1


if __name__ == "__main__":
    sys.exit(main())
