"""What the engine refuses in passing, because a container starts, ends or is being removed just then, fails nobody for good."""

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network

import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import create, deploy, services_of, status_of
from tests.integration.worker_deploys.docker_cli import (
    container_ids,
    docker,
    inspect,
    network_ids,
    remove_everything_of,
)
from tests.integration.worker_deploys.running import eventually
from worker.errors import ContainerGone
from worker.runtime import labels
from worker.runtime.docker_engine import DockerEngine
from worker.runtime.engine import ContainerSpec, EngineRefused, Limits, MountedVolume
from worker.runtime.networks import OrgNetworks
from worker.streams.engine import DockerSource, LogQuery

pytestmark = pytest.mark.engine

TURNS = 5
POOL = IPv4Network("10.204.0.0/22")


@dataclass(frozen=True, slots=True)
class Node:
    """An engine, and what is made on it for one test."""

    engine: DockerEngine
    source: DockerSource
    instance: str
    image_id: str

    @property
    def marks(self) -> dict[str, str]:
        return {labels.INSTANCE: self.instance}

    @property
    def volume(self) -> str:
        return f"{self.instance}.data"

    def networks(self) -> OrgNetworks:
        return OrgNetworks(self.engine, self.instance, POOL, own_container="", routes=list)

    async def running(self, network: str) -> str:
        """Of a container that takes a second to end, always under the same name, with a volume."""
        await self.engine.create_volume(self.volume, self.marks)
        spec = ContainerSpec(
            name=f"moments.{self.instance}",
            image_id=self.image_id,
            command=(
                "/bin/sh",
                "-c",
                "trap '/bin/busybox sleep 0.3; exit' TERM; /bin/busybox sleep 60 & wait",
            ),
            environment={},
            labels=self.marks,
            network=network,
            limits=Limits(memory_mb=32),
            mounts=(MountedVolume(self.volume, "/data", read_only=False),),
        )
        container_id = await self.engine.create(spec)
        await self.engine.start(container_id)
        return container_id


def _try_to_remove(*ids: str) -> None:
    """Of two who do it at the same time the engine refuses one."""
    subprocess.run(["docker", "rm", "-f", *ids], capture_output=True, timeout=60, check=False)


@pytest.fixture
async def node(docker_engine: str, tiny_image: str) -> AsyncIterator[Node]:
    instance = f"w_{uuid.uuid4().hex}"
    engine, source = DockerEngine(docker_engine), DockerSource(docker_engine, instance)
    opened = Node(engine, source, instance, inspect(tiny_image)["Id"])
    yield opened
    await engine.close()
    await source.close()
    await asyncio.to_thread(remove_everything_of, opened.instance)


async def test_what_is_removed_is_gone_also_when_somebody_else_is_removing_it(node: Node) -> None:
    network = await node.networks().ensure("org")
    for turn in range(TURNS):
        container_id = await node.running(network)
        async with asyncio.TaskGroup() as removals:
            removals.create_task(asyncio.to_thread(_try_to_remove, container_id))
            await asyncio.sleep(0.1 + turn * 0.05)
            await node.engine.remove(container_id)

            # Its name, volume and place in the network are free for the next.
            assert await node.engine.inspect(container_id) is None
            await node.engine.remove(await node.running(network))


async def test_networks_and_volumes_go_also_while_the_last_container_on_them_is_going(node: Node) -> None:
    for _turn in range(TURNS):
        container_id = await node.running(await node.networks().ensure("org"))
        [network_id] = network_ids(node.instance)
        removal = asyncio.create_task(asyncio.to_thread(_try_to_remove, container_id))
        async with asyncio.TaskGroup() as removals:
            # Twice, as after a crash of whoever asked first.
            for _time in range(2):
                removals.create_task(node.engine.remove_network(network_id))
                removals.create_task(node.engine.remove_volumes(node.marks))
        await removal
        assert network_ids(node.instance) == []
        assert docker("volume", "ls", "-q", f"--filter=name={node.volume}") == ""


async def test_a_network_that_somebody_stays_in_is_refused_in_the_words_of_the_engine(node: Node) -> None:
    await node.running(await node.networks().ensure("org"))
    [network_id] = network_ids(node.instance)

    with pytest.raises(EngineRefused, match="has active endpoints"):
        await node.engine.remove_network(network_id)


async def test_a_container_that_is_going_has_no_log_and_is_neither_kept_running_nor_started(
    node: Node,
) -> None:
    network = await node.networks().ensure("org")
    for turn in range(TURNS):
        container_id = await node.running(network)
        # It has ended, so that a start is no start of what runs.
        await node.engine.stop(container_id, 0)
        removal = asyncio.create_task(asyncio.to_thread(_try_to_remove, container_id))
        await asyncio.sleep(turn * 0.04)
        while await node.engine.inspect(container_id) is not None:
            assert await node.engine.log_tail(container_id, 20) == []
            with suppress(ContainerGone):
                assert [records async for records in node.source.log(container_id, LogQuery(tail=5))] == []
            await node.engine.keep_running(container_id, on=False)
        assert await node.engine.log_tail(container_id, 20) == []
        await node.engine.keep_running(container_id, on=True)
        with pytest.raises(ContainerGone):
            await node.engine.start(container_id)
        await removal


async def test_two_who_make_the_network_of_an_organisation_at_the_same_time_get_the_same(node: Node) -> None:
    for turn in range(TURNS):
        # A worker that was killed has asked for it, and the one after it asks again.
        names = await asyncio.gather(*(node.networks().ensure(f"org{turn}") for _worker in range(3)))

        assert len(set(names)) == 1
        assert len(network_ids(node.instance)) == turn + 1


async def test_a_container_that_somebody_removes_is_made_again_without_having_failed(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "site")
    ended = await deploy(worker, "site", tiny_image)
    assert ended["status"] == "active", ended

    for _turn in range(TURNS):
        [before] = container_ids(worker.instance, project="site")
        await asyncio.to_thread(docker, "rm", "-f", before)

        async def serves_again(gone: str = before) -> bool:
            assert await status_of(worker, "site") != "failed", "it was only on its way"
            [service] = await services_of(worker.commander, "site")
            return gone not in container_ids(worker.instance) and service["health"] == "healthy"

        await eventually(serves_again)
        assert await worker.get("site.zexio.app") == (200, "hello\n")
    failures = (await worker.commander.ok("GET", "/projects/site/events?type=start_failed"))["items"]
    assert failures == []


async def test_a_project_is_deleted_also_while_somebody_else_removes_its_containers(
    worker: Worker, tiny_image: str
) -> None:
    services = {
        "web": {
            "image": tiny_image,
            "expose": ["8080"],
            "volumes": ["data:/data"],
            "healthcheck": {"x-path": "/"},
        },
        "other": {"image": tiny_image, "expose": ["8080"], "volumes": ["data:/data"]},
    }
    for turn in range(3):
        await create(worker, f"shop{turn}")
        body = {"compose": {"services": services}, "web": "web"}
        ended = await worker.commander.ok("POST", f"/projects/shop{turn}/deploy?wait=45", body)
        assert ended["status"] == "active", ended
        containers = container_ids(worker.instance, project=f"shop{turn}")

        removal = asyncio.create_task(asyncio.to_thread(_try_to_remove, *containers))
        await asyncio.sleep(turn * 0.1)
        await worker.commander.ok("DELETE", f"/projects/shop{turn}?volumes=delete")
        await removal

        left = docker("volume", "ls", "-q", f"--filter=label={labels.INSTANCE}={worker.instance}")
        assert (container_ids(worker.instance), network_ids(worker.instance), left) == ([], [], "")
