"""Pulling from a registry: what arrives is kept as long as somebody needs it, and whatever happens meanwhile it is known to be ours."""

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.deploying import HEALTHY, create, deploy
from tests.integration.worker_deploys.docker_cli import (
    build_image,
    container_ids,
    docker,
    remove_everything_of,
)
from tests.integration.worker_deploys.engine_proxy import EngineProxy
from tests.integration.worker_deploys.registry import Registry
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with Registry().listening() as opened:
        yield opened


@pytest.fixture
def versions(tiny_image: str, tmp_path: Path) -> Iterator[list[str]]:
    """Two images with a layer of their own each, as files in the registry's format want them: by local names that are gone afterwards."""
    names = []
    for version in ("one", "two"):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "page").write_text(f"{version}\n")
        (folder / "Dockerfile").write_text(f"FROM {tiny_image}\nCOPY page /www/page\n")
        names.append(f"localhost/worker-registry-{version}:{uuid.uuid4().hex[:12]}")
        build_image(folder, names[-1])
    yield names
    for name in names:
        subprocess.run(["docker", "rmi", name], capture_output=True, timeout=60, check=False)


async def _publish(registry: Registry, local: str, name: str) -> str:
    reference = await registry.take(local, name)
    await asyncio.to_thread(docker, "rmi", local)
    return reference


async def _is_gone(reference: str) -> bool:
    return not (await asyncio.to_thread(docker, "images", "-q", reference)).strip()


async def test_a_pulled_image_is_pinned_refreshed_kept_for_rollback_and_goes_with_the_project(
    worker: Worker, registry: Registry, versions: list[str]
) -> None:
    reference = await _publish(registry, versions[0], "shop")
    await create(worker, "app")
    first = await deploy(worker, "app", reference)
    served_first = await worker.get("app.zexio.app", "/page")
    await _publish(registry, versions[1], "shop")
    second = await deploy(worker, "app", reference)
    served_second = await worker.get("app.zexio.app", "/page")
    back = await worker.commander.ok("POST", "/projects/app/deploy?wait=45", {"release": first["deploy_id"]})
    served_back = await worker.get("app.zexio.app", "/page")
    releases = (await worker.commander.ok("GET", "/projects/app/releases"))["items"]
    images = {release["image_id"] for release in releases}

    assert [ended["status"] for ended in (first, second, back)] == ["active"] * 3
    assert (served_first, served_second, served_back) == ((200, "one\n"), (200, "two\n"), (200, "one\n"))
    assert "pulled" in first["steps"][0]["detail"]
    assert {release["digest"] is None for release in releases} == {False}

    registry.refused.add("shop")
    refused = await deploy(worker, "app", reference)
    assert (refused["status"], "refused" in refused["reason"]) == ("failed", True), refused

    await worker.commander.ok("DELETE", "/projects/app")

    async def all_gone() -> bool:
        here = (await asyncio.to_thread(docker, "images", "-aq", "--no-trunc")).split()
        return not images.intersection(here)

    await eventually(all_gone)


async def test_an_image_that_a_deploy_has_found_is_not_removed_for_a_project_that_was_deleted_before(
    docker_engine: str,
    registry: Registry,
    versions: list[str],
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> None:
    common, rare = [await _publish(registry, local, f"of{local[-12:]}") for local in versions]
    async with EngineProxy(docker_engine, tmp_path / "engine.sock").listening() as proxy:
        variables = worker_variables(proxy.address, tmp_path / "data", free_port)
        async with running_worker(variables, session) as worker:
            await create(worker, "old")
            ended = await deploy(worker, "old", common)
            assert ended["status"] == "active", ended
            # Its own look for what nobody needs is over; the next one is kept from its end,
            await asyncio.sleep(2)
            proxy.held = b"/images/json?all=1"
            proxy.reached.clear()
            await worker.commander.ok("DELETE", "/projects/old")
            await proxy.reached.wait()

            # meanwhile the next deploy has found the image, and waits for another one.
            registry.go_on.clear()
            registry.asked_for_layers.clear()
            await create(worker, "new")
            services = {
                "web": {"image": common, "expose": ["8080"], "healthcheck": {"x-path": "/"}},
                "job": {"image": rare, "expose": ["8080"]},
            }
            body = {"compose": {"services": services}, "web": "web"}
            begun = await worker.commander.ok("POST", "/projects/new/deploy", body)
            await registry.asked_for_layers.wait()
            proxy.held = b""
            await asyncio.sleep(1)
            registry.go_on.set()

            path = f"/projects/new/deploys/{begun['deploy_id']}"

            async def has_ended() -> bool:
                ended.update(await worker.commander.ok("GET", path))
                return ended["deploy_id"] == begun["deploy_id"] and ended["finished_at"] is not None

            await eventually(has_ended)
            assert (ended["status"], ended["reason"]) == ("active", "")
    await asyncio.to_thread(remove_everything_of, worker.instance)


async def test_a_registry_that_is_away_costs_a_new_image_its_deploy_and_a_known_one_nothing(
    worker: Worker, registry: Registry, versions: list[str]
) -> None:
    reference = await _publish(registry, versions[0], "shop")
    await create(worker, "app")
    await deploy(worker, "app", reference)
    await registry.close()

    again = await deploy(worker, "app", reference)
    unknown = await deploy(worker, "app", registry.reference("other"))

    assert again["status"] == "active"
    assert "local copy" in again["steps"][0]["detail"]
    assert (unknown["status"], "cannot be pulled" in unknown["reason"]) == ("failed", True)
    assert await worker.get("app.zexio.app", "/page") == (200, "one\n")


@pytest.mark.parametrize("arrives", [True, False], ids=["it arrives all the same", "it does not"])
async def test_an_image_whose_pull_was_interrupted_by_kill_9_is_not_left_behind(
    agent: Agent, registry: Registry, versions: list[str], *, arrives: bool
) -> None:
    await agent.start()
    await agent.commander.ok(
        "POST", "/projects", {"project_id": "app", "org_id": "org_a", "visibility": "public"}
    )
    reference = await _publish(registry, versions[0], "shop")
    registry.go_on.clear()
    body = {"image": reference, "port": 8080, "healthcheck": HEALTHY}
    begun = await agent.commander.ok("POST", "/projects/app/deploy", body)
    await asyncio.wait_for(registry.asked_for_layers.wait(), 45)

    agent.kill()
    registry.go_on.set()
    if arrives:
        await asyncio.to_thread(docker, "pull", "-q", reference)
    await agent.start()

    async def has_ended() -> bool:
        path = f"/projects/app/deploys/{begun['deploy_id']}"
        return (await agent.commander.ok("GET", path))["status"] == "active"

    await eventually(has_ended)
    assert len(container_ids(agent.instance)) == 1
    await agent.commander.ok("DELETE", "/projects/app")
    await eventually(lambda: _is_gone(reference))
    assert container_ids(agent.instance) == []
