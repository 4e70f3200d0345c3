"""SIGTERM: what is under way ends well and soon, and the next start goes on with the rest."""

import asyncio
import time

import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.deploying import HEALTHY
from tests.integration.worker_deploys.docker_cli import container_ids, docker
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


async def _read_to_the_end(agent: Agent, path: str, opened: asyncio.Semaphore) -> bytes:
    headers = agent.commander.signed("GET", path, b"")
    async with agent.session.get(agent.base + path, headers=headers) as response:
        opened.release()
        return await response.read()


async def _visit(agent: Agent) -> tuple[int, str]:
    headers = {"Host": "site.zexio.app"}
    async with agent.session.get(f"{agent.mesh}/cgi-bin/slow?8", headers=headers) as response:
        return response.status, await response.text()


async def _is_at_work(container: str) -> bool:
    """Whether the app has the visit."""
    return "sleep 8" in await asyncio.to_thread(docker, "top", container, "-eo", "pid,args")


async def test_a_worker_that_is_asked_to_end_lets_nobody_wait_for_what_will_not_come(
    agent: Agent, tiny_image: str
) -> None:
    await agent.start()
    commander = agent.commander
    await commander.ok("POST", "/projects", {"project_id": "site", "org_id": "org_a", "visibility": "public"})
    source = {"image": tiny_image, "port": 8080, "healthcheck": HEALTHY}
    await commander.ok("POST", "/projects/site/deploy?wait=45", source)
    [serving] = await asyncio.to_thread(container_ids, agent.instance)
    paths = ("/stats/stream", "/projects/site/logs/stream", "/projects/site/events/stream")
    opened = asyncio.Semaphore(0)
    streams = [asyncio.create_task(_read_to_the_end(agent, path, opened)) for path in paths]
    for _stream in streams:
        await opened.acquire()
    never = {**source, "command": "/bin/busybox sleep 600", "healthcheck": {**HEALTHY, "deadline_s": 120}}
    waiting = asyncio.create_task(commander.call("POST", "/projects/site/deploy?wait=100", never))

    async def is_checking() -> bool:
        [newest] = (await commander.ok("GET", "/projects/site/deploys?limit=1"))["items"]
        return bool(newest["status"] == "checking")

    await eventually(is_checking)
    visit = asyncio.create_task(_visit(agent))
    await eventually(lambda: _is_at_work(serving))
    asked = time.monotonic()
    status = await agent.stop()

    assert status == 0
    assert time.monotonic() - asked < 25, "requests may take thirty seconds to end, and the deploy a hundred"
    assert (await waiting)[1]["status"] == "checking"
    assert await visit == (200, "slow\n")
    assert all(ended.startswith(b"retry: 2000\n\n") for ended in await asyncio.gather(*streams))

    await agent.start()
    await commander.ok("POST", "/projects/site/stop")

    async def is_stopped() -> bool:
        stopped = (await commander.ok("GET", "/projects/site"))["status"] == "stopped"
        return stopped and len(await asyncio.to_thread(container_ids, agent.instance)) == 1

    await eventually(is_stopped)
