"""A data folder on a full disk: what would change something is refused with a word, everything else goes on, and it ends with the want."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.gateway_data.small_disk import SmallDisk, small_disk
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.deploying import HEALTHY, services_of
from tests.integration.worker_deploys.docker_cli import remove_everything_of

pytestmark = pytest.mark.engine


@pytest.fixture
async def scene(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> AsyncIterator[tuple[Agent, SmallDisk]]:
    assert docker_engine
    with small_disk(tmp_path / "data", 4 * 1024 * 1024) as disk:
        process = Agent(tmp_path, (free_port(), free_port()), session)
        try:
            await process.start()
            yield process, disk
        finally:
            process.remove()
            await asyncio.to_thread(remove_everything_of, process.instance)


async def test_a_full_disk_changes_nothing_and_stops_no_app(
    scene: tuple[Agent, SmallDisk], tiny_image: str
) -> None:
    agent, disk = scene
    commander = agent.commander
    await commander.ok("POST", "/projects", {"project_id": "site", "org_id": "org_a", "visibility": "public"})
    source = {"image": tiny_image, "port": 8080, "healthcheck": HEALTHY}
    await commander.ok("POST", "/projects/site/deploy?wait=45", source)
    await asyncio.to_thread(disk.fill)

    changing = (
        ("POST", "/projects", {"org_id": "org_a"}),
        ("POST", "/projects/site/env", {"env": {"TEXT": "x" * 5000}}),
        ("POST", "/projects/site/deploy", source),
        ("POST", "/projects/site/stop", None),
        ("DELETE", "/projects/site", None),
    )
    answers = [await commander.call(*command) for command in changing]
    shown = await commander.ok("GET", "/projects/site")
    [service] = await services_of(commander, "site")
    async with agent.session.get(f"{agent.mesh}/", headers={"Host": "site.zexio.app"}) as response:
        served = await response.text()
    await asyncio.to_thread(disk.make_room)

    assert [(status, answer["code"]) for status, answer in answers] == [(503, "storage_unavailable")] * len(
        changing
    )
    assert (shown["status"], service["health"], served) == ("running", "healthy", "hello\n")
    for command in changing[1:3]:
        await commander.ok(*command)
    assert len((await commander.ok("GET", "/projects"))["items"]) == 1
    logged = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert [line for line in logged if line["event"] == "unhandled_error"] == []
