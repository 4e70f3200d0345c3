"""`python -m tests.bench.worker_addresses [ROUNDS]`: addresses go from tenant to tenant under load; who gets whose answer?

Two organisations with two projects each. A round stops all containers of an organisation and starts them in another order (their
addresses swap), then deletes one organisation and lets the other one's new projects have its addresses. Visitors ask for every
project all the time, on kept connections; each app answers with its own name, so a wrong answer cannot look right.
"""

import asyncio
import random
import sys
import tempfile
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.bench.table import line, table
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.commanding import SECRET
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    inspect,
    remove_everything_of,
)
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_deploys.tiny_image import build_tiny

ORGS = {"org_a": ("a-one", "a-two"), "org_b": ("b-one", "b-two")}
PAUSE_S = 0.005
POOL = "10.202.0.0/24"
"""Of its own: another worker on the same engine could take an address between two tenants of this one."""


@dataclass(slots=True)
class Seen:
    """`owners` are the projects that each address has had; `wrong` the answers of one project under another's name."""

    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    owners: dict[str, set[str]] = field(default_factory=dict)

    @property
    def passed_on(self) -> int:
        """Addresses that have belonged to both organisations."""
        return len([names for names in self.owners.values() if len({name[0] for name in names}) > 1])

    @property
    def swapped(self) -> int:
        return len([names for names in self.owners.values() if len(names) > 1])


class Scene:
    def __init__(self, agent: Agent, image: str, seen: Seen, dice: random.Random) -> None:
        self._agent = agent
        self._image = image
        self._seen = seen
        self._dice = dice

    async def settle_in(self, org_id: str) -> None:
        for project_id in ORGS[org_id]:
            project = {"project_id": project_id, "org_id": org_id, "visibility": "public"}
            await self._agent.commander.ok("POST", "/projects", project)
            env = {"env": {"TEXT": project_id}}
            await self._agent.commander.ok("POST", f"/projects/{project_id}/env", env)
            body = {"image": self._image, "port": 8080, "healthcheck": {"path": "/", "interval_s": 0.1}}
            path = f"/projects/{project_id}/deploy?wait=45"
            assert (await self._agent.commander.ok("POST", path, body))["status"] == "active"
        await self.note_addresses()

    async def move_out(self, org_id: str) -> None:
        for project_id in ORGS[org_id]:
            await self._agent.commander.ok("DELETE", f"/projects/{project_id}")

    async def shuffle(self, org_id: str) -> None:
        found = {name: await self._container(name) for name in ORGS[org_id]}
        await asyncio.to_thread(docker, "stop", "-t", "1", *found.values())
        order = list(found)
        self._dice.shuffle(order)
        for name in order:
            await asyncio.to_thread(docker, "start", found[name])
        for name in order:
            await eventually(lambda name=name: self._serves(name))
        await self.note_addresses()

    async def note_addresses(self) -> None:
        for names in ORGS.values():
            for name in names:
                for container in await asyncio.to_thread(
                    container_ids, self._agent.instance, project=name, running_only=True
                ):
                    seen = await asyncio.to_thread(inspect, container)
                    [network] = seen["NetworkSettings"]["Networks"].values()
                    self._seen.owners.setdefault(network["IPAddress"], set()).add(name)

    async def visit(self, name: str, client: aiohttp.ClientSession) -> None:
        """Until cancelled."""
        while True:
            # An app that is stopped in the middle of an answer breaks it off.
            with suppress(aiohttp.ClientPayloadError):
                status, text = await self._get(name, client)
                self._seen.answers[status] += 1
                if status == 200 and text != f"{name}\n":
                    self._seen.wrong.append((name, text))
            await asyncio.sleep(PAUSE_S)

    async def _serves(self, name: str) -> bool:
        return (await self._get(name, self._agent.session))[0] == 200

    async def _get(self, name: str, client: aiohttp.ClientSession) -> tuple[int, str]:
        headers = {"Host": f"{name}.zexio.app"}
        async with client.get(self._agent.mesh, headers=headers) as response:
            return response.status, await response.text()

    async def _container(self, name: str) -> str:
        [found] = await asyncio.to_thread(container_ids, self._agent.instance, project=name)
        return found


async def measure(rounds: int, ports: tuple[int, int]) -> Seen:
    seen, image = Seen(), f"localhost/address-bench:{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory() as scratch:
        await asyncio.to_thread(build_tiny, Path(scratch) / "image", image)
        async with aiohttp.ClientSession() as session:
            variables = {"WORKER_SECRET": SECRET, "WORKER_NETWORK_POOL": POOL}
            agent = Agent(Path(scratch), ports, session, variables=variables)
            try:
                await agent.start()
                await _played(Scene(agent, image, seen, random.Random(7)), rounds, session)  # noqa: S311 - a fixed order
            finally:
                agent.remove()
                await asyncio.to_thread(remove_everything_of, agent.instance)
                await asyncio.to_thread(docker, "rmi", "-f", image)
    return seen


async def _played(scene: Scene, rounds: int, client: aiohttp.ClientSession) -> None:
    for org_id in ORGS:
        await scene.settle_in(org_id)
    visits = [
        asyncio.create_task(scene.visit(name, client))
        for names in ORGS.values()
        for name in names
        for _ in "12"
    ]
    try:
        for turn in range(rounds):
            first, second = list(ORGS) if turn % 2 else list(ORGS)[::-1]
            await scene.shuffle(first)
            # The one that comes back first gets the lowest addresses, which the other one had.
            await scene.move_out(first)
            await scene.move_out(second)
            await scene.settle_in(first)
            await scene.settle_in(second)
        assert not any(visit.done() for visit in visits), "every visitor stayed to the end"
    finally:
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


def main(arguments: list[str]) -> int:
    rounds = int(arguments[0]) if arguments else 5
    seen = asyncio.run(measure(rounds, (18081, 18090)))
    table(
        f"{rounds} rounds, {seen.answers.total()} requests",
        [
            ["answered by the app", str(seen.answers[200])],
            ["not running, not known (503, 404)", str(seen.answers[503] + seen.answers[404])],
            ["failed (502, 504)", str(seen.answers[502] + seen.answers[504])],
            ["addresses that had more than one project", str(seen.swapped)],
            ["addresses that had both organisations", str(seen.passed_on)],
            ["another project's answer", str(len(seen.wrong))],
        ],
    )
    line("" if not seen.wrong else f"wrong: {seen.wrong[:5]}")
    return 1 if seen.wrong or not seen.passed_on else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
