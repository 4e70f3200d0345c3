"""How a project is shown."""

from datetime import datetime
from typing import Any

from shared.clock import rfc3339
from worker.deploys.generation import Generations
from worker.deploys.model import WEB, ReleaseMissing
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.errors import EngineUnavailable
from worker.projects.model import Project, State, shown_status
from worker.runtime import labels
from worker.runtime.engine import ContainerSeen, Engine


class ProjectView:
    """Reads work without the engine: container states are then `unknown`."""

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
            image = (await self._records.releases.get(project.release_id)).request.image
        except ReleaseMissing:
            image = ""
        service: dict[str, Any] = {"name": WEB, "image": image, "status": "unknown", "health": "unknown"}
        try:
            container = await self._container(project)
        except EngineUnavailable:
            return [{**service, "started_at": None, "restarts": 0}]
        if container is None:
            return [
                {**service, "status": "missing", "health": "unhealthy", "started_at": None, "restarts": 0}
            ]
        return [
            {
                **service,
                "status": container.status,
                "health": self._health(project, container),
                "started_at": _moment(container.started_at),
                "restarts": container.restarts,
            }
        ]

    async def _container(self, project: Project) -> ContainerSeen | None:
        for listed in await self._generations.of_project(project.project_id):
            if listed.labels.get(labels.RELEASE) == project.release_id:
                return await self._engine.inspect(listed.container_id)
        return None

    def _health(self, project: Project, container: ContainerSeen) -> str:
        published = self._publication.of(project.project_id)
        if published is not None and published.container_id == container.container_id:
            return "healthy" if published.healthy else "unhealthy"
        if project.state is State.STARTING:
            return "starting"
        return "unhealthy" if project.state in {State.FAILED, State.CRASHED} else "unknown"


def _moment(engine_time: str) -> str | None:
    """The engine's nanoseconds in the platform's form; None for a container that was never started (year 1)."""
    if engine_time.startswith("0001-"):
        return None
    return rfc3339(datetime.fromisoformat(engine_time).timestamp())
