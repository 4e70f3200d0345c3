"""`POST /sync`: brings Docker in line with what is recorded, now, and says what that took."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from worker import VERSION
from worker.deploys.commands import DeployCommands
from worker.deploys.lanes import Lanes
from worker.deploys.records import Records
from worker.deploys.watch import Watch
from worker.projects.model import checked_project_id
from worker.projects.view import ProjectView
from worker.requests import Body, parse_body
from worker.stats.sampler import Report

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
        host_numbers: Callable[[], Awaitable[Report]],
    ) -> None:
        self._records = records
        self._lanes = lanes
        self._watch = watch
        self._deploys = deploys
        self._view = view
        self._host_numbers = host_numbers

    def add_to(self, app: web.Application) -> None:
        app.add_routes([web.post("/sync", self.sync)])

    async def sync(self, request: web.Request) -> web.Response:
        body = parse_body(SyncBody, await request.read())
        desired = body.projects or []
        before = await self._records.events.last_id()
        await self._apply(desired)
        orphans = await self._watch.reconcile()
        await self._settle()
        return web.json_response(
            {
                "status": "online",
                "version": VERSION,
                "stats": await self._host_numbers(),
                "projects": await self._outcome(before, desired),
                "orphans_removed": orphans,
            }
        )

    async def _apply(self, desired: list[DesiredProject]) -> None:
        """Only what differs is asked for. Raises ProjectIdInvalid before anything is done."""
        wanted = {checked_project_id(entry.project_id): entry.status for entry in desired}
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

    async def _outcome(self, after_event: int, desired: list[DesiredProject]) -> list[dict[str, Any]]:
        """Every project that is here, and as `missing` those that ought to be."""
        actions = await self._records.events.kinds_after(after_event)
        here = await self._records.projects.all()
        absent = {entry.project_id for entry in desired} - {project.project_id for project in here}
        return [
            {
                "project_id": project.project_id,
                "status": await self._view.status(project),
                "actions": actions.get(project.project_id, []),
            }
            for project in here
        ] + [{"project_id": project_id, "status": "missing", "actions": []} for project_id in sorted(absent)]
