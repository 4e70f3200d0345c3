"""Bringing Docker in line with the records: what is ours and wrong is put right, what is not ours is left alone."""

import uuid
from collections.abc import Iterator

import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import create, deploy
from tests.integration.worker_deploys.docker_cli import container_ids, docker, inspect
from tests.integration.worker_deploys.running import eventually

pytestmark = pytest.mark.engine


@pytest.fixture
def foreign(tiny_image: str) -> Iterator[dict[str, str]]:
    """A container, network, volume and image of somebody else's with names and labels much like ours; removed at the end."""
    mark = uuid.uuid4().hex[:8]
    names = {
        "container": f"site.dpl_{mark}",
        "network": f"plane-{mark}-{mark}1234",
        "volume": f"site_{mark}_data",
        "image": f"localhost/site:{mark}",
    }
    almost = ["--label", "io.plane.project=site", "--label", f"io.plane.instance=w_{mark}"]
    docker("tag", tiny_image, names["image"])
    docker("volume", "create", "--label", "io.plane.project=site", names["volume"])
    docker(
        *("network", "create", "--label", "io.plane.org=org_a"),
        *("--subnet", f"10.251.{int(mark[:2], 16)}.{int(mark[2], 16) * 16}/28", names["network"]),
    )
    docker(
        *("run", "-d", "--name", names["container"], "--network", names["network"], *almost),
        *("-v", f"{names['volume']}:/data", names["image"], "/bin/busybox", "sleep", "600"),
    )
    yield names
    docker("rm", "-f", names["container"])
    docker("network", "rm", names["network"])
    docker("volume", "rm", names["volume"])
    docker("rmi", names["image"])


async def test_a_sync_puts_right_what_is_ours_and_touches_nothing_else(
    worker: Worker, tiny_image: str, foreign: dict[str, str]
) -> None:
    await create(worker, "site")
    await create(worker, "idle")
    await deploy(worker, "site", tiny_image)
    await deploy(worker, "idle", tiny_image)
    before = inspect(foreign["container"])["State"]["StartedAt"]
    label = f"io.plane.instance={worker.instance}"
    docker("create", "--label", label, "--label", "io.plane.project=nobody", tiny_image)
    docker("create", "--label", label, "--label", "io.plane.project=site", tiny_image)
    docker(
        "network",
        "create",
        "--label",
        label,
        "--label",
        "io.plane.org=org_gone",
        f"gone-{worker.instance[:9]}",
    )
    docker("rm", "-f", *container_ids(worker.instance, project="site", running_only=True))

    desired = [
        {"project_id": "site", "status": "running"},
        {"project_id": "idle", "status": "stopped"},
        {"project_id": "elsewhere", "status": "running"},
    ]
    answer = await worker.commander.ok("POST", "/sync", {"projects": desired})

    assert {one["project_id"]: one["status"] for one in answer["projects"]} == {
        "site": "running",
        "idle": "stopped",
        "elsewhere": "missing",
    }
    assert answer["status"] == "online"
    assert {"cpu_usage", "memory_total", "disk_total", "projects", "containers"} <= answer["stats"].keys()
    assert len(container_ids(worker.instance)) == 2
    assert len(container_ids(worker.instance, running_only=True)) == 1
    assert await worker.get("site.zexio.app") == (200, "hello\n")
    networks = docker("network", "ls", "--format", "{{.Name}}").split()
    assert f"gone-{worker.instance[:9]}" not in networks

    state = inspect(foreign["container"])["State"]
    assert (state["Status"], state["StartedAt"]) == ("running", before)
    assert foreign["network"] in networks
    assert foreign["volume"] in docker("volume", "ls", "-q").split()
    assert docker("images", "-q", foreign["image"]).strip()


async def test_what_is_removed_by_hand_comes_back_without_being_asked_for(
    worker: Worker, tiny_image: str
) -> None:
    await create(worker, "site")
    await deploy(worker, "site", tiny_image)

    docker("rm", "-f", *container_ids(worker.instance))

    async def is_back() -> bool:
        return await worker.get("site.zexio.app") == (200, "hello\n")

    await eventually(is_back)


async def test_a_desired_project_with_an_impossible_name_changes_nothing(worker: Worker) -> None:
    body = {"projects": [{"project_id": "../x", "status": "running"}]}
    status, answer = await worker.commander.call("POST", "/sync", body)

    assert (status, answer["code"]) == (422, "invalid_project_id")
