"""The worker as a process: killed at any moment, it comes back to one generation of each project."""

import asyncio
from typing import Any

import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.docker_cli import container_ids, docker
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


async def create(agent: Agent) -> None:
    body = {"project_id": "site", "org_id": "org_a", "visibility": "public"}
    await agent.commander.ok("POST", "/projects", body)


def release(image: str, **more: Any) -> dict[str, Any]:
    return {"image": image, "port": 8080, "healthcheck": {"path": "/", "interval_s": 0.1}, **more}


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.9])
async def test_a_worker_killed_during_a_deploy_finishes_or_settles_it(
    agent: Agent, tiny_image: str, delay_s: float
) -> None:
    await agent.start()
    await create(agent)
    await agent.commander.ok("POST", "/projects/site/deploy?wait=30", release(tiny_image))
    await agent.commander.ok("POST", "/projects/site/env", {"env": {"TEXT": "second"}})
    deploy = await agent.commander.ok("POST", "/projects/site/deploy", release(tiny_image))
    await asyncio.sleep(delay_s)

    agent.kill()
    assert await asyncio.to_thread(container_ids, agent.instance, running_only=True), (
        "the old one keeps serving"
    )
    await agent.start()
    path = f"/projects/site/deploys/{deploy['deploy_id']}"

    async def is_settled() -> bool:
        return (await agent.commander.ok("GET", path))["status"] == "active" and await _serves(
            agent, "second\n"
        )

    await eventually(is_settled)
    await eventually(lambda: _has_one_container(agent))
    assert (await agent.commander.ok("GET", "/projects/site"))["status"] == "running"


async def test_a_restarted_worker_serves_what_was_running_and_removes_what_is_nobodys(
    agent: Agent, tiny_image: str
) -> None:
    await agent.start()
    await create(agent)
    await agent.commander.ok("POST", "/projects/site/deploy?wait=30", release(tiny_image))

    assert await agent.stop() == 0
    assert len(container_ids(agent.instance, running_only=True)) == 1
    [ours] = container_ids(agent.instance)
    label = f"--label=io.plane.instance={agent.instance}"
    docker("create", label, "--label=io.plane.project=site", "--label=io.plane.release=dpl_old", tiny_image)
    docker("create", label, "--label=io.plane.project=nobody", tiny_image)
    docker("stop", "-t", "1", ours)
    await agent.start()

    await eventually(lambda: _serves(agent, "hello\n"))
    await eventually(lambda: _has_one_container(agent))
    assert container_ids(agent.instance) == [ours]


async def test_a_deletion_that_was_begun_is_finished_after_a_crash(agent: Agent, tiny_image: str) -> None:
    await agent.start()
    await create(agent)
    stubborn = [
        "/bin/sh",
        "-c",
        "trap '' TERM; /bin/busybox httpd -p $PORT -h /www; while :; do /bin/busybox sleep 1; done",
    ]
    slow_start = {"path": "/cgi-bin/slow"}
    await agent.commander.ok(
        "POST",
        "/projects/site/deploy?wait=30",
        release(tiny_image, command=stubborn, healthcheck=slow_start),
    )
    async with asyncio.TaskGroup() as tasks:
        request = tasks.create_task(_ignoring_the_end(agent))
        await eventually(lambda: _is_unknown(agent))
        agent.kill()
        await request
    assert container_ids(agent.instance)

    await agent.start()

    async def is_gone() -> bool:
        return await _is_unknown(agent) and not await asyncio.to_thread(container_ids, agent.instance)

    await eventually(is_gone)


async def _is_unknown(agent: Agent) -> bool:
    status, _answer = await agent.commander.call("GET", "/projects/site")
    return status == 404


async def _ignoring_the_end(agent: Agent) -> None:
    try:
        await agent.commander.call("DELETE", "/projects/site")
    except OSError:
        return


async def _serves(agent: Agent, text: str) -> bool:
    headers = {"Host": "site.zexio.app"}
    async with agent.session.get(f"{agent.mesh}/", headers=headers) as response:
        return (response.status, await response.text()) == (200, text)


async def _has_one_container(agent: Agent) -> bool:
    return len(await asyncio.to_thread(container_ids, agent.instance)) == 1
