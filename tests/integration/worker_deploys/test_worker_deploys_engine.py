"""What the worker makes of its engine: images, registries, its own container, and an engine that comes later."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import aiohttp
import pytest

from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    inspect,
    network_ids,
    remove_everything_of,
)
from tests.integration.worker_deploys.registry import Registry
from tests.integration.worker_deploys.running import eventually
from worker.runtime import labels
from worker.runtime.docker_engine import DockerEngine
from worker.runtime.engine import ContainerSpec, Limits
from worker.runtime.networks import OrgNetworks

pytestmark = pytest.mark.engine

HEALTHY = {"path": "/", "interval_s": 0.1, "deadline_s": 20}


@pytest.fixture
async def refusing_registry() -> AsyncIterator[str]:
    """One that knows no image."""
    async with Registry().listening() as registry:
        yield f"127.0.0.1:{registry.port}"


@pytest.fixture
def tagged(tiny_image: str) -> Iterator[Callable[[str], str]]:
    names: list[str] = []

    def tag(name: str) -> str:
        docker("tag", tiny_image, name)
        names.append(name)
        return name

    yield tag
    for name in names:
        docker("rmi", name)


@pytest.fixture
def bystander(tiny_image: str) -> Iterator[Callable[[], str]]:
    """Starts containers that are not the worker's; each takes the place of the one before."""
    ids: list[str] = []

    def run() -> str:
        for container_id in ids:
            docker("rm", "-f", container_id)
        ids[:] = [docker("run", "-d", "--init", tiny_image, "/bin/busybox", "sleep", "600").strip()]
        return ids[0]

    yield run
    for container_id in ids:
        docker("rm", "-f", container_id)


async def test_the_copy_on_the_node_is_used_when_the_registry_cannot_be_reached(
    worker: Worker, tagged: Callable[[str], str]
) -> None:
    image = tagged(f"127.0.0.1:1/worker-deploys-test:{uuid.uuid4().hex[:12]}")
    await worker.commander.ok("POST", "/projects", {"project_id": "p", "org_id": "o"})

    body = {"image": image, "port": 8080, "healthcheck": HEALTHY}
    ended = await worker.commander.ok("POST", "/projects/p/deploy?wait=45", body)

    assert ended["status"] == "active"
    assert "local copy" in ended["steps"][0]["detail"]
    [release] = (await worker.commander.ok("GET", "/projects/p/releases"))["items"]
    assert release["image_id"].startswith("sha256:")
    assert inspect(container_ids(worker.instance)[0])["Image"] == release["image_id"]


async def test_a_registry_that_refuses_is_final_whatever_the_node_has(
    worker: Worker, tagged: Callable[[str], str], refusing_registry: str
) -> None:
    image = tagged(f"{refusing_registry}/worker-deploys-test:1")
    await worker.commander.ok("POST", "/projects", {"project_id": "p", "org_id": "o"})

    body = {"image": image, "port": 8080, "healthcheck": HEALTHY}
    ended = await worker.commander.ok("POST", "/projects/p/deploy?wait=45", body)

    assert ended["status"] == "failed"
    assert "refused" in ended["reason"]
    assert image in ended["reason"]


async def test_a_new_environment_can_be_applied_at_once_to_the_same_image(
    worker: Worker, tiny_image: str
) -> None:
    project = {"project_id": "p", "org_id": "o", "visibility": "public"}
    await worker.commander.ok("POST", "/projects", project)
    nothing_yet = await worker.commander.ok("POST", "/projects/p/env?apply=1", {"env": {"TEXT": "first"}})
    assert nothing_yet == {"keys": ["TEXT"], "applied": False}
    body = {"image": tiny_image, "port": 8080, "healthcheck": HEALTHY}
    await worker.commander.ok("POST", "/projects/p/deploy?wait=45", body)

    applied = await worker.commander.ok("POST", "/projects/p/env?apply=1", {"env": {"TEXT": "second"}})

    async def serves_it() -> bool:
        return await worker.get("p.zexio.app") == (200, "second\n")

    assert applied["applied"]
    await eventually(serves_it)


