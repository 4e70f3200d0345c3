"""A worker that is killed while a volume changes hands."""

import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.composing import shop
from tests.integration.worker_deploys.docker_cli import container_ids, inspect, network_ids
from tests.integration.worker_deploys.running import eventually
from worker.runtime import labels

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("step", ["starting", "checking", "switching"])
async def test_a_worker_killed_during_a_handover_ends_with_one_release_and_its_data(
    agent: Agent, tiny_image: str, step: str
) -> None:
    await agent.start()
    await agent.commander.ok(
        "POST", "/projects", {"project_id": "site", "org_id": "org_a", "visibility": "public"}
    )
    first = {"compose": shop(tiny_image, "kept"), "web": "web"}
    await agent.commander.ok("POST", "/projects/site/deploy?wait=40", first)
    second = {"compose": shop(tiny_image, "other"), "web": "web"}
    deploy = await agent.commander.ok("POST", "/projects/site/deploy", second)
    path = f"/projects/site/deploys/{deploy['deploy_id']}"

    async def has_come_to(name: str) -> bool:
        steps = (await agent.commander.ok("GET", path))["steps"]
        return name in [one["name"] for one in steps]

    await eventually(lambda: has_come_to(step))
    agent.kill()
    await agent.start()

    async def is_settled() -> bool:
        return (await agent.commander.ok("GET", path))["status"] == "active" and await _asks(agent) == (
            200,
            "kept\n",
        )

    await eventually(is_settled)
    seen = [inspect(one) for one in container_ids(agent.instance)]
    assert sorted(one["Config"]["Labels"][labels.SERVICE] for one in seen) == ["db", "web"]
    assert {one["Config"]["Labels"][labels.RELEASE] for one in seen} == {deploy["deploy_id"]}
    assert len(network_ids(agent.instance)) == 2
    assert (await agent.commander.ok("GET", "/projects/site"))["status"] == "running"


async def _asks(agent: Agent) -> tuple[int, str]:
    headers = {"Host": "site.zexio.app"}
    async with agent.session.get(f"{agent.mesh}/cgi-bin/ask", headers=headers) as response:
        return response.status, await response.text()
