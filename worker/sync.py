"""`POST /sync`: brings Docker in line with what is recorded, now, and says what that took."""

import asyncio
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from worker import VERSION
from worker.deploys.commands import DeployCommands
from worker.deploys.generation import Generations
from worker.deploys.lanes import Lanes
from worker.deploys.records import Records
from worker.deploys.watch import Watch
from worker.projects.view import ProjectView
from worker.requests import Body, parse_body

SETTLE_S = 60.0


class DesiredProject(Body):
    project_id: str
    status: Literal["running", "stopped"]


class SyncBody(Body):
    projects: Annotated[list[DesiredProject], Field(max_length=10_000)] | None = None


class SyncRoutes:
    def __init__(
        self,
        records: Records,
        lanes: Lanes,
        watch: Watch,
        deploys: DeployCommands,
        view: ProjectView,
        generations: Generations,
    ) -> None:
        self._records = records
        self._lanes = lanes
        self._watch = watch
        self._deploys = deploys
        self._view = view
        self._generations = generations

    def add_to(self, app: web.Application) -> None:
        app.add_routes([web.post("/sync", self.sync)])

    async def sync(self, request: web.Request) -> web.Response:
        body = parse_body(SyncBody, await request.read())
        before = await self._records.events.last_id()
        await self._apply(body.projects or [])
        orphans = await self._watch.reconcile()
        await self._settle()
        return web.json_response(
            {
                "status": "online",
                "version": VERSION,
                "stats": await self._stats(),
                "projects": await self._outcome(before),
                "orphans_removed": orphans,
            }
        )

    async def _apply(self, desired: list[DesiredProject]) -> None:
        """Only what differs is asked for; a project that is not here is simply not in the answer."""
        wanted = {entry.project_id: entry.status for entry in desired}
        for project in await self._records.projects.all():
            status = wanted.get(project.project_id)
            if status == "running" and project.release_id is not None and project.wanted == "stopped":
                await self._deploys.start(project.project_id)
            elif status == "stopped" and project.wanted == "running":
                await self._deploys.stop(project.project_id)

    async def _settle(self) -> None:
        try:
            async with asyncio.timeout(SETTLE_S):
                for project in await self._records.projects.all():
                    await self._lanes.idle(project.project_id)
        except TimeoutError:
            # A deploy that takes longer goes on; the answer shows the project as it is now.
            return

    async def _outcome(self, after_event: int) -> list[dict[str, Any]]:
        actions = await self._records.events.kinds_after(after_event)
        return [
            {
                "project_id": project.project_id,
                "status": await self._view.status(project),
                "actions": actions.get(project.project_id, []),
            }
            for project in await self._records.projects.all()
        ]

    async def _stats(self) -> dict[str, int]:
        containers = await self._generations.ours()
        return {
            "projects": len(await self._records.projects.all()),
            "containers": len([container for container in containers if container.running]),
        }