async def test_a_worker_in_a_container_joins_the_networks_of_its_organisations(
    docker_engine: str,
    bystander: Callable[[], str],
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> None:
    own = bystander()
    variables = {**worker_variables(docker_engine, tmp_path, free_port), "WORKER_CONTAINER": own}
    async with running_worker(variables, session) as worker:
        await worker.commander.ok("POST", "/projects", {"project_id": "p", "org_id": "o"})
        assert _networks_of(own) == set(network_ids(worker.instance))
    own = bystander()
    async with running_worker({**variables, "WORKER_CONTAINER": own}, session) as worker:
        await worker.commander.ok("POST", "/sync")
        assert _networks_of(own) == set(network_ids(worker.instance))
        await worker.commander.ok("DELETE", "/projects/p")
        assert network_ids(worker.instance) == []


async def test_a_network_is_not_taken_from_an_organisation_whose_first_project_is_being_made(
    docker_engine: str,
) -> None:
    engine, instance = DockerEngine(docker_engine), f"w_{uuid.uuid4().hex}"
    networks = OrgNetworks(engine, instance, IPv4Network("10.203.0.0/24"), own_container="", routes=list)
    recorded: set[str] = set()

    async def orgs_in_use() -> set[str]:
        return recorded

    try:
        with networks.kept("org"):
            await networks.ensure("org")
            await networks.remove_unused("org", orgs_in_use)
            recorded.add("org")
        # Somebody who had looked before it was recorded:
        await networks.remove_unused("org", orgs_in_use)
        assert await networks.orgs() == {"org"}

        recorded.clear()
        await networks.remove_unused("org", orgs_in_use)
        assert await networks.orgs() == set()
    finally:
        await engine.close()
        remove_everything_of(instance)


async def test_a_container_is_updated_also_in_the_moment_in_which_it_starts_or_ends(
    docker_engine: str, tiny_image: str
) -> None:
    engine = DockerEngine(docker_engine)

    async def updated(container_id: str, turn: int) -> None:
        await asyncio.sleep(turn * 0.03)
        await engine.keep_running(container_id, on=False)

    try:
        for _container in range(4):
            made = await asyncio.to_thread(docker, "create", tiny_image, "/bin/busybox", "sleep", "0.1")
            container_id = made.strip()
            try:
                async with asyncio.TaskGroup() as updates:
                    updates.create_task(engine.start(container_id))
                    for turn in range(20):
                        updates.create_task(updated(container_id, turn))
            finally:
                await asyncio.to_thread(docker, "rm", "-f", container_id)
    finally:
        await engine.close()


async def test_a_creation_that_is_interrupted_leaves_no_container(
    docker_engine: str, tiny_image: str
) -> None:
    engine, instance = DockerEngine(docker_engine), f"plane-{uuid.uuid4().hex[:8]}"

    async def interrupted(number: int) -> None:
        spec = ContainerSpec(
            name=f"{instance}.{number}", image_id=tiny_image, command=("/bin/busybox", "sleep", "1"), entrypoint=None, environment={},
            labels={labels.INSTANCE: instance}, network="bridge", limits=Limits(), mounts=(), probe=None,
        )  # fmt: skip
        creating = asyncio.create_task(engine.create(spec))
        await asyncio.sleep(number * 0.01)
        creating.cancel()
        await asyncio.wait({creating})
        if not creating.cancelled():
            await engine.remove(creating.result())

    try:
        for number in range(12):
            await interrupted(number)
        assert container_ids(instance) == []
        await asyncio.sleep(1.0)  # nor does the engine make one afterwards
        assert container_ids(instance) == []
    finally:
        await engine.close()
        remove_everything_of(instance)


async def test_an_engine_that_comes_later_is_used_as_soon_as_it_is_there(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> None:
    socket = tmp_path / "docker.sock"
    variables = worker_variables(f"unix://{socket}", tmp_path / "data", free_port)
    async with running_worker(variables, session) as worker:
        project = {"project_id": "p", "org_id": "o"}
        assert (await worker.commander.call("POST", "/projects", project))[0] == 503

        socket.symlink_to(docker_engine.removeprefix("unix://"))

        assert (await worker.commander.call("POST", "/projects", project))[0] == 201
    remove_everything_of(worker.instance)


def _networks_of(container_id: str) -> set[str]:
    """Those made by the worker, shortened as docker lists them."""
    networks = inspect(container_id)["NetworkSettings"]["Networks"]
    return {seen["NetworkID"][:12] for name, seen in networks.items() if name != "bridge"}
