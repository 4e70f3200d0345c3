"""`python -m tests.bench.worker_kills [TURNS [SEED]]`: the agent is killed while it carries out commands, at moments that are drawn by lot.

Projects of one container and of two, with a volume, are stopped, started, restarted, deployed, cancelled and deleted. After each kill the agent is
started again. What was answered must become so by itself, what was not answered either so or as it was before; visitors get the answer that goes
with it, and nothing else of the project is left. The bound is 10 s from when the agent is started again.
"""

import asyncio
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.table import line, table
from tests.free_ports import free_port
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.composing import shop
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    network_ids,
    remove_everything_of,
)
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_deploys.tiny_image import build_tiny
from worker.runtime import labels

BOUND_S = 10.0
PATIENCE_S = 60.0
DELAYS_S = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0, 2.0)
ENDED = frozenset({"active", "failed", "cancelled", "superseded"})


@dataclass(frozen=True, slots=True)
class Command:
    """`first` is done before and waited for, unless it is a deploy. `becomes` is what it makes of the project."""

    name: str
    method: str
    path: str
    becomes: str
    first: str | None = None


COMMANDS = (
    Command("stop", "POST", "/stop", "stopped"),
    Command("start", "POST", "/start", "running", first="stop"),
    Command("restart", "POST", "/restart", "running"),
    Command("deploy", "POST", "/deploy", "running"),
    Command("stop during a deploy", "POST", "/stop", "stopped", first="deploy"),
    Command("restart during a deploy", "POST", "/restart", "running", first="deploy"),
    Command("delete during a deploy", "DELETE", "", "gone", first="deploy"),
    Command("delete", "DELETE", "", "gone"),
    Command("delete with data", "DELETE", "?volumes=delete", "gone"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`became` None: nothing that is allowed, within a minute."""

    command: str
    services: int
    delay_s: float
    answered: bool
    became: str | None
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.became is not None and self.seconds < BOUND_S


class Scene:
    def __init__(self, agent: Agent, image: str, chance: random.Random) -> None:
        self._agent = agent
        self._image = image
        self._chance = chance

    async def turn(self, number: int) -> Outcome:
        command = self._chance.choice(COMMANDS)
        services = self._chance.choice((1, 2))
        delay_s = self._chance.choice(DELAYS_S)
        project = f"p{number}"
        await self._begin(project, services, command)
        before = "stopped" if command.first == "stop" else "running"
        answered = await self._killed_during(command, project, services, delay_s)
        allowed = (command.becomes,) if answered else (command.becomes, before)
        started = time.monotonic()
        became = await self._becomes(project, services, allowed)
        seconds = time.monotonic() - started
        with suppress(AssertionError):
            await self._agent.commander.ok("DELETE", f"/projects/{project}?volumes=delete")
        return Outcome(command.name, services, delay_s, answered, became, seconds)

    async def _begin(self, project: str, services: int, command: Command) -> None:
        commander = self._agent.commander
        body = {"project_id": project, "org_id": "org_a", "visibility": "public"}
        await commander.ok("POST", "/projects", body)
        ended = await commander.ok("POST", f"/projects/{project}/deploy?wait=60", self._source(services))
        assert ended["status"] == "active", ended
        if command.first == "stop":
            await commander.ok("POST", f"/projects/{project}/stop")
            await eventually(lambda: self._is(project, services, "stopped"), PATIENCE_S)
        elif command.first == "deploy":
            await commander.ok("POST", f"/projects/{project}/deploy", self._source(services))
            await asyncio.sleep(self._chance.random())

    async def _killed_during(self, command: Command, project: str, services: int, delay_s: float) -> bool:
        """Whether it was answered before. Returns when the agent is up again."""
        body = self._source(services) if command.path == "/deploy" else None
        path = f"/projects/{project}{command.path}"
        asking = asyncio.create_task(self._agent.commander.call(command.method, path, body))
        await asyncio.sleep(delay_s)
        self._agent.kill()
        [answer] = await asyncio.gather(asking, return_exceptions=True)
        await self._agent.start()
        return not isinstance(answer, BaseException) and answer[0] < 300

    def _source(self, services: int) -> dict[str, Any]:
        if services == 2:
            return {"compose": shop(self._image, "word"), "web": "web"}
        check = {"path": "/", "interval_s": 0.1}
        return {"image": self._image, "port": 8080, "healthcheck": check}

    async def _becomes(self, project: str, services: int, allowed: tuple[str, ...]) -> str | None:
        found: list[str] = []

        async def is_one() -> bool:
            found[:] = [state for state in allowed if await self._is(project, services, state)]
            return bool(found)

        with suppress(TimeoutError):
            await eventually(is_one, PATIENCE_S)
        return found[0] if found else None

    async def _is(self, project: str, services: int, state: str) -> bool:
        status, shown = await self._agent.commander.call("GET", f"/projects/{project}")
        everything = await asyncio.to_thread(container_ids, self._agent.instance, project=project)
        running = await asyncio.to_thread(
            container_ids, self._agent.instance, project=project, running_only=True
        )
        if state == "gone":
            return status == 404 and not everything and not await asyncio.to_thread(_networks_of, project)
        if status != 200 or shown["status"] != state or len(everything) != services:
            return False
        deploys = (await self._agent.commander.ok("GET", f"/projects/{project}/deploys"))["items"]
        expected = (services, 200) if state == "running" else (0, 503)
        answered = await self._visit(project)
        return (len(running), answered) == expected and all(one["status"] in ENDED for one in deploys)

    async def _visit(self, project: str) -> int:
        headers: Mapping[str, str] = {"Host": f"{project}.zexio.app"}
        async with self._agent.session.get(f"{self._agent.mesh}/", headers=headers) as response:
            return response.status


def _networks_of(project: str) -> list[str]:
    return docker("network", "ls", "-q", f"--filter=label={labels.PROJECT}={project}").split()


async def measure(turns: int, seed: int) -> tuple[list[Outcome], int]:
    """The outcomes, and how many containers and networks are left at the end."""
    image = f"localhost/kill-bench:{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        await asyncio.to_thread(build_tiny, folder / "image", image)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            agent = Agent(folder, (free_port(), free_port()), session)
            try:
                await agent.start()
                scene = Scene(agent, image, random.Random(seed))  # noqa: S311 - a lot that can be drawn again
                outcomes = [await scene.turn(number) for number in range(turns)]
                await agent.commander.ok("POST", "/sync")
                left = len(container_ids(agent.instance)) + len(network_ids(agent.instance))
            except BaseException:
                line(agent.log.read_text()[-4000:])
                raise
            finally:
                agent.remove()
                await asyncio.to_thread(remove_everything_of, agent.instance)
                await asyncio.to_thread(docker, "rmi", "-f", image)
    return outcomes, left


def _row(one: Outcome) -> list[str]:
    answered = "answered" if one.answered else "not answered"
    return [
        one.command,
        f"{one.services} services",
        f"after {one.delay_s:g} s",
        answered,
        one.became or "NOT AS IT SHOULD BE",
        f"{one.seconds:.1f} s",
    ]


def main(arguments: list[str]) -> int:
    turns, seed = (*(int(text) for text in arguments), *(25, 1)[len(arguments) :])
    outcomes, left = asyncio.run(measure(turns, seed))
    table(
        "command, killed when, what became of the project, until it was so", [_row(one) for one in outcomes]
    )
    line(f"containers and networks left: {left}")
    return 0 if left == 0 and all(one.is_good for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
