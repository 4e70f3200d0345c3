"""What the tests of deploys ask of a worker, and of docker, again and again."""

from typing import Any

from tests.integration.worker_deploys.commanding import Commander
from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.docker_cli import (
    inspect,
)
from tests.integration.worker_deploys.running import eventually

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


async def services_of(commander: Commander, project_id: str) -> list[dict[str, Any]]:
    """As the engine has them. One that did not answer in time leaves them `unknown`, and is asked again."""
    services: list[dict[str, Any]] = []

    async def are_known() -> bool:
        services[:] = (await commander.ok("GET", f"/projects/{project_id}"))["services"]
        return all(service["status"] != "unknown" for service in services)

    await eventually(are_known)
    return services


async def cancel(commander: Commander, path: str) -> str:
    """What became of the deploy. Its cancellation is answered after ten seconds at the latest, and then goes on."""
    deploy: dict[str, Any] = await commander.ok("DELETE", path)

    async def has_ended() -> bool:
        deploy.update(await commander.ok("GET", path))
        return deploy["finished_at"] is not None

    await eventually(has_ended)
    return str(deploy["status"])


def address_of(container_id: str) -> str:
    [network] = inspect(container_id)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])
