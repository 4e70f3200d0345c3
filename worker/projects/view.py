"""How a project is shown."""

import asyncio
from typing import Any

from shared.clock import rfc3339
from worker.deploys.generation import Generations
from worker.deploys.model import Release, ReleaseMissing
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.request import Service
from worker.deploys.startup import is_done
from worker.errors import EngineUnavailable
from worker.projects.model import Project, State, shown_status
from worker.runtime import labels
from worker.runtime.engine import ContainerSeen, Engine, unix_seconds

LOOK_DEADLINE_S = 3.0


class ProjectView:
    """Reads work without the engine, or with one that hangs: container states are then `unknown`."""

    def __init__(
        self, records: Records, publication: Publication, engine: Engine, generations: Generations
    ) -> None:
        self._records = records
        self._publication = publication
        self._engine = engine
        self._generations = generations

    async def page(self, after: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Items and the cursor of the next page."""
        found = await self._records.projects.page(after, limit + 1)
        busy = await self._records.deploys.projects_in_progress()
        shown = found[:limit]
        items = [self._summary(project, deploying=project.project_id in busy) for project in shown]
        return items, shown[-1].project_id if len(found) > limit else None

    async def one(self, project: Project) -> dict[str, Any]:
        deploy = await self._records.deploys.oldest_unfinished(project.project_id)
        return {
            **self._summary(project, deploying=deploy is not None),
            "visibility": project.visibility,
            "status_reason": project.state_reason,
            "limits": {
                "cpu": project.limits.cpu,
                "memory_mb": project.limits.memory_mb,
                "disk_mb": project.limits.disk_mb,
                "pids": project.limits.pids,
            },
            "services": await self._services(project),
        }

    async def status(self, project: Project) -> str:
        deploy = await self._records.deploys.oldest_unfinished(project.project_id)
        return shown_status(project.state, deploy_in_progress=deploy is not None)

    def created(self, project: Project) -> dict[str, Any]:
        return {**self._summary(project, deploying=False), "visibility": project.visibility}

    def _summary(self, project: Project, *, deploying: bool) -> dict[str, Any]:
        return {
            "project_id": project.project_id,
            "org_id": project.org_id,
            "name": project.name,
            "status": shown_status(project.state, deploy_in_progress=deploying),
            "hosts": self._publication.hosts_of(project),
            "domains": list(project.domains),
            "release": project.release_id,
            "created_at": rfc3339(project.created_at),
        }

    async def _services(self, project: Project) -> list[dict[str, Any]]:
        if project.release_id is None:
            return []
        try:
            release = await self._records.releases.get(project.release_id)
        except ReleaseMissing:
            return []
        unknown = {"status": "unknown", "health": "unknown", "started_at": None, "restarts": 0}
        try:
            async with asyncio.timeout(LOOK_DEADLINE_S):
                found = await self._containers(project)
        except (EngineUnavailable, TimeoutError):
            return [_service(service, release) | unknown for service in release.request.services]
        return [
            _service(service, release) | self._seen(project, service, found.get(service.name))
            for service in release.request.services
        ]

    async def _containers(self, project: Project) -> dict[str, ContainerSeen]:
        found = {}
        for listed in await self._generations.of_project(project.project_id):
            if listed.labels.get(labels.RELEASE) == project.release_id:
                container = await self._engine.inspect(listed.container_id)
                if container is not None:
                    found[listed.labels.get(labels.SERVICE, "")] = container
        return found

    def _seen(self, project: Project, service: Service, container: ContainerSeen | None) -> dict[str, Any]:
        if container is None:
            return {"status": "missing", "health": "unhealthy", "started_at": None, "restarts": 0}
        return {
            "status": "completed" if is_done(service, container) else container.status,
            "health": self._health(project, service, container),
            "started_at": _moment(container.started_at),
            "restarts": container.restarts,
        }

    def _health(self, project: Project, service: Service, container: ContainerSeen) -> str:
        if is_done(service, container):
            return "healthy"
        published = self._publication.of(project.project_id).get(service.name)
        if published is not None and published.container_id == container.container_id:
            return (container.health or "healthy") if published.healthy else "unhealthy"
        if container.running and service.port is None:
            return container.health or "healthy"
        if project.state is State.STARTING:
            return "starting"
        return "unhealthy" if project.state in {State.FAILED, State.CRASHED} else "unknown"


def _service(service: Service, release: Release) -> dict[str, Any]:
    """`image` of what was built is the id of the image."""
    return {"name": service.name, "image": service.image or release.images[service.name].image_id}


def _moment(engine_time: str) -> str | None:
    """The engine's nanoseconds in the platform's form; None for a container that was never started (year 1)."""
    if engine_time.startswith("0001-"):
        return None
    return rfc3339(unix_seconds(engine_time))
