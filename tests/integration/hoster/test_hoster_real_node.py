"""What Hoster makes of a real node: containers removed by hand, a node that is away, a node that comes back with nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
import pytest

from deploy.images.hello.build import ensure_hello_image
from hoster.status_api import DATABASE
from tests.integration.hoster.conftest import JOIN_TOKEN, QUICK, Hoster, User, eventually, has_one_online
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.docker_cli import container_ids, docker, remove_everything_of
from tests.servers.dns_zone import DnsZone

NAME = "www.example.com"
SILENCE_NOTICED_S = 35.0


@pytest.fixture
async def node(
    start_hoster: Any,
    free_port: Callable[[], int],
    docker_engine: str,
    tmp_path: Path,
    session: aiohttp.ClientSession,
) -> AsyncIterator[tuple[Hoster, Agent]]:
    port = free_port()
    running, database = await start_hoster(port)
    variables = {
        "DOCKER_HOST": docker_engine,
        "HOSTER_URL": running.base_url,
        "WORKER_JOIN_TOKEN": JOIN_TOKEN,
        "MESH_PUBLIC_SUFFIX": "apps.localhost",
        "LOG_LEVEL": "error",
    }
    folder = tmp_path / "node"
    folder.mkdir()
    worker = Agent(folder, (free_port(), free_port()), session, variables=variables)
    try:
        await worker.start()
        yield running, worker
    finally:
        worker.remove()
        await asyncio.to_thread(remove_everything_of, worker.instance)
        await running.runner.cleanup()
        await database.close()


@pytest.fixture
async def hello_image(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    docker = aiodocker.Docker(url=docker_engine)
    try:
        await ensure_hello_image(docker, tmp_path_factory.mktemp("busybox"))
    finally:
        await docker.close()


async def _is_online(hoster: Hoster, session: aiohttp.ClientSession) -> None:
    await eventually(partial(has_one_online, hoster.base_url, session), 60)


async def _is_known_to_be_away(user: User, health: str) -> bool:
    of_app, of_nodes = await user.ask("GET", health), await user.ask("GET", "/health")
    return (of_app.status, of_nodes.status) == (200, 200) and (
        of_app.body["status"],
        of_nodes.body["nodes"]["offline"],
    ) == ("unknown", 1)


async def _running(worker: Agent) -> list[str]:
    return await asyncio.to_thread(container_ids, worker.instance, running_only=True)


async def _answers(session: aiohttp.ClientSession, worker: Agent, host: str) -> bool:
    try:
        async with session.get(f"{worker.mesh}/", headers={"Host": host}) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_whatever_happens_to_a_node_its_deployment_comes_back_and_nobody_pays_for_it(
    node: tuple[Hoster, Agent], session: aiohttp.ClientSession, dns_zone: DnsZone, hello_image: None
) -> None:
    hoster, worker = node
    user = User(hoster.base_url, session)

    await _is_online(hoster, session)
    template = (await user.ask("GET", "/api/v1/templates?q=hello")).body["items"][0]["id"]
    made = await user.ask("POST", "/api/v1/deployments", {"name": "site", "template_id": template})
    assert made.status == 202, made.body
    at = f"/api/v1/deployments/{made.body['id']}"
    await user.until(made.body["id"], "running")
    claim = await user.ask("POST", f"{at}/domains", {"hostname": NAME})
    dns_zone.publish(claim.body["records"][0])
    assert (await user.ask("POST", f"{at}/domains/{NAME}/verify")).status == 200
    hosts = [made.body["hosts"][0], NAME]

    async def is_up() -> bool:
        running = (await user.ask("GET", at)).body["status"] == "running"
        return running and all([await _answers(session, worker, host) for host in hosts])

    await eventually(is_up, 30)

    before = await _running(worker)
    await asyncio.to_thread(docker, "rm", "-f", *before)
    await eventually(is_up, 60)
    assert await _running(worker) != before

    worker.kill()
    assert await _running(worker) != [], "containers go on without their worker"
    stopped = await user.ask("POST", f"{at}/stop")
    assert stopped.status == 202
    assert (await user.ask("GET", f"{at}/wait?status=stopped&timeout=1")).status == 408
    await worker.start()
    await user.until(made.body["id"], "stopped")
    assert await _running(worker) == []
    assert (await user.ask("POST", f"{at}/start")).status == 202
    await eventually(is_up, 60)

    worker.kill()
    await asyncio.to_thread(worker.lose_everything)
    await worker.start()
    await eventually(is_up, 60)

    events = (await user.ask("GET", "/api/v1/billing/events")).body["items"]
    assert [event["event_type"] for event in reversed(events)] == [
        "deployment.created", "deployment.stopped", "deployment.started"
    ]  # fmt: skip
    assert (await user.ask("DELETE", at)).status == 202
    await user.until_gone(made.body["id"])
    assert await asyncio.to_thread(container_ids, worker.instance) == []


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_node_that_is_silent_is_offline_within_35_seconds_and_so_unknown_is_its_health(
    node: tuple[Hoster, Agent], session: aiohttp.ClientSession, hello_image: None
) -> None:
    hoster, worker = node
    user = User(hoster.base_url, session)

    await _is_online(hoster, session)
    template = (await user.ask("GET", "/api/v1/templates?q=hello")).body["items"][0]["id"]
    made = await user.ask("POST", "/api/v1/deployments", {"name": "site", "template_id": template})
    await user.until(made.body["id"], "running")
    at = f"/api/v1/deployments/{made.body['id']}"
    assert (await user.ask("GET", f"{at}/monitoring/health")).body["status"] == "healthy"
    worker.kill()
    loop = asyncio.get_running_loop()
    killed = asked = loop.time()
    while not await _is_known_to_be_away(user, f"{at}/monitoring/health"):
        # However long an answer takes: who asks later than that is told.
        assert asked - killed <= SILENCE_NOTICED_S
        await asyncio.sleep(0.1)
        asked = loop.time()
    assert (await user.ask("GET", f"{at}/monitoring/stats")).status == 503
    await worker.start()
    await _is_online(hoster, session)
    assert (await user.ask("GET", at)).body["status"] == "running"


@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_what_a_node_refuses_to_deploy_fails_once_with_its_reason_and_costs_no_more_than_the_order(
    node: tuple[Hoster, Agent], session: aiohttp.ClientSession
) -> None:
    hoster, _ = node
    user = User(hoster.base_url, session)

    await _is_online(hoster, session)
    source = {"git": {"url": "https://127.0.0.1/private.git", "ref": "main"}, "port": 80}
    made = await user.ask("POST", "/api/v1/deployments", {"name": "site", "source": source})
    assert made.status == 202, made.body
    at = f"/api/v1/deployments/{made.body['id']}"

    failed = await user.until(made.body["id"], "failed")
    assert failed["status_reason"] == "The node refused: git.url is not on the public Internet"
    [release] = (await user.ask("GET", f"{at}/releases")).body["items"]
    assert (release["status"], release["reason"]) == ("failed", failed["status_reason"])
    ended = "SELECT status, attempts FROM jobs"
    [job] = await hoster.app[DATABASE].fetch_all(ended)
    assert job["status"] == "done"
    await asyncio.sleep(3 * QUICK.compare_s)
    assert await hoster.app[DATABASE].fetch_all(ended) == [job]
    events = (await user.ask("GET", "/api/v1/billing/events")).body["items"]
    assert [event["event_type"] for event in events] == ["deployment.created"]
    assert (await user.ask("DELETE", at)).status == 202
    await user.until_gone(made.body["id"])
