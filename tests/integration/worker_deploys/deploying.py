"""What the tests of deploys ask of a worker, and of docker, again and again."""

from typing import Any

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.docker_cli import (
    inspect,
)

HEALTHY = {"path": "/", "interval_s": 0.1, "deadline_s": 20}


async def create(worker: Worker, project_id: str, org_id: str = "org_a") -> None:
    body = {"project_id": project_id, "org_id": org_id, "visibility": "public"}
    await worker.commander.ok("POST", "/projects", body)


async def deploy(worker: Worker, project_id: str, image: str, **more: Any) -> dict[str, Any]:
    body = {"image": image, "port": 8080, "healthcheck": HEALTHY, **more}
    ended: dict[str, Any] = await worker.commander.ok("POST", f"/projects/{project_id}/deploy?wait=45", body)
    return ended


async def status_of(worker: Worker, project_id: str) -> str:
    return str((await worker.commander.ok("GET", f"/projects/{project_id}"))["status"])


def address_of(container_id: str) -> str:
    [network] = inspect(container_id)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])
